"""Find the programs of deploy/ that can run a bundle here, and say why the others cannot."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from export.bundle.integrity import check_bundle
from export.formats.c_text import header_of
from export.formats.names import format_of
from export.runners.c import compiler, flags
from export.runners.trust import Trust, trusted_bytes
from linreg.config import MAX_JSON_BYTES, MAX_STATE_BYTES
from linreg.errors import LinregError, UntrustedError, one_line
from linreg.files import write_atomic
from linreg.inside import file_inside, read_inside
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, checksums, read_entry, read_listed, read_manifest

BUILT = ("c", "rust", "go", "csharp", "java", "libtorch")
"""Programs that `make deploy-build` builds."""

PROGRAMS = {"libtorch": "model.torchscript", "standalone-c": "model.c", "standalone-js": "model.mjs"}
"""Runtimes that run a program from the bundle, and its file name."""

JAVASCRIPT = {"node": "node", "wasm": "web", "standalone-js": "standalone-js"}
"""Runtimes in Node.js, and their folders."""

STANDALONE = "linreg-standalone-c"

TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A program that runs a bundle, as `COMMAND verify BUNDLE` or `COMMAND bench BUNDLE BATCH BLOCKS`."""

    name: str
    command: tuple[str, ...]


def find_runtimes(
    deploy: Path, bundle: Path, work: Path, *, trust: bool = False
) -> tuple[list[Runtime], dict[str, str]]:
    """Return the runtimes that can run here, and for each of the others, by name, the reason why it cannot.

    Args:
        deploy: the folder of the programs.
        bundle: the copy that `copy_checked` made of the bundle to time; the standalone C program is compiled for it.
        work: a folder for the compiled standalone C program.
        trust: run the bundle's programs, model.torchscript, model.c and model.mjs, even if this user did not export
            them.

    Raises:
        MismatchError: a file of the bundle differs from its manifest.
    """
    found: list[Runtime] = []
    missing: dict[str, str] = {}
    for name in BUILT:
        program = deploy / "build" / name / f"linreg-{name}"
        if program.is_file():
            found.append(Runtime(name=name, command=(str(program),)))
        else:
            missing[name] = f"{program} is not built; run: make deploy-build"
    for name, folder in JAVASCRIPT.items():
        script = deploy / folder / "cli.mjs"
        if shutil.which("node") is None:
            missing[name] = "node is not installed; run: apt-get install nodejs"
        elif name not in PROGRAMS and not (script.parent / "node_modules").is_dir():
            missing[name] = f"{script.parent} has no node_modules; run: npm ci --ignore-scripts in it"
        else:
            found.append(Runtime(name=name, command=("node", str(script))))
    for name, file in PROGRAMS.items():
        if why := _untrusted(bundle, file, trust=trust):
            missing[name] = why
    if "standalone-c" not in missing and (why := _compile_standalone(deploy, bundle, work)):
        missing["standalone-c"] = why
    found.append(Runtime(name="standalone-c", command=(str(work / STANDALONE),)))
    return [runtime for runtime in found if runtime.name not in missing], missing


def copy_checked(bundle: Path, work: Path) -> Path:
    """Copy a bundle and check every file against the manifest, so that programs run only bytes that were checked.

    Args:
        bundle: a bundle with a manifest.
        work: a folder of this process; the copy keeps the bundle's name.

    Raises:
        LinregError: there is no manifest.
        MismatchError: a file of the bundle differs from its manifest.
        ModelError: a file or folder of the bundle is a link.
    """
    manifest = read_manifest(bundle)
    if manifest is None:
        raise LinregError(f"{bundle}: has no manifest.json to check its files with; run: linreg export -m {bundle}")
    check_bundle(bundle, manifest)
    copy = work / (bundle.resolve().name or "bundle")
    for entry in manifest.files:
        write_atomic(copy / entry.name, read_entry(bundle, entry))
    write_atomic(copy / CHECKSUM_FILE, checksums(manifest.files))
    write_atomic(copy / MANIFEST_FILE, read_inside(bundle, MANIFEST_FILE, limit=MAX_JSON_BYTES))
    return copy


def _untrusted(bundle: Path, file: str, *, trust: bool) -> str:
    """Return why a program of the bundle may not run: it is missing, or not trusted. Empty if it may."""
    kind = format_of(file)
    assert kind is not None
    if not file_inside(bundle, file):
        return f"{file} is not in the bundle; run: linreg export --format {kind[0]}"
    data = read_listed(bundle, file, limit=MAX_STATE_BYTES)
    try:
        trusted_bytes(kind[0], file, data, Trust.from_option(trust))
    except UntrustedError as error:
        return str(error)
    return ""


def _compile_standalone(deploy: Path, bundle: Path, work: Path) -> str:
    """Compile the standalone C program with the bundle's model.c; return why that failed, or an empty string.

    Only the checked bytes of model.c, and the text of model.h that they begin with, are compiled. Both are written to a
    separate folder.
    """
    folder = work / "standalone-c"
    data = read_listed(bundle, "model.c", limit=MAX_STATE_BYTES)
    write_atomic(folder / "model.c", data)
    write_atomic(folder / "model.h", _with_default_prefix(header_of(data)))
    sources = [deploy / "standalone-c" / "main.c", folder / "model.c"]
    includes = [f"-I{deploy / 'vectors'}", "-iquote", str(folder)]
    fma = [flag for flag in flags() if flag == "-mfma"]
    system = ["-D_POSIX_C_SOURCE=200809L", "-D_FILE_OFFSET_BITS=64"]
    try:
        command = [*compiler(), "-std=c11", "-O2", *fma, *system, *includes, *map(str, sources)]
        done = run_program([*command, "-o", str(work / STANDALONE), "-lm"])
    except LinregError as error:
        return str(error)
    lines = [line for line in done.stderr.splitlines() if "error" in line] or ["the compiler printed nothing"]
    return "" if done.returncode == 0 else f"it does not compile: {lines[0][:200]}"


def _with_default_prefix(header: bytes) -> bytes:
    """Return the text of a header, followed by macros that give everything the prefix `linreg`."""
    text = header.decode()
    found = re.search(r"^void (\w+)_predict\(", text, re.MULTILINE)
    if found is None or found[1] == "linreg":
        return header
    upper = found[1].upper()
    words = re.findall(rf"^#define {upper}_(\w+) ", text, re.MULTILINE)
    macros = [f"#define LINREG_{word} {upper}_{word}" for word in words]
    return "\n".join([text, *macros, f"#define linreg_predict {found[1]}_predict", ""]).encode()


def run_program(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to completion and return its output.

    Raises:
        LinregError: the command cannot be started, or takes longer than five minutes.
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinregError(f"{command[0]}: {one_line(error)}") from error
