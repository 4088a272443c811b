"""`bench` of a module's bundle takes the weights and the inputs from it."""

import pytest
import torch

import linreg as door
from linreg.errors import LinregError
from linreg.manifest import read_manifest
from tests.cli.module_bundle.user_net import INPUTS, MODULE


@pytest.mark.usefixtures("threads")
def test_bench_takes_weights_and_inputs_from_the_bundle(net, monkeypatch):
    monkeypatch.chdir(net.parent)
    settings = {"batches": 1, "processes": 1, "rounds": 10, "device": "cpu"}
    report = door.bench("net", module="nets.py:make_net", **settings)
    assert report.state_sha256 == read_manifest(net).state_sha256
    rows = {row.name: row for row in report.comparisons[0].rows}
    assert rows["onnxruntime-run"].worst_error <= 1
    assert rows["torchscript"].origin == "bundle"
    assert rows["pt2"].origin == "rebuilt"


def test_a_row_learns_its_arguments_from_the_card_and_runs_nothing_for_it(net, monkeypatch):
    from bench.plan.subject import Subject

    monkeypatch.setattr("export.source.module_source.probe_outputs", None)
    subject = Subject(path=str(net / "model.pth"), module=f"{net.parent / 'nets.py'}:make_net", bundle=str(net))
    arguments = subject.arguments_of_forward(Subject.module_itself(subject))
    assert (arguments.paths, arguments.positional) == (("ids", "x"), 2)


def test_bench_without_the_code_says_how_to_name_it(linreg, net):
    assert "linreg bench -m net --module nets.py:make_net" in linreg("bench", "-m", "net").failure()
    with pytest.raises(LinregError, match="net: holds a module; add the code that makes it: module=make_net"):
        door.bench(net)


def test_options_of_bench_that_do_not_apply(linreg, bundle, net):
    for words in (INPUTS[:2], ["--state-dict", "net/model.pth"]):
        assert "has no effect: net describes its inputs" in linreg("bench", "-m", "net", *MODULE, *words).failure(2)
    assert "or name its bundle with -m" in linreg("bench", *MODULE).failure(2)
    assert "--trust applies to the programs of a bundle" in linreg("bench", *MODULE, *INPUTS, "--trust").failure(2)
    assert "needs a model of linreg train" in linreg("bench", *MODULE, *INPUTS, "--runtimes", ".").failure(2)
    assert "it holds a linear model" in linreg("bench", "-m", bundle, *MODULE).failure()
    assert "keys differ" in linreg("bench", "-m", "net", "--module", "nets.py:wrong_net").failure()
    with pytest.raises(LinregError, match="module: got a module, expected the function"):
        door.bench(net, module=torch.nn.Linear(3, 2))
