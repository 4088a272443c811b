"""The worker is one file that an old Python without linreg can run."""

import ast
import sys

from bench.environments.channel import WORKER

STANDARD = set(sys.stdlib_module_names)
TEXT = WORKER.read_text()
TREE = ast.parse(TEXT, feature_version=(3, 8))


def imports() -> set[str]:
    names = set()
    for node in ast.walk(TREE):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level
            names.add(str(node.module).partition(".")[0])
    return names


def test_it_imports_the_standard_library_numpy_and_the_runtimes():
    assert imports() - STANDARD == {"numpy", "onnxruntime", "torch"}


def test_runtimes_are_imported_only_where_they_are_used():
    top = {alias.name for node in TREE.body if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in top} <= STANDARD


def test_it_uses_nothing_newer_than_python_3_8():
    """What a parser does not see: keywords and methods that came later, and types that cannot be subscripted yet."""
    assert "from __future__ import annotations" in TEXT
    for node in ast.walk(TREE):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            assert not node.keywords
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("removeprefix", "removesuffix", "bit_count", "pairwise")
    for node in TREE.body:
        if isinstance(node, ast.Assign):
            assert not [one for one in ast.walk(node.value) if isinstance(one, ast.BinOp)]
            subscripted = {one.value.id for one in ast.walk(node.value) if isinstance(one, ast.Subscript)}
            assert subscripted <= {"Callable", "Dict", "List", "Tuple"}


def test_it_defines_no_constant_of_timing():
    """Block length and warm-in come in the first message; only structure is here, and the oldest Python, 3.8."""
    numbers = {
        node.value for node in ast.walk(TREE) if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    }
    assert numbers <= {0, 1, 2, 3, 4, 8, 10, 300}
