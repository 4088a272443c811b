"""What an object store may do while a table is read from it."""

import json

import moto.settings
import pytest

from linreg.errors import DataError
from linreg.reading.stream import open_stream
from tests.conftest import contents
from tests.s3.server import BUCKET
from tests.table_files import parquet_bytes

pytestmark = pytest.mark.s3
TRAIN = ("--target", "y", "--features", "x,z")


@pytest.mark.parametrize("fault", ["cut", "slow down"])
@pytest.mark.parametrize("place", [0, 2])
def test_an_answer_that_fails_is_asked_for_again(store, numbers, linreg, tmp_path, fault, place):
    store.put({"retried.parquet": parquet_bytes(numbers)})
    for bundle, spoil in (("plain", []), ("spoilt", [None] * place + [fault])):
        store.spoil[:] = spoil
        assert linreg("train", f"s3://{BUCKET}/retried.parquet", *TRAIN, "-o", bundle).code == 0
    assert store.spoil == []
    assert contents(tmp_path / "plain") == contents(tmp_path / "spoilt")


@pytest.mark.parametrize(("name", "remedy"), [("t.csv", ""), ("t.parquet", "; try again, or write it again")])
def test_answers_that_always_fail_end_in_one_line(store, numbers, text, linreg, name, remedy):
    store.put({name: text if name.endswith(".csv") else parquet_bytes(numbers)})
    store.spoil[:] = [None] * 2 + ["cut"] * 100
    failure = linreg("train", f"s3://{BUCKET}/{name}", *TRAIN, "-o", "m").failure()
    assert failure.startswith(f"error: s3://{BUCKET}/{name}: ")
    assert "cannot be read: AWS Error NETWORK_CONNECTION during GetObject" in failure
    assert failure.endswith(remedy)


def test_a_store_that_is_not_there(store, linreg, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    failure = linreg("train", f"s3://{BUCKET}/t.csv", *TRAIN, "-o", "m").failure()
    assert failure.startswith(f"error: s3://{BUCKET}/t.csv: cannot be read: ")


def test_wrong_credentials_are_refused(store, text, linreg, monkeypatch):
    store.put({"guarded.csv": text})
    iam = store.client("iam")
    iam.create_user(UserName="reader")
    rule = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    words = ("train", f"s3://{BUCKET}/guarded.csv", *TRAIN, "-o", "m")
    failure = linreg(*words).failure()
    assert failure.startswith(f"error: s3://{BUCKET}/guarded.csv: cannot be read: ")
    assert "ACCESS_DENIED" in failure
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "ACCESS_DENIED" in linreg(*words).failure()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    assert linreg(*words).code == 0


@pytest.mark.parametrize("answered", [0, 3])
def test_a_part_that_is_replaced_while_it_is_read_is_refused(store, numbers, linreg, answered):
    whole, other = parquet_bytes(numbers), parquet_bytes(numbers[:2999])
    store.put({"parts/0.parquet": whole, "parts/1.parquet": whole})
    store.spoil[:] = [None] * answered + [lambda: store.put({"parts/0.parquet": other})]
    failure = linreg("train", f"s3://{BUCKET}/parts", *TRAIN, "-o", "m").failure()
    told = "has changed since it was first read; start again once it is complete"
    assert failure == f"error: s3://{BUCKET}/parts/0.parquet: {told}"


def test_a_part_of_the_same_size_and_second_is_another_one(store, text):
    """S3 tells times in seconds."""
    store.put({"same.csv": text})
    stream = open_stream(f"s3://{BUCKET}/same.csv", features=("x",), target="y")
    list(stream.blocks())
    store.put({"same.csv": text.replace(b"1", b"2")})
    with pytest.raises(DataError, match="has changed since it was first read"):
        list(stream.blocks())
