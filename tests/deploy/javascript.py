"""What the tests of deploy/node and deploy/web share: their packages, and bundles with faults planted in them."""

import hashlib
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from tests.deploy import bundles
from tests.deploy.bundles import ROOT, tool, write_tensor

NODE = ROOT / "deploy" / "node"
WEB = ROOT / "deploy" / "web"
STANDALONE = ROOT / "deploy" / "standalone-js"


def install(folder: Path) -> None:
    """`npm ci --ignore-scripts` beside package.json, once for each lock file."""
    lock, stamp = folder / "package-lock.json", folder / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    words = [tool("npm", "npm"), "ci", "--ignore-scripts"]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    stamp.write_bytes(lock.read_bytes())


def node(*words: object, data: bytes = b"", folder: Path = NODE) -> subprocess.CompletedProcess[bytes]:
    """Run node; it must end by itself, with an exit code of ours and without a stack trace."""
    command = [tool("node", "nodejs"), *map(str, words)]
    ended = subprocess.run(command, cwd=folder, input=data, capture_output=True, timeout=300)
    assert ended.returncode in (0, 1, 2), ended
    assert b"    at " not in ended.stderr, ended.stderr.decode()
    return ended


def verify(bundle: Path, folder: Path = NODE) -> tuple[int, list[str], str]:
    """The exit code, the lines and the errors of `verify`."""
    ended = node("cli.mjs", "verify", bundle, folder=folder)
    return ended.returncode, ended.stdout.decode().splitlines(), ended.stderr.decode()


def seal(bundle: Path) -> Path:
    """Make SHA256SUMS and the manifest agree with the files, so that a planted fault must be found by the vectors."""
    path = bundle / "SHA256SUMS"
    names = [line[66:] for line in path.read_text().splitlines() if (bundle / line[66:]).is_file()]
    files = [(name, (bundle / name).read_bytes()) for name in names]
    entries = [{"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files]
    path.write_text("".join(f"{entry['sha256']}  {entry['name']}\n" for entry in entries))
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "files": entries}))
    return bundle


def answer_here(bundle: Path) -> Path:
    """Make the answers of the vectors those of Python's onnxruntime on this machine."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle / "model.onnx", options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    for place in bundle.glob("test_data_set_*"):
        tensor = onnx.load_tensor(place / "input_0.pb")
        (output,) = session.run(None, {entry.name: numpy_helper.to_array(tensor)})
        write_tensor(place / "output_0.pb", output)
    return seal(bundle)


def _change_weights(change: Callable[[np.ndarray, np.ndarray], None]) -> Callable[[Path], None]:
    def plant(bundle: Path) -> None:
        model = onnx.load(bundle / "model.onnx")
        arrays = [numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer]
        change(*arrays)
        for tensor, array in zip(model.graph.initializer, arrays, strict=True):
            tensor.raw_data = array.tobytes()
        (bundle / "model.onnx").write_bytes(model.SerializeToString())

    return plant


WEIGHT_FAULTS = {name: _change_weights(change) for name, change in bundles.WEIGHT_FAULTS.items()}


def change_module(bundle: Path, change: Callable[[str], str]) -> None:
    path = bundle / "model.mjs"
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def first_weight(text: str) -> str:
    """One weight of another value."""
    return re.sub(r"(const weight = new Float32Array\(\[\n  )", r"\g<1>1", text, count=1)


MODULE_FAULTS: dict[str, tuple[Callable[[str], str], str]] = {
    "wrong answers": (first_weight, ": test_data_set_0: output 0, row 0: got "),
    "throws when it is loaded": (lambda text: text + "throw new Error('at\\nonce');\n", "model.mjs: does not run: at"),
    "throws for a row": (
        lambda text: text.replace("  return output;", "  throw new TypeError('for a row');"),
        "does not run: for a row",
    ),
    "too few answers": (
        lambda text: text.replace("  return output;", "  return output.subarray(1);"),
        "gives something else than 1 numbers of float32",
    ),
    "answers of another type": (
        lambda text: text.replace("  return output;", "  return Array.from(output);"),
        "gives something else than 1 numbers of float32",
    ),
    "no JavaScript": (lambda text: text + "{", "model.mjs: does not run: "),
    "not written by linreg": (lambda text: text.replace("/* An", "/* A"), "model.mjs: is not JavaScript of linreg"),
    "no function": (lambda text: text.replace("export function predict", "function predict"), "exports no predict"),
}
"""Changes of model.mjs that SHA256SUMS may list, and what is said of each."""


def _cut(name: str, count: int) -> Callable[[Path], None]:
    return lambda bundle: (bundle / name).write_bytes((bundle / name).read_bytes()[:-count]) and None


FILE_FAULTS: dict[str, Callable[[Path], object]] = {
    "truncated vector": _cut("test_data_set_1/output_0.pb", 3),
    "truncated bound": _cut("test_data_set_2/allowed_0.pb", 8),
    "truncated model": _cut("model.onnx", 300),
    "damaged protobuf": lambda bundle: (bundle / "test_data_set_1/allowed_0.pb").write_bytes(b"\xff" * 40),
    "bounds of NaN": lambda bundle: write_tensor(bundle / "test_data_set_1/allowed_0.pb", np.full((7, 1), np.nan)),
    "missing input": lambda bundle: (bundle / "test_data_set_0/input_0.pb").unlink(),
    "missing output": lambda bundle: (bundle / "test_data_set_2/output_0.pb").unlink(),
    "missing bound": lambda bundle: (bundle / "test_data_set_2/allowed_0.pb").unlink(),
    "missing model": lambda bundle: (bundle / "model.onnx").unlink(),
    "no vectors": lambda bundle: [shutil.rmtree(place) for place in bundle.glob("test_data_set_*")],
}


def mutations(data: bytes, count: int, seed: int) -> Sequence[bytes]:
    """Bytes changed, taken out and put in, more of them at the start, where the lengths are; the same in every run."""
    choose = random.Random(seed)
    made = [data[: choose.randrange(len(data))] for _ in range(count // 4)]
    while len(made) < count:
        changed = bytearray(data)
        place = int(len(changed) * choose.random() ** 2)
        byte = choose.choice([0, 1, 0x7F, 0x80, 0xFF, choose.randrange(256)])
        changed[place : place + choose.choice([0, 1, 1, 2])] = bytes([byte] * choose.choice([0, 1, 1, 9]))
        made.append(bytes(changed))
    return made
