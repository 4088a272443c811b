"""Reading up to a limit, and JSON that comes back as it was or is refused."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linreg import json_files
from linreg.errors import ModelError
from linreg.files import read_bytes, sha256
from linreg.json_files import read_json, write_json
from tests.file_processes import names, refused

# ---- reading ---------------------------------------------------------------------------------------------------------


def test_sha256():
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert sha256(bytes(1000)) == hashlib.sha256(bytes(1000)).hexdigest()


def test_reading_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"
    refused("file: has 5 bytes, expected at most 4", read_bytes, path, limit=4)
    refused("has [0-9]+ bytes, expected at most 10", read_bytes, Path("/proc/self/status"), limit=10)
    assert read_bytes(Path("/proc/self/status"), limit=10**6).startswith(b"Name:")


def test_reading_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"")
    refused("is a folder, expected a file", read_bytes, tmp_path, limit=9)
    for path in (tmp_path / "fifo", Path("/dev/null")):
        refused("is not a regular file; copy its contents", read_bytes, path, limit=9)
    refused("cannot be read: Too many levels", read_bytes, tmp_path / "loop", limit=9)
    refused("cannot be read: Not a directory", read_bytes, tmp_path / "file" / "below", limit=9)
    for name in ("none", "dangling", "none/below"):
        refused("no such file; check the name", read_bytes, tmp_path / name, limit=9)


# ---- JSON ------------------------------------------------------------------------------------------------------------


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), VALUES, max_size=4))
def test_json_comes_back(tmp_path, value):
    write_json(tmp_path / "file.json", value)
    again = read_json(tmp_path / "file.json")
    assert again == value
    assert repr(again) == repr(value)
    assert json.loads((tmp_path / "file.json").read_bytes()) == value


def test_json_is_for_people_too(tmp_path):
    write_json(tmp_path / "file.json", {"é": [0.1, None]})
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == '{\n "é": [\n  0.1,\n  null\n ]\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_json_that_has_no_nan_is_not_written(tmp_path, value):
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": [value]})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["file.json"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(b"", "is not valid JSON: Expecting value", id="empty"),
        pytest.param(b'{"a": 1', "is not valid JSON", id="cut"),
        pytest.param(b'{"a": 1} x', "is not valid JSON: Extra data", id="trailing"),
        pytest.param(b"{'a': 1}", "is not valid JSON", id="quotes"),
        pytest.param(b'{"a": NaN}', "is not valid JSON: NaN is not JSON", id="nan"),
        pytest.param(b'{"a": Infinity}', "Infinity is not JSON", id="inf"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not JSON", id="minus-inf"),
        pytest.param(b'{"a": 1e999}', "1e999 is beyond float64", id="beyond"),
        pytest.param(b'{"a": [-1.5e400]}', "-1.5e400 is beyond float64", id="beyond-inner"),
        pytest.param(b'{"a": 1, "b": 2, "a": 1}', "the key 'a' occurs twice", id="twice"),
        pytest.param(b'[{"b": {"a\\n": 1, "a\\u000a": 2}}]', r"the key 'a\\n' occurs twice", id="twice-inner"),
        pytest.param(b'{"a": "\xff"}', "is not valid JSON: .*0xff in position 7", id="not-utf-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "is not valid JSON", id="utf-16"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "is not valid JSON: Unexpected UTF-8 BOM", id="bom"),
        pytest.param(b"[" * 100_000, "is not valid JSON: maximum recursion", id="deep"),
        pytest.param(
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not valid JSON: maximum recursion", id="deep-objects"
        ),
        pytest.param(b'{"a": ' + b"1" * 5000 + b"}", "is not valid JSON: Exceeds the limit", id="digits"),
        pytest.param(b'{"a": "\x00"}', "is not valid JSON: Invalid control character", id="nul"),
        pytest.param(b"[1]", "holds a JSON list, expected an object", id="list"),
        pytest.param(b"null", "holds a JSON NoneType, expected an object", id="null"),
        pytest.param(b'"a"', "holds a JSON str, expected an object", id="text"),
        pytest.param(b"1.5", "holds a JSON float, expected an object", id="number"),
    ],
)
def test_json_that_is_refused(tmp_path, content, match):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    refused(f"^{path}: .*{match}", read_json, path, kind=ModelError)


def test_json_that_cannot_be_read(tmp_path, monkeypatch):
    refused("no such file", read_json, tmp_path / "none.json")
    monkeypatch.setattr(json_files, "MAX_JSON_BYTES", 8)
    (tmp_path / "file.json").write_bytes(b'{"a": 10}')
    refused("has 9 bytes, expected at most 8", read_json, tmp_path / "file.json")


def test_many_keys_with_one_twice(tmp_path):
    """Naming the key must not take the square of the keys: this would run for hours."""
    path = tmp_path / "file.json"
    keys = [f'"{place}": 0' for place in range(300_000)]
    path.write_text("{" + ", ".join([*keys, keys[-1]]) + "}")
    refused("the key '299999' occurs twice", read_json, path, kind=ModelError)
