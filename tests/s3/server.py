"""The S3 of moto on loopback; it records what is asked, and its answers can be spoilt."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote
from urllib.request import urlopen

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "bucket"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
Environ = dict[str, Any]


class Request(NamedTuple):
    """What a client has asked: the method, the key or an empty string, the query, and the range of bytes."""

    method: str
    key: str
    query: str
    range: str


class Quiet(WSGIRequestHandler):
    """Writes nothing to stderr."""

    def log(self, *_line: Any) -> None:
        """Leave the line out."""


class Store:
    """A server with one bucket.

    Attributes:
        port: its port on loopback.
        requests: what was asked, in order.
        spoil: what happens to the next answers to a GET of an object, in order: "cut" ends the connection in the middle
            of the body, "slow down" is the status 503, and a function is called before the client has the body.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.spoil: list[str | Callable[[], None]] = []
        self._answer = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.reset()

    def reset(self) -> None:
        """Forget every object and every request."""
        with urlopen(f"http://127.0.0.1:{self.port}/moto-api/reset", data=b""):
            pass
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.requests.clear()
        self.spoil.clear()

    def client(self, service: str) -> Any:
        """A client of boto3."""
        keys = {"aws_access_key_id": "anyone", "aws_secret_access_key": "anything", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=f"http://127.0.0.1:{self.port}", **keys)

    def put(self, objects: dict[str, bytes]) -> None:
        """Store objects by their keys."""
        client = self.client("s3")
        for key, contents in objects.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=contents)

    def asked(self, method: str, key: str) -> list[Request]:
        """The requests of one method for one key."""
        return [request for request in self.requests if (request.method, request.key) == (method, key)]

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        key = unquote(environ["RAW_URI"].partition("?")[0]).lstrip("/").partition("/")[2]
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        self.requests.append(Request(method, key, query, environ.get("HTTP_RANGE", "")))
        fault = self.spoil.pop(0) if method == "GET" and key and self.spoil else None
        if fault == "slow down":
            start_response("503 Slow Down", [("Content-Length", str(len(SLOW_DOWN)))])
            return [SLOW_DOWN]
        body = b"".join(self._answer(environ, start_response))
        if callable(fault):
            fault()
        return [body[: len(body) // 2] if fault == "cut" else body]


@contextmanager
def running() -> Iterator[Store]:
    """Run a server."""
    store = Store()
    try:
        yield store
    finally:
        store.stop()
