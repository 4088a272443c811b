"""Python environments for the tests of `linreg bench --env`: links to real packages, or a runtime of a few lines."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from linreg.checkpoint import load

SITE = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

RUNTIME = '''
"""Stands in for onnxruntime: an affine map in numpy, with work of a known length in each call."""
from hashlib import sha256
from weakref import ref
import numpy
WORK = bytes(16 * {units})
WEIGHT, BIAS = numpy.array({weight}, numpy.float32), numpy.array({bias}, numpy.float32)
class SessionOptions:
    def add_session_config_entry(self, key, value): pass
class Entry:
    def __init__(self, name): self.name = name
class OrtValue:  # reads the memory of the array, and does not keep it, as onnxruntime 1.15 does
    ortvalue_from_numpy = staticmethod(lambda array, device, place: ref(array))
class Binding:
    def __init__(self): self.feed = {{}}
    def bind_ortvalue_input(self, name, array): self.feed[name] = array
    def bind_output(self, name, device): pass
    def copy_outputs_to_cpu(self): return self.outputs
class InferenceSession:
    def __init__(self, path, options, providers): {on_load}
    def get_inputs(self): return [Entry("input")]
    def get_outputs(self): return [Entry("output")]
    def io_binding(self): return Binding()
    def run_with_iobinding(self, binding):
        binding.outputs = self.run(None, {{name: value() for name, value in binding.feed.items()}})
    def run(self, names, feed):
        sha256(WORK).digest()
        {on_run}
        with numpy.errstate(all="ignore"):
            return [feed["input"] @ WEIGHT + BIAS + numpy.float32({wrong})]
'''


def make_environment(folder: Path, *packages: str) -> Path:
    """Make an environment that has only these packages, as links to those of the running Python; return its Python."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys._base_executable).resolve())
    home = Path(sys._base_executable).resolve().parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    site = folder / SITE
    site.mkdir(parents=True)
    for package in packages:
        tops = {file.parts[0] for file in metadata.files(package) or () if ".." not in file.parts}
        for top in tops:
            (site / top).symlink_to(Path(metadata.distribution(package).locate_file(top)))
    return python


def with_torch(python: Path) -> Path:
    """Let an environment find every package of the running Python, after its own."""
    places = [entry for entry in sys.path if entry.endswith("site-packages")]
    (python.parents[1] / SITE / "more.pth").write_text("\n".join(places) + "\n")
    return python


def stand_in(
    folder: Path,
    bundle: Path,
    *,
    version: str = "1.15.1",
    units: int = 400,
    wrong: float = 0.0,
    on_load: str = "pass",
    on_run: str = "pass",
) -> Path:
    """Make an environment whose onnxruntime is a stand-in with the model of a bundle; return its Python.

    Args:
        folder: where to make it.
        bundle: the bundle.
        version: version that the stand-in claims.
        units: length of a call: 16 bytes that are hashed; twice as many units take about twice as long.
        wrong: added to each output.
        on_load: statement to execute when a file is loaded.
        on_run: statement to execute in every call.
    """
    python = make_environment(folder, "numpy")
    affine = load(bundle).affine
    weight, bias = affine.weight.astype(np.float32), affine.bias.astype(np.float32)
    package = folder / SITE / "onnxruntime"
    package.mkdir()
    (package / "__init__.py").write_text(
        RUNTIME.format(
            weight=weight.T.tolist(), bias=bias.tolist(), units=units, wrong=wrong, on_load=on_load, on_run=on_run
        )
    )
    record = folder / SITE / f"onnxruntime-{version}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}\n")
    return python
