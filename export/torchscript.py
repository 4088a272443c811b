"""TorchScript: the module scripted, and its archive written again without what names this machine.

torch deprecates TorchScript; the warnings of its own calls are silenced here and nowhere else.
"""

import io
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

import torch

from export.source import Source

METADATA_RECORD = "linreg.json"
CONSTANT = re.compile(r"  \w+ : Final\[")


def to_torchscript(source: Source) -> bytes:
    """The bytes of a scripted module; metadata stands in the extra file `linreg.json`."""
    _forget_scripted_classes()
    with deprecation_silenced():
        scripted = torch.jit.script(source.module)
    metadata = json.dumps(source.metadata, ensure_ascii=False, sort_keys=True)
    return _clean(scripted.save_to_buffer(_extra_files={METADATA_RECORD: metadata}))


def _forget_scripted_classes() -> None:
    """Empty torch's table of scripted classes, as torch's own tests do.

    A second class of one name in a process would be renamed in the archive, and its bytes would depend on what was
    exported before. Modules that are scripted already keep their types.
    """
    torch._C._jit_clear_class_registry()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch.jit._state._clear_class_state()


@contextmanager
def deprecation_silenced() -> Iterator[None]:
    """Silence the DeprecationWarning of torch.jit for calls that are made on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        yield


def _clean(archive: bytes) -> bytes:
    """The same program in bytes that depend on nothing but it.

    Left out: `*.debug_pkl`, which holds paths and lines of the source files. Sorted: the constants of each class, which
    torch writes in the order of a set of strings, another one in each process.
    """
    reader = torch._C.PyTorchFileReader(io.BytesIO(archive))
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", ".data/serialization_id"):  # the writer adds these two
            continue
        record = reader.get_record(name)
        if name.startswith("code/"):
            record = _sort_constants(record.decode()).encode()
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return buffer.getvalue()


def _sort_constants(code: str) -> str:
    runs = groupby(code.splitlines(keepends=True), key=lambda line: bool(CONSTANT.match(line)))
    return "".join("".join(sorted(run) if constant else run) for constant, run in runs)
