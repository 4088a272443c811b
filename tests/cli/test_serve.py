"""`linreg serve`: what it refuses, and when it opens a browser. tests/deploy/test_web_served.py runs it."""

import shutil
import signal
import webbrowser
from pathlib import Path

import pytest

from linreg import serving
from linreg.cli import serve
from linreg.serving import PageServer

REFERENCE = Path(__file__).parents[2] / "artifacts" / "reference"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page whose parts stand in for those of npm."""
    for part in ("web", "js", serving.RUNTIME):
        (tmp_path / "page" / part).mkdir(parents=True)
    for name in ("web/index.html", *(f"{serving.RUNTIME}/{name}" for name in serving.RUNTIME_FILES)):
        (tmp_path / "page" / name).write_bytes(b"")
    monkeypatch.setattr(serving, "page_folder", lambda: tmp_path / "page")


@pytest.fixture
def interrupted(page: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ctrl-C at once; the addresses that a browser was asked to open."""
    serve_forever = PageServer.serve_forever

    def serve_interrupted(server: PageServer) -> None:
        signal.raise_signal(signal.SIGINT)
        serve_forever(server)

    monkeypatch.setattr(PageServer, "serve_forever", serve_interrupted)
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    return opened


@pytest.mark.parametrize(("screen", "words"), [(True, []), (True, ["--no-open"]), (False, [])])
def test_a_browser_is_opened_where_there_is_a_screen(linreg, interrupted, monkeypatch, screen, words):
    monkeypatch.setattr(serve.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if screen:
        monkeypatch.setenv("DISPLAY", ":0")
    before = signal.getsignal(signal.SIGINT)
    ended = linreg("serve", str(REFERENCE / "penguins"), *words)
    assert signal.getsignal(signal.SIGINT) is before
    address = ended.out.strip()
    assert address.startswith("http://127.0.0.1:") and address.endswith("/web/?bundle=../bundle/penguins/")
    assert ended == (0, f"{address}\n", f"serving {REFERENCE / 'penguins'}; Ctrl-C ends it\nstopped\n")
    assert interrupted == ([address] if screen and not words else [])


class Interrupts:
    """An object at whose end the signal arrives: an exception that its handler raised would be ignored there."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        sum(range(10))


def test_ctrl_c_is_not_lost_in_a_destructor(linreg, page, monkeypatch):
    rounds = iter(range(200))

    def interrupt(_: PageServer) -> None:
        if next(rounds) == 0:
            Interrupts()

    monkeypatch.setattr(PageServer, "service_actions", interrupt)
    ended = linreg("serve", str(REFERENCE / "penguins"), "--no-open")
    assert ended == (0, ended.out, f"serving {REFERENCE / 'penguins'}; Ctrl-C ends it\nstopped\n")


def test_a_server_that_fails_is_no_end_by_ctrl_c(linreg, page, monkeypatch):
    def fail(_: PageServer) -> None:
        raise OSError("the socket is gone")

    monkeypatch.setattr(PageServer, "service_actions", fail)
    ended = linreg("serve", str(REFERENCE / "penguins"), "--no-open")
    assert ended.code == 1
    assert "the socket is gone" in ended.err and "stopped" not in ended.err


def test_what_is_no_bundle_with_a_model_is_refused(linreg, interrupted, tmp_path):
    shutil.copytree(REFERENCE / "penguins", tmp_path / "penguins")
    shutil.copy(REFERENCE / "penguins/model.onnx", tmp_path / "alone.onnx")
    refused = {
        (): "no bundle was given, and artifacts/linreg does not exist; name one: linreg serve BUNDLE",
        ("pinguins",): "pinguins: no such bundle or file; did you mean penguins?",
        (".",): ".: is not a bundle, since it has no manifest.json",
        ("alone.onnx",): "alone.onnx: is not a bundle, since it has no manifest.json",
    }
    for words, said in refused.items():
        ended = linreg("serve", *words)
        assert (ended.code, ended.out) == (1, "") and ended.err.startswith(f"error: {said}"), ended
    for port in ("-1", "65536", "x"):
        assert linreg("serve", "penguins", "--port", port).code == 2
    assert interrupted == []
