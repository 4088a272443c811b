"""Train, evaluate and predict from an object store: the same bytes as from local files."""

import gzip
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import ROOT, contents
from tests.s3.server import BUCKET
from tests.table_files import parquet_bytes

pytestmark = pytest.mark.s3
TRAIN = ("--target", "y", "--features", "x,z")


def command(folder, *words):
    """Run linreg in a process of its own."""
    line = [sys.executable, str(ROOT / "_linreg.py"), "linreg", *map(str, words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def parts_of(numbers):
    return {
        "part-0.parquet": parquet_bytes(numbers[:1000], row_group_size=300),
        "part-1.parquet": parquet_bytes(numbers[1000:1001]),
        "part-2.parquet": parquet_bytes(numbers[1001:]),
    }


def test_commands_give_the_same_from_s3_as_from_a_file(store, text, tmp_path):
    (tmp_path / "table.csv").write_bytes(text)
    store.put({"table.csv": text})
    answers = []
    for place in ("table.csv", f"s3://{BUCKET}/table.csv"):
        folder = tmp_path / place[:2]
        trained = command(tmp_path, "train", place, *TRAIN, "-o", folder / "model")
        judged = command(tmp_path, "evaluate", place, "-m", folder / "model")
        predicted = command(
            tmp_path, "predict", place, "-m", folder / "model", "--columns", "id", "-o", folder / "p.csv"
        )
        for done in (trained, judged, predicted):
            assert done.returncode == 0, done.stderr
        answers.append((contents(folder), judged.stdout))
    assert answers[0] == answers[1]
    assert {"p.csv", "model/model.pth", "model/card.json"} <= set(answers[0][0])
    assert store.asked("GET", "table.csv")


def test_a_refusal_is_one_line(store, tmp_path):
    done = command(tmp_path, "train", f"s3://{BUCKET}/none.csv", *TRAIN)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: s3://{BUCKET}/none.csv: no such file; check the name and the folder\n"


@pytest.mark.parametrize("form", ["table.csv.gz", "parts", "parts/part-*", "**/part-[0-2].parquet"])
def test_every_form_of_a_table_gives_the_bundle_of_local_files(store, numbers, text, linreg, tmp_path, form):
    objects = {"table.csv.gz": gzip.compress(text, mtime=0), "parts/_SUCCESS": b""}
    objects |= {f"parts/{name}": data for name, data in parts_of(numbers).items()}
    store.put({f"forms/{key}": data for key, data in objects.items()})
    for key, data in objects.items():
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(data)
    for place, bundle in ((form, "local"), (f"s3://{BUCKET}/forms/{form}", "remote")):
        assert linreg("train", place, *TRAIN, "-o", bundle).code == 0
        assert linreg("predict", place, "-m", bundle, "-o", f"{bundle}/p.parquet").code == 0
    assert contents(tmp_path / "local") == contents(tmp_path / "remote")


def test_the_address_of_a_store_may_stand_in_the_uri(store, numbers, linreg, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_REGION")
    store.put({f"parts #1/{name}": data for name, data in parts_of(numbers).items()})
    options = f"?endpoint_override=127.0.0.1:{store.port}&scheme=http&region=us-east-1"
    for bundle, place in (("folder", "parts #1"), ("pattern", "parts #?/*.parquet")):
        assert linreg("train", f"s3://{BUCKET}/{place}{options}", *TRAIN, "-o", bundle).code == 0
    assert contents(tmp_path / "folder") == contents(tmp_path / "pattern")


def test_a_folder_of_more_than_a_thousand_keys_is_listed_whole(store, numbers, linreg, tmp_path):
    parts = parts_of(numbers)
    names = dict(zip(parts, ("0.parquet", "5.parquet", "z.parquet"), strict=True))
    store.put({f"many/{names[part]}": data for part, data in parts.items()})
    store.put({f"many/_{place:04}": b"" for place in range(1000)})
    (tmp_path / "many").mkdir()
    for part, data in parts.items():
        (tmp_path / "many" / names[part]).write_bytes(data)
    assert linreg("train", "many", *TRAIN, "-o", "local").code == 0
    for place in ("many", "man*/*.parquet"):
        store.requests.clear()
        assert linreg("train", f"s3://{BUCKET}/{place}", *TRAIN, "-o", "remote", "--force").code == 0
        assert contents(tmp_path / "local") == contents(tmp_path / "remote")
        assert any("continuation-token" in request.query for request in store.requests)


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("a b.csv", "a b.csv"),
        ("a b.csv", "a%20b.csv"),
        ("100%.csv", "100%.csv"),
        ("100%.csv", "100%25.csv"),
        ("é/日本.csv", "é/日本.csv"),
        ("é/日本.csv", "é/*.csv"),
        ("a#b.csv", "a#b.csv"),
        ("a+b&c=d.csv", "a+b&c=d.csv"),
        ("what?.csv", "what%3F.csv"),
        ("[1].csv", "%5B1%5D.csv"),
        ("[1]é*.csv", "%5B1%5D%C3%A9*.c[s-v]v"),
        ("{1}|<2>.csv", "{1}|<2>.csv"),
    ],
)
def test_keys_of_any_characters(store, linreg, key, given):
    store.put({f"odd/{key}": b"x,y\n1,2\n2,4\n4,7\n", "odd/a": b"x,y\n1,1\n2,2\n3,3\n"})
    assert linreg("train", f"s3://{BUCKET}/odd/{given}", "--target", "y", "-o", "odd").code == 0
    assert store.asked("GET", f"odd/{key}")
    assert not store.asked("GET", "odd/a")


def test_the_name_of_a_part_in_a_message_can_be_given_again(store, linreg):
    store.put({"named/a%20b?#*.csv": b"x,y\nword,2\n"})
    for place in ("named", "named/a%2520b%3F%23%2A.csv"):
        ended = linreg("train", f"s3://{BUCKET}/{place}", "--target", "y", "--features", "x", "-o", "m")
        assert ended.failure().startswith(
            f"error: s3://{BUCKET}/named/a%2520b%3F%23%2A.csv: column 'x': row 1 is 'word'"
        )


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (f"s3://{BUCKET}/none/*.csv", "no such file; check the name and the folder"),
        (f"s3://{BUCKET}/broken/n*.csv", "no file matches this pattern; check the name and the folder"),
        ("s3://nobody/table.csv", "no such file; check the name and the folder"),
        (f"s3://{BUCKET}/broken/empty.csv", "is empty, expected a CSV or Parquet table; write or fetch it again"),
        (f"s3://{BUCKET}/broken", "has the folder 'in' in it, expected files; name them with a pattern: "),
    ],
)
def test_what_is_no_table_is_named(store, linreg, place, told):
    store.put({"broken/empty.csv": b"", "broken/in/a.csv": b"x,y\n"})
    assert linreg("train", place, "--target", "y", "-o", "m").failure().startswith(f"error: {place}: {told}")


def test_of_parquet_only_the_used_columns_are_read(store, numbers, linreg):
    payload = np.random.default_rng(1).bytes(1000 * 3000)
    wide = numbers.append_column("payload", pa.array([payload[at : at + 1000] for at in range(0, len(payload), 1000)]))
    data = parquet_bytes(wide, row_group_size=1000)
    store.put({"wide.parquet": data})
    assert linreg("train", f"s3://{BUCKET}/wide.parquet", *TRAIN, "-o", "m").code == 0
    read = 0
    for request in store.asked("GET", "wide.parquet"):
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range).groups()
        read += int(last) + 1 - int(first)
    assert len(data) > 3_000_000
    assert read < 600_000
