"""What pages refer to exists: files, tests, commands, packages; the version of the package is in the changelog."""

import re

import pytest

import linreg
from linreg.cli.main import app
from tests.docs.notebook import stored
from tests.docs.pages import PAGES, ROOT
from tests.test_without_torch import NEEDED

LOOSE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("path", LOOSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_or_names_exists(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [path.parent / link for link in re.findall(r"\]\((?!http|#)([^)#\s]+)", text)]
    named = [ROOT / name for name in re.findall(r"`((?:tests|export|bench|linreg|deploy|docs)/[\w./-]+\.\w+)`", text)]
    assert [str(target) for target in links + named if not target.exists()] == []


def test_the_steps_of_an_export_name_functions_that_their_files_have():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:export|bench|linreg)/[\w./]+\.py|_linreg\.py)` \(((?:`[\w.]+`(?:, )?)+)", text)
    assert len(named) > 20
    missing = [
        f"{file}: {name}"
        for file, names in named
        for name in re.findall(r"`(?:\w+\.)?(\w+)`", names)
        if not re.search(rf"(?:def|class) {name}\b", (ROOT / file).read_text())
    ]
    assert missing == []


def test_every_promise_names_a_test_file():
    _, *promises = (ROOT / "docs" / "promises.md").read_text().split("\n## ")
    *promises, limits = promises
    assert limits.startswith("Known limits")
    unguarded = [
        text.splitlines()[0] for text in promises if not re.search(r"^Guarded by \[test_\w+\.py\]", text, re.M)
    ]
    assert len(promises) > 10
    assert unguarded == []


def test_the_reference_has_every_command():
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    assert re.findall(r"^## linreg (\w+)$", page, re.M) == [command.name for command in app.registered_commands]
    assert re.findall(r"^linreg (\w+) --help$", page, re.M) == [command.name for command in app.registered_commands]


def test_the_reference_has_every_name_of_the_front_door():
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    shown = set(re.findall(r"^::: linreg\.(\w+)$", page, re.M))
    assert shown == {name for name in linreg.__all__ if not name.startswith("__")}


def test_the_guide_installs_the_packages_that_the_test_without_torch_installs():
    page = (ROOT / "docs" / "guides" / "verify-without-torch.md").read_text()
    assert re.search(r"^pip install (?!-)(.*)$", page, re.M)[1].split() == list(NEEDED)
    assert f"linreg_export-{linreg.__version__}-py3" in page


def test_the_changelog_has_the_version_dated_and_what_comes_next():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(linreg.__version__)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_links_of_the_tutorial_exist():
    text = "\n".join(cell.source for cell in stored().cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
