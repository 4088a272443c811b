"""SHA256SUMS and manifest.json in Node: what is damaged, contradicts itself or leads out of the bundle is refused."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.bundles import REFERENCE, copy_of
from tests.deploy.javascript import NODE, WEIGHT_FAULTS, install, node, seal
from tests.deploy.penguin_predictions import first_prediction

Damage = Callable[[Path], object]

LOOK = """
import { readFileSync } from 'node:fs';
import { LinregError, load, verify } from './linreg.mjs';
const found = {};
for (const folder of JSON.parse(readFileSync(0))) {
  const { passed, problems } = await verify(folder);
  const loaded = await load(`${folder}/model.onnx`).then(
    (model) => model.release(),
    (error) => (error instanceof LinregError ? error.message : `unexpected: ${error.stack}`),
  );
  found[folder] = { passed, problems, loaded: loaded ?? null };
}
console.log(JSON.stringify(found));
"""
"""What `verify` and `load` say of each folder."""


@pytest.fixture(scope="module", autouse=True)
def _installed():
    install(NODE)


def look(*folders: Path) -> list[dict]:
    ended = node("--input-type=module", "-e", LOOK, data=json.dumps([str(folder) for folder in folders]).encode())
    assert ended.returncode == 0, ended.stderr.decode()
    return list(json.loads(ended.stdout).values())


def sums(change: Callable[[str], str | bytes]) -> Damage:
    """Change the text of SHA256SUMS."""

    def damage(bundle: Path) -> None:
        path = bundle / "SHA256SUMS"
        text = change(path.read_text())
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return damage


def manifest(change: Callable[[dict], object]) -> Damage:
    """Change the value of manifest.json in place, or write what is returned."""

    def damage(bundle: Path) -> None:
        path = bundle / "manifest.json"
        value = json.loads(path.read_text())
        changed = change(value)
        text = json.dumps(value) if changed is None or isinstance(changed, str | int) else changed
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return damage


def entry(**values: object) -> Damage:
    """Change the manifest's entry of model.onnx."""

    def change(value: dict) -> None:
        next(file for file in value["files"] if file["name"] == "model.onnx").update(values)

    return manifest(change)


def link(name: str, *, outside: bool = True) -> Damage:
    """Put a link in the place of a file or folder, to what it was."""

    def damage(bundle: Path) -> None:
        target = (bundle.parent if outside else bundle) / f"was-{Path(name).name}"
        (bundle / name).rename(target)
        (bundle / name).symlink_to(target)

    return damage


