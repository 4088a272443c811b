"""Debian's chromium on a folder that is served as the README says: the page, and the bundles that a test plants."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.deploy.bundles import REFERENCE, ROOT, copy_of, tool

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(kw_only=True)
class Site:
    """A running server.

    Attributes:
        folder: what it serves: links to `deploy` and `artifacts`, and what tests put beside them.
        address: of the folder, with the slash at its end.
    """

    folder: Path
    address: str

    def page_of(self, bundle: str, *, engine: str = "onnxruntime", **values: float) -> str:
        """The address of the page with a bundle of the folder; without an engine, the page chooses."""
        given = {"engine": engine, **values} if engine else values
        more = "".join(f"&{name}={value}" for name, value in given.items())
        return f"{self.address}deploy/web/?bundle=../../{bundle}{more}"


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """Serve `folder`, with the repository's `deploy` and `artifacts` in it, by `python -m http.server`."""
    for name in ("deploy", "artifacts"):
        (folder / name).symlink_to(ROOT / name)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        port = server.stdout.readline().split(" port ")[1].split()[0]
        try:
            yield Site(folder=folder, address=f"http://127.0.0.1:{port}/")
        finally:
            server.terminate()


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Chromium, headless, in a profile of its own."""
    executable = tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield browser
        browser.close()


@dataclass(kw_only=True)
class Seen:
    """What happened in a page beside what it shows."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def watch(page: Page) -> Seen:
    """Record the requests, the errors on the console, the exceptions and the dialogs of a page from now on."""
    seen = Seen()
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda line: seen.errors.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("dialog", lambda dialog: (seen.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
    return seen


def planted(site: Site, request: pytest.FixtureRequest, bundle: Path = REFERENCE / "penguins") -> tuple[str, Path]:
    """A copy of a bundle in the served folder: its address there and its path."""
    name = "".join(sign if sign.isalnum() else "-" for sign in request.node.name)
    return f"{name}/bundle", copy_of(bundle, site.folder / name)


def proof(page: Page) -> tuple[str, int]:
    """The verdict, and how many test vectors failed, after a press on Verify."""
    page.click("#verify")
    page.wait_for_selector("#verdict:is(.good, .bad)")
    return page.inner_text("#verdict"), page.locator("td.result.bad").count()
