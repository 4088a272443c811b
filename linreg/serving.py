"""Serve the page of deploy/web with one bundle, to browsers on this machine only.

Every request path is looked up, never joined to a folder: it is one of the page's files, or a file that the manifest of
the bundle lists. Links in the bundle are not followed.
"""

import os
import sys
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from socketserver import TCPServer
from typing import Any
from urllib.parse import quote, unquote

import linreg
from linreg.errors import LinregError, ModelError
from linreg.inside import read_inside
from linreg.manifest import CHECKSUM_FILE, MANIFEST_FILE, read_manifest

HOST = "127.0.0.1"
ONNX_FILE = "model.onnx"
JAVASCRIPT_FILE = "model.mjs"
MAX_BYTES = 256 * 2**20
"""The page reads no larger file (deploy/web/sources.mjs)."""

POLICY = (
    "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src blob:; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
"""Content types by suffix. Any other file is bytes that a browser neither shows nor runs."""

RUNTIME = "web/node_modules/onnxruntime-web/dist"
HTTP_PORT = 80
"""The port that browsers leave out of the Host header."""

RUNTIME_FILES = ("ort-wasm-simd-threaded.wasm", "ort.wasm.bundle.min.mjs")
COMMAND_LINE_FILES = {"bench.mjs", "cli.mjs"}


class PageServer(ThreadingHTTPServer):
    """A server of the page and one bundle, bound to 127.0.0.1.

    Attributes:
        bundle: folder of the bundle.
        pages: files of the page by request path.
        bundle_path: request path of the bundle, with a slash at both ends.
    """

    daemon_threads = True
    block_on_close = False  # a browser keeps connections open

    def __init__(self, bundle: Path, port: int, pages: Mapping[str, Path]) -> None:
        self.bundle = bundle
        self.pages = pages
        self.bundle_path = f"/bundle/{_name_of(bundle)}/"
        super().__init__((HOST, port), _Handler)

    @property
    def address(self) -> str:
        """The address of the page with the bundle."""
        return f"http://{HOST}:{self.server_port}{self.page_path}"

    @property
    def page_path(self) -> str:
        """The request path of the page with the bundle."""
        return f"/web/?bundle=..{quote(quote(self.bundle_path))}"  # decoded once for the query, once for the path

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that closed its connection; the default prints a traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def content(self, path: str) -> bytes | None:
        """Return the bytes of a request path, decoded and without its query; None if there is no such file.

        Raises:
            LinregError: the file of the bundle is a link, is too large, or cannot be read.
        """
        if path in self.pages:
            return self.pages[path].read_bytes()
        name = path.removeprefix(self.bundle_path)
        if name == path:
            return None
        manifest = read_manifest(self.bundle)  # again each time: the bundle may have been exported since
        listed = {MANIFEST_FILE, CHECKSUM_FILE, *(entry.name for entry in manifest.files)} if manifest else set()
        return read_inside(self.bundle, name, limit=MAX_BYTES) if name in listed else None


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version, sys_version = f"linreg/{linreg.__version__}", ""

    def do_GET(self) -> None:
        raw = self.path.partition("?")[0]
        port = self.server.server_port
        ends = (f":{port}", "") if port == HTTP_PORT else (f":{port}",)
        hosts = {name + end for name in (HOST, "localhost") for end in ends}
        sent = {host.lower() for host in self.headers.get_all("Host", [])}
        if not sent or sent - hosts:
            # A page of another site whose name was pointed at this machine sends its own.
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"expected the host {HOST}")
        if raw == "/":
            return self._redirect(self.server.page_path)
        try:
            path = unquote(raw, errors="strict")
            data = self.server.content(path)
        except (LinregError, UnicodeDecodeError):
            data = None
        if data is None:
            return self.send_error(HTTPStatus.NOT_FOUND, "there is no such file")
        name = PurePosixPath("index.html" if path == "/web/" else path)
        return self._answer(HTTPStatus.OK, TYPES.get(name.suffix, "application/octet-stream"), data)

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with one line, and close the connection: what follows on it may be the rest of a bad request."""
        del explain  # only for the page of HTML that the default sends
        self.close_connection = True
        text = f"{int(code)} {message or HTTPStatus(code).phrase}\n"
        self._answer(HTTPStatus(code), "text/plain; charset=utf-8", text.encode("ascii", "backslashreplace"))

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def _redirect(self, place: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def page_server(bundle: Path, port: int = 0) -> Iterator[PageServer]:
    """Open a server of the page and a bundle; `serve_forever` runs it.

    Args:
        bundle: a bundle with model.mjs or model.onnx.
        port: port on 127.0.0.1; 0 chooses a free one.

    Raises:
        ModelError: the folder is not a bundle, or has neither model.
        LinregError: the port cannot be used, or this installation lacks the page, or the ONNX Runtime that a bundle
            without model.mjs needs.
    """
    manifest = read_manifest(bundle)
    if manifest is None:
        raise ModelError(f"{bundle}: is not a bundle, since it has no {MANIFEST_FILE}; name a folder of linreg export")
    if manifest.entry(JAVASCRIPT_FILE) is None and manifest.entry(ONNX_FILE) is None:
        raise ModelError(
            f"{bundle}: has no {JAVASCRIPT_FILE} and no {ONNX_FILE}, one of which the page runs; "
            "export one, without --dtype: linreg export --format js"
        )
    pages = page_files(page_folder())
    if manifest.entry(JAVASCRIPT_FILE) is None:
        check_runtime(pages)
    try:
        server = PageServer(bundle, port, pages)
    except OSError as error:
        raise LinregError(f"port {port}: {error.strerror}; choose another with --port, or leave --port out") from None
    with server:
        yield server


def page_folder() -> Path:
    """Return the folder with the page: inside the package in a wheel, deploy/ in a clone."""
    package = Path(linreg.__file__).parent
    inside = package / "page"
    return inside if inside.is_dir() else package.parent / "deploy"


def page_files(folder: Path) -> dict[str, Path]:
    """Return the files of the page by request path, with those of ONNX Runtime if they are installed.

    Raises:
        LinregError: the page is missing.
    """
    if not (folder / "web" / "index.html").is_file():
        raise LinregError(f"{folder}: has no page; install linreg from a wheel, or run it in a clone")
    runtime = [path for name in RUNTIME_FILES if (path := folder / RUNTIME / name).is_file()]
    found = [path for part in ("web", "js") for path in (folder / part).iterdir() if path.suffix in TYPES]
    chosen = [path for path in found if path.suffix != ".json" and path.name not in COMMAND_LINE_FILES]
    files = {f"/{path.relative_to(folder).as_posix()}": path for path in (*chosen, *runtime)}
    return {**files, "/web/": folder / "web" / "index.html"}


def check_runtime(pages: Container[str]) -> None:
    """Check that the files of the page include ONNX Runtime.

    Raises:
        LinregError: they do not.
    """
    if not all(f"/{RUNTIME}/{name}" in pages for name in RUNTIME_FILES):
        raise LinregError(
            "the page lacks ONNX Runtime Web, which model.onnx needs; use model.mjs: linreg export --format js; "
            "or run npm ci --ignore-scripts in deploy/web of a clone, and, for a wheel, build it after that"
        )


def _name_of(bundle: Path) -> str:
    """Return the name of a folder; bytes that are not UTF-8 become question marks."""
    return os.fsencode(bundle.resolve().name).decode(errors="replace").replace("\ufffd", "?") or "bundle"
