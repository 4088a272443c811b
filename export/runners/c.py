"""Compile C source into a shared library, and run it like any other artifact."""

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.c_text import read_c
from export.runners.base import Call, Runner
from export.runners.trust import TrustedBytes
from linreg.errors import LinregError, ModelError, one_line
from linreg.folders import work_folder

Array = NDArray[Any]

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-shared", "-fPIC")
TIMEOUT_S = 300


def compiler() -> list[str]:
    """Return the command of the C compiler: CC, or `cc` if that is not set.

    Raises:
        LinregError: CC is not a valid command line, or no such compiler is installed.
    """
    text = os.environ.get("CC", "").strip() or "cc"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise LinregError(
            f"CC: got {text!r}, which is not a command: {error}; name a compiler, such as CC=gcc"
        ) from None
    if (found := shutil.which(words[0])) is None:
        raise LinregError(
            f"c: found no C compiler {words[0]!r}, and without one C source cannot be verified; "
            "install it: apt-get install gcc libc6-dev, or name another: CC=clang"
        )
    return [str(Path(found).absolute()), *words[1:]]


def flags() -> list[str]:
    """Return the compiler flags. They enable hardware FMA if the machine has it, which gives the same bits faster."""
    try:
        fma = platform.machine() in ("x86_64", "AMD64") and " fma " in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        fma = False
    return [*FLAGS, *(["-mfma"] if fma else [])]


def describe_compiler() -> str:
    """Return the compiler's version and flags for the manifest, since the bits of the outputs depend on them."""
    done = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return f"{(done.stdout.splitlines() or ['unknown'])[0]}: {' '.join(flags())}"


def c_runner(name: str, data: TrustedBytes) -> Runner:
    """Compile C source and load it. Loading runs native code, so call this only for trusted source.

    Raises:
        LinregError: there is no compiler.
        ModelError: the file is not C source that linreg wrote, or does not compile.
    """
    text = read_c(name, data)
    library = _library(name, data)
    try:
        function = library[f"{text.prefix}_predict"]
    except AttributeError:
        raise ModelError(f"{name}: has no function {text.prefix}_predict; export it again") from None
    function.argtypes = [ctypes.c_size_t, *[ctypes.c_void_p] * (3 if text.scratch else 2)]
    function.restype = None

    def bind(inputs: tuple[Array, ...]) -> Call:
        (given,) = inputs
        if given.dtype != text.dtype or not given.ndim or given.shape[1:] != text.input_shape:
            wanted = ", ".join(map(str, ("batch", *text.input_shape)))
            raise ValueError(f"got {given.dtype} of {given.shape}, expected {text.dtype} of ({wanted})")
        rows = np.array(given, dtype=text.dtype, order="C")
        answers = np.empty((len(rows), *text.output_shape), text.dtype)
        memory = [rows, answers, *([np.empty(text.scratch, text.dtype)] if text.scratch else [])]
        # These pointers keep their arrays alive.
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in memory]
        count = ctypes.c_size_t(len(rows))

        def run() -> None:
            function(count, *pointers)

        def outputs() -> tuple[Array, ...]:
            answers.fill(np.nan)  # an element that is not written must not keep an old output
            run()
            return (answers.copy(),)

        return Call(run=run, outputs=outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        return text.weights

    return Runner(name=name, bind=bind, parameters=parameters, folds=not text.affine)


def _library(name: str, data: bytes) -> ctypes.CDLL:
    """Compile C source and load the library; its files are removed once it is loaded."""
    with work_folder("linreg-c-") as folder:
        (folder / "model.c").write_bytes(data)
        command = [*compiler(), *flags(), "-o", "model.so", "model.c", "-lm"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelError(f"{name}: cannot be compiled: {one_line(error)}") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise ModelError(f"{name}: {Path(command[0]).name} rejects it: {' '.join(lines[:1])[:200] or 'no message'}")
        try:
            return ctypes.CDLL(str(folder / "model.so"))
        except OSError as error:
            # The loader's message names a temporary folder that is removed.
            reason = str(error).replace(str(folder), "")
            raise ModelError(f"{name}: was compiled, but cannot be loaded: {reason[:200]}; set TMPDIR") from None
