"""Find the file and name of `FILE.py:NAME` or `package.module:NAME`, or suggest what to type instead.

Nothing is run.
"""

import ast
import importlib
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from linreg.config import MAX_STATE_BYTES
from linreg.errors import ExportError, LinregError
from linreg.files import read_bytes

MODULE = "a module, or of a function that makes one"
"""What `--module` names, for error messages."""

SHOWN = 8
"""The number of names or files that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A name in a Python file, from `FILE.py:NAME`, or in an importable module, from `package.module:NAME`.

    Attributes:
        file: the file, which exists.
        name: the name, which the file may not define.
        module: the dotted name under which the file is imported; empty for `FILE.py:NAME`.
    """

    file: Path
    name: str
    module: str = ""

    @property
    def code(self) -> str:
        """The file, or the dotted name of the module, as it was typed."""
        return self.module or str(self.file)

    def beside(self, name: str) -> "Place":
        """Return the place of another name in the same file."""
        return replace(self, name=name)

    def __str__(self) -> str:
        """Return the place as it was typed."""
        return f"{self.code}:{self.name}"


def find_place(text: str, option: str, expected: str) -> Place:
    """Split `FILE.py:NAME` or `package.module:NAME` into file and name; the file is not run.

    Args:
        text: the text as typed.
        option: the command-line option, used in error messages.
        expected: what the name should refer to, used in error messages.

    Raises:
        ExportError: the file does not exist or is not Python, or the name is missing.
    """
    if Path(text).exists() or ":" not in text:
        text = f"{text}:"
    file, _, name = text.rpartition(":")
    path = Path(file)
    if name and (source := _file_of_module(file)) is not None:
        return Place(file=source, name=name, module=file)
    got = f"{option}: got {text.removesuffix(':')!r}"
    if file and path.is_dir():
        raise ExportError(f"{got}, a folder; expected FILE.py:NAME of {expected}{_one_of(_python_files(path))}")
    if not file or not path.is_file():
        raise ExportError(
            f"{got}, expected FILE.py:NAME of an existing file, or package.module:NAME{_near_file(path, name)}"
        )
    if path.suffix != ".py":
        hint = "; a state_dict goes to --state-dict" if path.suffix in (".pth", ".pt", ".bin", ".safetensors") else ""
        raise ExportError(f"{got}, which is not a Python file; expected FILE.py:NAME of {expected}{hint}")
    if not name:
        raise ExportError(f"{got} without a name; expected FILE.py:NAME of {expected}{_one_of(_names(path))}")
    return Place(file=path, name=name)


def near_names(place: Place, known: list[str]) -> str:
    """Suggest what to type instead of an unknown name; `known` lists the names that the file defined when it ran."""
    names, name = candidates(place.file), place.name
    near = get_close_matches(name, [*names, *known], n=1) or get_close_matches(
        name.lower(), [each.lower() for each in names], n=1
    )
    if near:
        meant = next((each for each in (*names, *known) if each.lower() == near[0].lower()), near[0])
        return f"; did you mean {place.code}:{meant}?"
    return _one_of([f"{place.code}:{each}" for each in names])


def candidates(file: Path) -> list[str]:
    """Return the top-level names of a Python file that may give a module, in order.

    These are classes with a base class, functions that need no arguments, and variables assigned from a call. The file
    is parsed but not run; if it cannot be parsed, the list is empty.
    """
    try:
        tree = ast.parse(read_bytes(file, limit=MAX_STATE_BYTES))
    except (LinregError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names: list[str] = []
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name, bases=[_, *_]):
                names.append(name)
            case ast.FunctionDef(name=name, args=given) if not _needs_arguments(given):
                names.append(name)
            case ast.Assign(targets=targets, value=ast.Call()):
                names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _file_of_module(name: str) -> Path | None:
    """Return the source of an importable module, with the current folder first, as `python -m` finds it.

    Packages around it are not imported, so none of their code runs.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts) or Path(name).is_file():
        return None
    importlib.invalidate_caches()
    path: list[str] | None = [str(Path.cwd()), *sys.path]
    for count in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:count]), path)
        if spec is None:
            return None
        path = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
        if path is None and count < len(parts):
            return None
    assert spec is not None
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None


def _spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    finders: list[Any] = [PathFinder, *sys.meta_path]  # an editable installation has a finder of its own
    for finder in finders:
        with suppress(ImportError, ValueError, AttributeError):
            spec: ModuleSpec | None = finder.find_spec(name, path)
            if spec is not None:
                return spec
    return None


def _needs_arguments(given: ast.arguments) -> bool:
    positional = [*given.posonlyargs, *given.args]
    return len(positional) > len(given.defaults) or None in given.kw_defaults


def _names(file: Path) -> list[str]:
    return [f"{file}:{name}" for name in candidates(file)]


def _python_files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*.py"))


def _one_of(words: list[str]) -> str:
    if not words:
        return ""
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f", such as {', '.join(words[:SHOWN])}{more}"


def _near_file(path: Path, name: str) -> str:
    """Suggest the file that was probably meant: with .py appended, dots read as folders, or a similar name."""
    if not path.name:
        return ""
    end = f":{name}" if name else ""
    for meant in (path.with_name(f"{path.name}.py"), Path(f"{str(path).replace('.', '/')}.py")):
        if meant.is_file():
            return f"; did you mean {meant}{end}?"
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    near = get_close_matches(path.name, [other.name for other in path.parent.glob("*.py")], n=1)
    return f"; did you mean {path.parent / near[0]}{end}?" if near else ""
