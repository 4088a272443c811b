"""`make docs`: the site builds in strict mode, which checks links and anchors, and fetches nothing from the network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_FETCHED = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(?!data:)((?:https?:)?//[^"]+)""")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_there(site):
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    missing = [str(page) for page in [*pages, Path("tutorial.md")] if not (site / page.with_suffix(".html")).exists()]
    assert missing == []


@pytest.mark.slow
def test_no_page_fetches_from_the_network(site):
    fetched = {str(page): _FETCHED.findall(page.read_text()) for page in site.rglob("*.html")}
    assert {page: hosts for page, hosts in fetched.items() if hosts} == {}
    assert _FETCHED.findall('<script async src="https://example.org/a.js">') == ["https://example.org/a.js"]


@pytest.mark.slow
def test_the_reference_shows_docstrings_and_signatures(site):
    page = (site / "reference" / "python.html").read_text()
    assert 'id="linreg.fit"' in page or 'id="linreg.fitting.fit"' in page
    assert "Example" in page