def fifo(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    os.mkfifo(bundle / "model.onnx")


def drop_line(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if "test_data_set_3/input" not in line)


ZERO = "0" * 64
LINE = "SHA256SUMS: has the line"
NAME = "manifest.json: has the name"
SHA = "manifest.json: the sha256 of model.onnx is"
SIZE = "manifest.json: the size of model.onnx is"
MODEL = (REFERENCE / "line" / "model.onnx").read_bytes()
SHA256, SIZE_BYTES = hashlib.sha256(MODEL).hexdigest(), len(MODEL)

REFUSED: dict[str, tuple[Damage, str]] = {
    "an upper-case hash": (sums(str.upper), LINE),
    "a hash of 63 digits": (sums(lambda text: text[1:]), LINE),
    "one space": (sums(lambda text: text.replace("  model.onnx", " model.onnx")), LINE),
    "a binary mark": (sums(lambda text: text.replace("  model.onnx", " *model.onnx")), LINE),
    "CRLF": (sums(lambda text: text.replace("\n", "\r\n")), LINE),
    "an empty line": (sums(lambda text: text.replace("\n", "\n\n", 1)), LINE),
    "a comment": (sums(lambda text: "# sums\n" + text), LINE),
    "a byte order mark": (sums(lambda text: "\ufeff" + text), LINE),
    "no UTF-8": (sums(lambda text: text.encode() + b"\xff\n"), "SHA256SUMS: is not UTF-8"),
    "nothing in it": (sums(lambda text: ""), LINE),
    "cut in a line": (sums(lambda text: text[:-40]), LINE),
    "cut in a name": (sums(lambda text: text[:-3]), "SHA256SUMS: lists test_data_set_4/output_0., but manifest.json"),
    "a line twice": (sums(lambda text: text + text.splitlines()[0]), LINE),
    "a name above": (sums(lambda text: f"{text}{ZERO}  ../secret\n"), LINE),
    "a name from the root": (sums(lambda text: f"{text}{ZERO}  /etc/passwd\n"), LINE),
    "a name of dots": (sums(lambda text: f"{text}{ZERO}  test_data_set_0/../x\n"), LINE),
    "a name in a folder": (sums(lambda text: f"{text}{ZERO}  plots/x.png\n"), LINE),
    "a name with a backslash": (sums(lambda text: f"{text}{ZERO}  ..\\x\n"), LINE),
    "a name like an option": (sums(lambda text: f"{text}{ZERO}  -x\n"), LINE),
    "the manifest itself": (sums(lambda text: f"{text}{ZERO}  manifest.json\n"), LINE),
    "a line fewer": (sums(drop_line), "manifest.json: lists test_data_set_3/input_0.pb, but SHA256SUMS does not"),
    "a line more": (sums(lambda text: f"{text}{ZERO}  more\n"), "SHA256SUMS: lists more, but manifest.json does not"),
    "another hash": (sums(lambda text: ZERO + text[64:]), "SHA256SUMS: says 000000000000.. of card.json, but manifest"),
    "SHA256SUMS is gone": (lambda bundle: (bundle / "SHA256SUMS").unlink(), "SHA256SUMS: no such file"),
    "a listed file is gone": (lambda bundle: (bundle / "model.c").unlink(), "model.c: no such file"),
    "a vector is gone": (lambda bundle: (bundle / "test_data_set_1/input_0.pb").unlink(), "input_0.pb: no such file"),
    "a file for a folder": (
        lambda bundle: (shutil.rmtree(bundle / "test_data_set_1"), (bundle / "test_data_set_1").touch()),
        "allowed_0.pb: is in what is no folder",
    ),
    "a folder for a file": (
        lambda bundle: ((bundle / "model.c").unlink(), (bundle / "model.c").mkdir()),
        "model.c: is no regular file",
    ),
    "a pipe for a file": (fifo, "model.onnx: is no regular file"),
    "text in a hash": (entry(sha256=f"{ZERO}  x\n{ZERO}"), SHA),
    "an upper-case hash in the manifest": (entry(sha256="A" * 64), SHA),
    "a short hash in the manifest": (entry(sha256="0" * 63), SHA),
    "a hash that is a number": (entry(sha256=0), SHA),
    "another hash in the manifest": (
        entry(sha256=ZERO),
        f"SHA256SUMS: says {SHA256[:12]}.. of model.onnx, but manifest",
    ),
    "another size": (
        entry(bytes=SIZE_BYTES + 1),
        f"model.onnx: has {SIZE_BYTES} bytes, manifest.json says {SIZE_BYTES + 1}",
    ),
    "a size with a fraction": (entry(bytes=535.5), SIZE),
    "a negative size": (entry(bytes=-1), SIZE),
    "a size of text": (entry(bytes="535"), SIZE),
    "a size of true": (entry(bytes=True), SIZE),
    "no size": (entry(bytes=None), SIZE),
    "a name above in the manifest": (entry(name="../model.onnx"), NAME),
    "a name of control signs": (entry(name="model.onnx\n\x1b[31m"), NAME),
    "a name that is a list": (entry(name=["model.onnx"]), NAME),
    "a name twice": (entry(name="model.c"), NAME),
    "an entry that is null": (manifest(lambda value: value["files"].append(None)), NAME),
    "a later schema": (manifest(lambda value: value.update(schema_version=2)), "manifest.json: has schema 2"),
    "no schema": (manifest(lambda value: value.pop("schema_version")), "manifest.json: is no manifest of linreg"),
    "no hash of the weights": (
        manifest(lambda value: value.update(state_sha256="\n")),
        "manifest.json: is no manifest of linreg",
    ),
    "no JSON": (manifest(lambda value: b"{"), "manifest.json: is not JSON"),
    "a list": (manifest(lambda value: b"[]"), "manifest.json: is no manifest of linreg"),
    "null": (manifest(lambda value: b"null"), "manifest.json: is no manifest of linreg"),
    "a manifest that is no UTF-8": (manifest(lambda value: b"\xff"), "manifest.json: is not UTF-8"),
    "a manifest that is large": (manifest(lambda value: b" " * (2**24 + 1)), "manifest.json: has 16777217 bytes"),
    "the model is a link": (link("model.onnx"), "model.onnx: is a link"),
    "the model is a link within": (link("model.onnx", outside=False), "model.onnx: is a link"),
    "a vector is a link": (link("test_data_set_0/input_0.pb"), "input_0.pb: is a link"),
    "a folder is a link": (link("test_data_set_0"), "test_data_set_0: is a link"),
    "SHA256SUMS is a link": (link("SHA256SUMS"), "SHA256SUMS: is a link"),
    "the manifest is a link": (link("manifest.json"), "manifest.json: is a link"),
    "the manifest is a link to nowhere": (
        lambda bundle: (link("manifest.json")(bundle), (bundle.parent / "was-manifest.json").unlink()),
        "manifest.json: is a link",
    ),
}
"""What is done to the committed line, and the start of what is said of it, after the folder."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("damaged")
    bundles = []
    for place, (damage, _) in enumerate(REFUSED.values()):
        bundles.append(copy_of(REFERENCE / "line", folder / str(place)))
        damage(bundles[-1])
    return dict(zip(REFUSED, look(*bundles), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_listing_is_refused_before_any_vector_runs(seen, name):
    report = seen[name]
    assert report["passed"] == 0 and report["problems"]
    said = report["problems"][0]
    assert REFUSED[name][1] in said, said
    assert "\n" not in said and "\x1b" not in said


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_is_not_loaded_that_its_listing_does_not_name_for_certain(seen, name):
    """What is wrong with another file does not concern it, and a SHA256SUMS may be gone beside a whole manifest."""
    elsewhere = (
        "vector",
        "folder is a link",
        "file for a folder",
        "folder for a file",
        "listed file",
        "SHA256SUMS is gone",
    )
    loaded = seen[name]["loaded"]
    assert (loaded is None) == any(words in name for words in elsewhere), loaded
    assert loaded is None or ("\n" not in loaded and "unexpected" not in loaded), loaded


def test_what_is_whole_is_proved(tmp_path):
    """Without a manifest SHA256SUMS decides alone; the bundle itself may be a link."""
    without, linked, more = (copy_of(REFERENCE / "line", tmp_path / name) for name in ("without", "linked", "more"))
    (without / "manifest.json").unlink()
    (tmp_path / "link").symlink_to(linked)
    (more / "notes.txt").write_text("not listed, not read")
    for report in look(REFERENCE / "line", REFERENCE / "penguins", without, tmp_path / "link", more, seal(more)):
        assert report == {"passed": 5, "problems": [], "loaded": None}


@pytest.mark.parametrize("alone", ["SHA256SUMS", "manifest.json", None])
def test_a_changed_weight_is_refused_by_predict_and_load(tmp_path, alone):
    """One bit: the prediction would look right. Through a link from elsewhere as well."""
    bundle = copy_of(REFERENCE / "penguins", tmp_path)
    WEIGHT_FAULTS["one bit of a weight"](bundle)
    for name in {"SHA256SUMS", "manifest.json"} - {alone} if alone else set():
        (bundle / name).unlink()
    (tmp_path / "current.onnx").symlink_to(bundle / "model.onnx")
    for model in (bundle / "model.onnx", tmp_path / "current.onnx"):
        ended = node("cli.mjs", "predict", model, data=b"39.1,18.7,181\n")
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert ended.stderr.startswith(b"error: ") and b"model.onnx: has sha256" in ended.stderr
    assert "model.onnx: has sha256" in look(bundle)[0]["loaded"]


def test_sums_of_something_else_do_not_concern_a_model(tmp_path):
    shutil.copy(REFERENCE / "penguins" / "model.onnx", tmp_path)
    (tmp_path / "SHA256SUMS").write_text(f"{ZERO} *debian.iso\n")
    ended = node("cli.mjs", "predict", tmp_path / "model.onnx", data=b"39.1,18.7,181\n")
    assert (ended.returncode, ended.stdout.decode()) == (0, f"{first_prediction()}\n")
