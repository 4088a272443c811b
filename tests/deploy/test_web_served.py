"""`linreg serve`: from a command to a page in the browser, in a clone and from a wheel, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from hatchling.builders.wheel import WheelBuilder
from playwright.sync_api import expect

from tests.deploy.browser import proof, watch
from tests.deploy.bundles import FEATURES, REFERENCE, ROOT, copy_of
from tests.deploy.javascript import WEB, install
from tests.deploy.penguin_predictions import first_prediction

MAX_WHEEL_BYTES = 15_000_000

INLINE = """() => {
  document.querySelector('meta[http-equiv]').remove();
  document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }));
  return window.ran ?? 'not run';
}"""


@contextmanager
def serving(*words: object, package: Path = ROOT) -> Iterator[tuple[subprocess.Popen, str]]:
    """`linreg serve`, with linreg of a folder, from another one: the process and the address that it prints."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from linreg.cli.main import main; main()"
    command = [sys.executable, "-P", "-c", code, str(package), "serve", *map(str, words)]
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd="/", env=environment, **pipes) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that was built after `npm ci`, unpacked."""
    install(WEB)
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    assert Path(path).stat().st_size < MAX_WHEEL_BYTES
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_what_the_page_needs_and_no_more(unpacked):
    page = unpacked / "linreg" / "page"
    found = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    runtime = "web/node_modules/onnxruntime-web/dist"
    assert {path for path in found if "node_modules" in path} == {
        f"{runtime}/ort-wasm-simd-threaded.wasm",
        f"{runtime}/ort.wasm.bundle.min.mjs",
    }
    sources = {f"{part}/{path.name}" for part in ("web", "js") for path in (ROOT / "deploy" / part).glob("*.mjs")}
    kept = {path for path in found if "node_modules" not in path}
    assert kept == sources - {"web/cli.mjs", "web/bench.mjs"} | {
        "web/index.html",
        "web/style.css",
        "web/onnxruntime-web.LICENSE",
    }
    assert not (unpacked / "deploy").exists()


@pytest.mark.parametrize("where", ["clone", "wheel"])
def test_the_page_predicts_and_proves_the_bundle(page, unpacked, where):
    package = ROOT if where == "clone" else unpacked
    seen = watch(page)
    with serving(REFERENCE / "penguins", "--no-open", package=package) as (_, address):
        page.goto(
            f"{address}&engine=onnxruntime"
            + "".join(f"&{name}={value}" for name, value in zip(FEATURES, (39.1, 18.7, 181), strict=True))
        )
        expect(page.locator("#prediction")).to_have_attribute("title", first_prediction())
        expect(page.locator("#status")).to_contain_text("penguins: 3 features → body_mass_g")
        expect(page.locator("#examples")).to_be_hidden()
        expect(page.locator("#timing")).to_contain_text("µs a call")
        assert proof(page)[0].startswith("✓ Proved: 5 passed, 0 failed")
        host = address.partition("/web/")[0]
        assert all(url.startswith((host, "data:")) for url in seen.requests) and seen.errors == []
        page.goto(f"{host}/")
        expect(page.locator("#status")).to_contain_text("penguins: 3 features")


def test_the_server_forbids_what_the_page_would_forbid(page, unpacked):
    """By its header, as the page could lose its own policy: no code in text, no other host."""
    with serving(REFERENCE / "line", package=unpacked) as (_, address):
        page.goto(f"{address}&engine=onnxruntime")
        expect(page.locator("#prediction")).to_have_attribute("title", "0.643945456")
        assert page.evaluate(INLINE) == "not run"
        assert page.evaluate("() => fetch('http://localhost:1/').then(() => 'fetched', () => 'refused')") == "refused"


def test_a_bundle_of_an_odd_name_is_shown_by_its_name(page, tmp_path):
    install(WEB)
    bundle = copy_of(REFERENCE / "line", tmp_path).rename(tmp_path / "grö ße #1 100%")
    with serving(bundle) as (_, address):
        page.goto(address)
        expect(page.locator("#status")).to_contain_text("grö ße #1 100%: 1 feature → y")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_its_end_and_no_failure(number):
    install(WEB)
    with serving(REFERENCE / "penguins") as (process, address), urlopen(address) as kept_open:
        assert kept_open.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert out == ""
        if number == signal.SIGINT:
            assert process.returncode == 0
            assert err == f"serving {REFERENCE / 'penguins'}; Ctrl-C ends it\nstopped\n"
        else:
            assert process.returncode == 128 + number
        with pytest.raises(URLError):
            urlopen(address, timeout=5)


def test_a_port_is_taken_or_is_refused(tmp_path):
    install(WEB)
    with serving(REFERENCE / "penguins") as (_, address):
        port = address.split(":")[2].split("/")[0]
        with serving(REFERENCE / "penguins", "--port", port) as (second, nothing):
            _, err = second.communicate(timeout=60)
            assert (second.returncode, nothing) == (1, "")
            assert (
                err == f"error: port {port}: Address already in use; choose another with --port, or leave --port out\n"
            )
