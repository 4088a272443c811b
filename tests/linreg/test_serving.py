"""The server of the page gives out the page and the files of one bundle, to this machine, and nothing else."""

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from linreg import serving
from linreg.errors import LinregError, ModelError
from linreg.serving import PageServer, page_server

ROOT = Path(__file__).parents[2]
PENGUINS = ROOT / "artifacts" / "reference" / "penguins"
SECRET = b"a secret beside the bundle"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of the repository, with a stand-in for what npm installs."""
    folder = tmp_path / "page"
    for part in ("web", "js"):
        shutil.copytree(ROOT / "deploy" / part, folder / part, ignore=lambda *_: ["node_modules"])
    (folder / serving.RUNTIME).mkdir(parents=True)
    for name in serving.RUNTIME_FILES:
        (folder / serving.RUNTIME / name).write_bytes(b"\0asm")
    monkeypatch.setattr(serving, "page_folder", lambda: folder)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with files beside it, and in it, that are nobody's business."""
    folder = tmp_path / "bundles" / "penguins"
    shutil.copytree(PENGUINS, folder)
    for place in (folder.parent / "secret.txt", folder / "secret.txt", folder / ".env"):
        place.write_bytes(SECRET)
    return folder


@pytest.fixture
def server(page: Path, bundle: Path) -> Iterator[PageServer]:
    with page_server(bundle) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    """Send a path as it is, without what a client would tidy."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def raw(server: PageServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


KINDS = {
    "/web/": "text/html; charset=utf-8",
    "/web/index.html": "text/html; charset=utf-8",
    "/web/style.css": "text/css; charset=utf-8",
    "/web/app.mjs": "text/javascript; charset=utf-8",
    "/js/wire.mjs": "text/javascript; charset=utf-8",
    f"/{serving.RUNTIME}/ort-wasm-simd-threaded.wasm": "application/wasm",
    f"/{serving.RUNTIME}/ort.wasm.bundle.min.mjs": "text/javascript; charset=utf-8",
    "/bundle/penguins/manifest.json": "application/json",
    "/bundle/penguins/card.json": "application/json",
    "/bundle/penguins/SHA256SUMS": "application/octet-stream",
    "/bundle/penguins/model.onnx": "application/octet-stream",
    "/bundle/penguins/model.c": "application/octet-stream",
    "/bundle/penguins/test_data_set_0/input_0.pb": "application/octet-stream",
}


@pytest.mark.parametrize("path", KINDS)
def test_a_file_has_its_bytes_its_type_and_a_strict_policy(server, page, bundle, path):
    answer, body = get(server, path)
    source = bundle / path.removeprefix("/bundle/penguins/") if "bundle/" in path else page / path.strip("/")
    assert answer.status == 200 and body == (source / "index.html" if path == "/web/" else source).read_bytes()
    assert answer.headers["Content-Type"] == KINDS[path] and answer.headers["X-Content-Type-Options"] == "nosniff"
    for name, value in serving.HEADERS.items():
        assert answer.headers.get_all(name) == [value]
    head, nothing = get(server, path, "HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", str(len(body)))


def test_the_policy_allows_no_more_than_the_page_itself_does(server):
    own = re.search(r'content="(default-src[^"]*)"', (ROOT / "deploy/web/index.html").read_text())[1]
    assert f"{own}; frame-ancestors 'none'" == serving.POLICY
    assert "unsafe-inline" not in own and "'unsafe-eval'" not in own and "http" not in own and "*" not in own


def test_every_file_that_the_page_imports_is_served_and_none_of_the_command_line(server, page):
    waiting, seen = ["/web/app.mjs"], set()
    while waiting:
        path = waiting.pop()
        answer, body = get(server, path)
        assert answer.status == 200, path
        seen.add(path)
        places = re.findall(r"from '(\.[^']+)'|ownText\('([^']+)'\)", body.decode())
        found = {os.path.normpath(f"{path}/../{''.join(place)}") for place in places}
        waiting += found - seen - {*waiting}
    assert len(seen) > 15 and {path for path in server.pages if path.endswith(".mjs") and "/node" not in path} == seen


LEAVING = [
    "/bundle/penguins/../secret.txt",
    "/bundle/penguins/..%2fsecret.txt",
    "/bundle/penguins/%2e%2e/secret.txt",
    "/bundle/penguins/%2e%2e%2fsecret.txt",
    "/bundle/penguins/%252e%252e%252fsecret.txt",
    "/bundle/penguins/..\\secret.txt",
    "/bundle/penguins/%5c..%5csecret.txt",
    "/bundle/penguins/test_data_set_0/../../secret.txt",
    "/bundle/penguins/test_data_set_0/..",
    "/bundle/penguins/..",
    "/bundle/penguins/.",
    "/bundle/penguins/",
    "/bundle/penguins",
    "/bundle/penguins/./model.onnx",
    "/bundle/penguins//model.onnx",
    "/bundle/penguins//etc/passwd",
    "/bundle/penguins/%2fetc%2fpasswd",
    "/bundle/penguins/secret.txt",
    "/bundle/penguins/.env",
    "/bundle/penguins/report.html",
    "/bundle/penguins/model.onnx%00",
    "/bundle/penguins/model.onnx%00.png",
    "/bundle/penguins/model.onnx/",
    "/bundle/penguins/MODEL.ONNX",
    "/bundle/other/model.onnx",
    "/bundle/../secret.txt",
    "/bundle/%ff%fe/model.onnx",
    "/web/../../bundles/secret.txt",
    "/web/..%2f..%2fbundles%2fsecret.txt",
    "/web/cli.mjs",
    "/web/package.json",
    "/web/README.md",
    "/web/node_modules/",
    "/js/",
    "/js/README.md",
    "//etc/passwd",
    "/etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..",
    "/.",
    "/bundle/penguins/con",
    "*",
]


@pytest.mark.parametrize("path", LEAVING)
def test_no_path_leaves_the_folders(server, path):
    answer, body = get(server, path)
    assert (answer.status, body) == (404, b"404 there is no such file\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == serving.POLICY


def test_an_absolute_address_is_no_path(server, bundle):
    host = f"127.0.0.1:{server.server_port}"
    for target in (f"file://{bundle.parent}/secret.txt", f"http://{host}{bundle.parent}/secret.txt", bundle.parent):
        assert raw(server, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "bundle file"])
def test_links_and_odd_files_are_not_read(server, bundle, kind):
    path = "test_data_set_0/input_0.pb" if kind == "folder" else "model.onnx"
    if kind == "folder":
        outside = bundle.parent / "outside"
        (bundle / "test_data_set_0").rename(outside)
        (bundle / "test_data_set_0").symlink_to(outside)
    else:
        (bundle / "model.onnx").unlink()
    if kind == "file":
        (bundle / "model.onnx").symlink_to("../secret.txt")
    elif kind == "bundle file":
        (bundle / "model.onnx").symlink_to("model.pth")
    elif kind == "fifo":
        os.mkfifo(bundle / "model.onnx")
    answer, body = get(server, f"/bundle/penguins/{path}")
    assert answer.status == 404 and SECRET not in body


def test_a_manifest_cannot_list_what_is_outside(server, bundle):
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "card.json"', '"name": "../secret.txt"'))
    for path in ("../secret.txt", "card.json", "model.onnx"):
        assert get(server, f"/bundle/penguins/{path}")[0].status == 404


def test_a_file_that_is_exported_later_is_served(server, bundle):
    (bundle / "model.c").rename(bundle / "model.float64.c")
    assert get(server, "/bundle/penguins/model.float64.c")[0].status == 404
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"model.c"', '"model.float64.c"'))
    assert get(server, "/bundle/penguins/model.float64.c")[0].status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "[::1]", ""])
def test_another_host_name_is_refused(server, host):
    """A site whose name is pointed at 127.0.0.1 could read the answers as its own."""
    assert get(server, "/web/", Host=host)[0].status == 421


def test_port_80_need_not_be_named_and_host_names_have_no_case(server, monkeypatch):
    assert get(server, "/web/", Host=f"LocalHost:{server.server_port}")[0].status == 200
    monkeypatch.setattr(serving, "HTTP_PORT", server.server_port)
    assert get(server, "/web/", Host="127.0.0.1")[0].status == 200
    assert get(server, "/web/", Host="evil.example")[0].status == 421


def test_localhost_is_this_host_and_no_host_is_none(server):
    assert get(server, "/web/", Host=f"localhost:{server.server_port}")[0].status == 200
    assert raw(server, b"GET /web/ HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 421 ")
    twice = f"GET /web/ HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nHost: evil.example\r\n\r\n"
    assert raw(server, twice.encode()).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(server, method):
    answer, body = get(server, "/web/", method)
    assert answer.status == 501 and b"<" not in body


def test_what_is_no_request_is_refused_and_the_server_goes_on(server, capfd):
    for request in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G" * 70_000,
        b"GET /",
    ):
        assert SECRET not in raw(server, request)
    assert b"<" not in raw(server, b"GET /<script> HTTP/x\r\n\r\n").partition(b"\r\n\r\n")[2].replace(b"<script>", b"")
    assert get(server, "/web/")[0].status == 200
    assert capfd.readouterr() == ("", "")


def test_the_root_leads_to_the_page_with_the_bundle(server):
    answer, _ = get(server, "/")
    assert (answer.status, answer.headers["Location"]) == (302, "/web/?bundle=../bundle/penguins/")
    assert get(server, "/?bundle=//evil.example")[0].headers["Location"] == "/web/?bundle=../bundle/penguins/"
    assert server.address == f"http://127.0.0.1:{server.server_port}/web/?bundle=../bundle/penguins/"


def test_only_loopback_is_listened_to(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("name", ["größe", "a b#c?d&e=f", "50%25", "'<b>'", "..."])
def test_a_bundle_of_any_name_is_found(page, bundle, name):
    from urllib.parse import parse_qs, quote, urlsplit

    folder = bundle.rename(bundle.parent / name)
    with page_server(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (path,) = parse_qs(urlsplit(server.address).query, strict_parsing=True)["bundle"]
        assert get(server, f"{path.removeprefix('..')}model.onnx")[0].status == 200
        assert path == f"../bundle/{quote(name)}/"
        server.shutdown()
        thread.join()


def test_a_bundle_with_javascript_needs_no_onnx_runtime_and_no_onnx(page, bundle):
    shutil.rmtree(page / "web" / "node_modules")
    manifest = bundle / "manifest.json"
    listed = manifest.read_text().replace('"model.mjs"', '"model.float64.mjs"').replace('"model.onnx"', '"model.mjs"')
    manifest.write_text(listed)
    (bundle / "model.onnx").rename(bundle / "model.mjs")
    with page_server(bundle) as server:
        assert {path for path in server.pages if "node_modules" in path} == set()
        assert server.content("/bundle/penguins/model.mjs") == (bundle / "model.mjs").read_bytes()
        assert server.content("/web/module_session.mjs")
        assert server.content("/bundle/penguins/model.onnx") is None


def test_what_cannot_be_served_is_told(page, bundle, tmp_path):
    with pytest.raises(ModelError, match=r"is not a bundle, since it has no manifest\.json"), page_server(tmp_path):
        pass
    manifest = bundle / "manifest.json"
    listed = manifest.read_text().replace('"model.mjs"', '"model.float64.mjs"')
    manifest.write_text(listed.replace('"model.onnx"', '"model.float64.onnx"'))
    with pytest.raises(ModelError, match=r"has no model\.mjs and no model\.onnx, .* export one"), page_server(bundle):
        pass
    manifest.write_text(listed)
    with page_server(PENGUINS) as server:
        taken = server.server_port
        with pytest.raises(LinregError, match=f"port {taken}: .*choose another with --port"):
            page_server(PENGUINS, taken).__enter__()
    (page / serving.RUNTIME / serving.RUNTIME_FILES[0]).unlink()
    with pytest.raises(LinregError, match=r"lacks ONNX Runtime Web.*or run npm ci"), page_server(bundle):
        pass
    (page / "web" / "index.html").unlink()
    with pytest.raises(LinregError, match="has no page"), page_server(PENGUINS):
        pass
