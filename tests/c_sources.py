"""Models as C source, and names that must not break it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch

from export.source.inputs import Input
from export.source.module_source import from_module

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
HOSTILE = [
    "*/ int pwned; /*",
    'a"; int pwned; "',
    "??/",
    '??/" ??)',
    "line\nbreak */\nint pwned;",
    "back\\slash",
    "ends with \\",
    "größe €\U0001f600",
    "\x00\x1f\x7f",
    "\u202egnp.\u2028",
    "1234567",
    "\x017",
    "%s%n",
    "",
    "// */",
    "\n/* End of the header. */\n",
    "#define x",
    "\ud800",
]
NAMES = """
#include <stdio.h>
#include "model.h"
int main(void)
{
    static const char *const names[] = LINREG_FEATURE_NAMES;
    static const size_t bytes[] = {BYTES};
    for (size_t place = 0; place < LINREG_FEATURES; ++place) fwrite(names[place], 1, bytes[place], stdout);
    return sizeof names / sizeof names[0] == LINREG_FEATURES ? 0 : 1;
}
"""


def source_of(features=3, outputs=1, *, bias=True, dtype=torch.float32, metadata=None, **options):
    torch.manual_seed(features)
    module = torch.nn.Linear(features, outputs, bias=bias, dtype=dtype)
    rows = Input(name="input", dtype=np.dtype(str(dtype).removeprefix("torch.")), shape=("batch", features))
    return from_module(module, [rows], metadata=metadata, **options)


def named(names):
    """Source whose columns have these names."""
    return source_of(len(names), metadata={"features": list(names), "target": names[0], "units": {names[0]: names[-1]}})


def gcc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which("gcc"), "gcc is missing; install it: apt-get install gcc libc6-dev"
    return subprocess.run(["gcc", *STRICT, *words], cwd=folder, capture_output=True, text=True, check=False)


def answers(runner, rows):
    (output,) = runner.bind((rows,)).outputs()
    return output


def with_weight(value):
    source = source_of()
    source.module.weight.data[0, 1] = float(value)
    return source
