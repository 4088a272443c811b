"""Tables in an object store: pyarrow's own S3 client, against a server on loopback that speaks the part it needs."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pytest

import linreg as package
from linreg.errors import DataError
from tests.table_files import parquet_bytes

FORM = "http://s3.amazonaws.com/doc/2006-03-01/"


class Store(BaseHTTPRequestHandler):
    """GET, HEAD and ListObjectsV2 of objects by path."""

    objects: ClassVar[dict[str, bytes]] = {}
    requests: ClassVar[list[str]] = []
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *args):
        self.requests.append(form % args)

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        query = parse_qs(address.query)
        if "list-type" in query:
            self.reply(200, self.listed(query.get("prefix", [""])[0], bucket), "application/xml")
        elif not key:
            self.reply(200, b"", "application/xml")
        elif (data := self.objects.get(key)) is None:
            self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")
        elif found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2]), len(data) - 1)
            self.reply(206, data[first : last + 1], "binary/octet-stream", f"bytes {first}-{last}/{len(data)}")
        else:
            self.reply(200, data, "binary/octet-stream")

    def listed(self, prefix, bucket):
        keys = [key for key in sorted(self.objects) if key.startswith(prefix)]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="{FORM}"><Name>{bucket}</Name><Prefix>{escape(prefix)}'
            f"</Prefix><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        ).encode()

    def reply(self, status, data, kind, part=""):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


X = np.arange(2000.0)
Y = X * 3 % 97


@pytest.fixture
def store():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    table = pa.table({"x": X, "y": Y})
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(X, Y, strict=True))
    Store.objects = {
        "tables/whole.csv": text.encode(),
        "tables/parts/part-0.parquet": parquet_bytes(table[:1200], row_group_size=500),
        "tables/parts/part-1.parquet": parquet_bytes(table[1200:]),
        "tables/parts/_SUCCESS": b"",
    }
    Store.requests = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"?endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("key", ["whole.csv", "parts", "parts/part-*.parquet"])
def test_a_table_in_an_object_store_gives_the_model_of_its_numbers(store, monkeypatch, key):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    model = package.fit(f"s3://bucket/tables/{key}{store}", target="y", dtype="float64")
    expected = package.fit({"x": X, "y": Y}, target="y", dtype="float64")
    assert model.card.state_sha256 == expected.card.state_sha256
    assert any("GET /bucket/tables/" in line for line in Store.requests)


def test_an_object_that_is_not_there_is_named(store, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DataError, match=r"s3://bucket/tables/none\.csv.*: no such file; check the name and the folder"):
        package.fit(f"s3://bucket/tables/none.csv{store}", target="y")
