"""`linreg serve`: a page in the browser that predicts with a bundle."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linreg.cli.bundle import find_bundle, require
from linreg.cli.terminal import note, say

if TYPE_CHECKING:
    from linreg.serving import PageServer

WAKE_S = 0.2
"""How often the command looks whether Ctrl-C was pressed."""

NAME = "serve"
SUMMARY = "Predict with a bundle in the browser."
EXAMPLES = ("linreg serve penguins", "linreg serve penguins --port 8000 --no-open")


def run(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="Bundle with model.mjs or model.onnx. Default: artifacts/linreg.", show_default=False),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1. Default: a free one.", show_default=False)
    ] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address only; open no browser.")] = False,
) -> None:
    """Serve a page on 127.0.0.1 that predicts with a bundle and verifies it, until Ctrl-C.

    The page runs model.mjs, or ONNX Runtime's WebAssembly for model.onnx, in the browser. The server gives out
    the files that the manifest lists and those of the page, nothing else, and only to this machine.
    """
    from linreg.serving import page_server

    path = find_bundle(bundle)
    require(path)
    with page_server(path, port) as server:
        say(server.address)
        note(f"serving {path}; Ctrl-C ends it")
        if not no_open and _has_screen():
            import webbrowser

            webbrowser.open(server.address)
        _serve_until_interrupted(server)


def _has_screen() -> bool:
    """Whether a browser has a window: without one, webbrowser would start a program in this terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _serve_until_interrupted(server: "PageServer") -> None:
    """Serve until Ctrl-C, which is how this command ends, and no failure; `main` sets its own handler back.

    No exception may interrupt the server: one that comes while a thread is started for a request can be lost.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    with ThreadPoolExecutor(max_workers=1) as pool:
        serving = pool.submit(server.serve_forever)
        try:
            while not serving.done() and not interrupted:
                wait([serving], WAKE_S)
        finally:
            server.shutdown()
        serving.result()
    note("stopped")
