"""The card of a module's bundle: what it says, that its code is never run, and the cards of strangers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from linreg.manifest import read_manifest
from tests.cli.module_bundle.user_net import BUDGET, ESCAPE, MODULE, arrays, card, without
from tests.conftest import forge


def test_the_card_says_what_the_module_takes_and_no_path(net):
    found = card(net)
    assert found["code"] == "nets.py:make_net"
    assert found["state_sha256"] == read_manifest(net).state_sha256
    assert found["inputs"] == [
        {
            "argument": "ids",
            "name": "ids",
            "dtype": "int64",
            "shape": ["batch", 5],
            "least": 0,
            "below": 50,
            "prefix": False,
        },
        {
            "argument": "x",
            "name": "x",
            "dtype": "float32",
            "shape": ["batch", 3],
            "least": None,
            "below": None,
            "prefix": False,
        },
    ]
    assert found["axes"] == [{"name": "batch", "least": 1, "most": None, "step": 1}]
    assert found["outputs"] == [{"name": "score", "shape": ["batch", 2]}, {"name": "total", "shape": ["batch"]}]
    assert str(net.parent) not in (net / "card.json").read_text()


def test_a_place_outside_the_folder_is_cut_to_its_file(monkeypatch, tmp_path):
    from export.source.card import place_in_file

    monkeypatch.chdir(tmp_path)
    places = {
        "src/nets.py:make": "src/nets.py:make",
        f"{tmp_path}/src/nets.py:make": "src/nets.py:make",
        "/home/alice/nets.py:make": "nets.py:make",
        "../alice/nets.py:make": "nets.py:make",
        "package.nets:make": "package.nets:make",
        "a\nb.py:make": None,
    }
    assert {place: place_in_file(place) for place in places} == places


def test_the_class_of_a_module_is_its_place_in_python_if_it_can_be_imported(module):
    from export.source.card import place_of_class

    assert place_of_class(torch.nn.Linear(2, 1)) == "torch.nn.modules.linear:Linear"
    assert place_of_class(module) is None


def hostile(net, **changes):
    forge(net, card_json=json.dumps(card(net) | changes).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("code", f"nets.py:{ESCAPE}make"),
        ("code", "/etc/nets.py:make_net"),
        ("inputs", [{"argument": "x", "name": "x", "dtype": "float32", "shape": [2**50]}]),
        ("inputs", "nets.py"),
        ("axes", [{"name": ESCAPE, "least": "1", "most": None, "step": 1}]),
        ("outputs", [None]),
        ("schema_version", 99),
        (ESCAPE, 1),
    ],
)
def test_a_hostile_card_is_refused_in_one_line(linreg, net, key, value):
    np.savez("batch.npz", **arrays())
    hostile(net, **{key: value})
    for words in (
        ["inspect", "net"],
        ["verify", "net"],
        ["verify", "net", *MODULE],
        ["bench", "-m", "net", *MODULE],
        ["predict", "batch.npz", "-m", "net", "-o", "out.npz"],
    ):
        ended = linreg(*words)
        assert "net/card.json: " in ended.failure(), words
        assert "\x1b" not in ended.err
        assert "running" not in ended.err
    assert not Path("out.npz").exists()


def test_names_of_a_strangers_card_are_escaped(linreg, net):
    found = card(net)
    found["outputs"][0]["name"] = f"{ESCAPE}../../score"
    hostile(net, **found)
    shown = linreg("inspect", "net")
    assert shown.code == 0
    assert "\\x1b[31m../../score" in shown.out
    assert "\x1b" not in shown.out
    np.savez("batch.npz", **arrays())
    ended = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz")
    assert ended.code == 0
    assert "\x1b" not in ended.err


def test_a_card_of_other_weights_is_a_mismatch(linreg, net):
    hostile(net, state_sha256="1" * 64)
    assert "belongs to weights other than those of the manifest" in linreg("verify", "net").failure(3)


def test_the_code_of_a_card_is_never_run(linreg, net):
    (net.parent / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    hostile(net, code="evil.py:make_net")
    np.savez("batch.npz", **arrays())
    assert linreg("inspect", "net").code == 0
    assert linreg("verify", "net").code == 0
    assert linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz").code == 0
    assert linreg("verify", "net", *MODULE, *BUDGET).code == 0
    assert linreg("bench", "-m", "net").failure()
    assert not Path("ran").exists()


def test_a_bundle_without_a_card_asks_for_another_export(linreg, net):
    without(net, "card.json")
    np.savez("batch.npz", **arrays())
    message = linreg("predict", "batch.npz", "-m", "net", "-o", "out.npz").failure()
    assert "has no card.json that describes its inputs, since an older linreg exported it" in message
