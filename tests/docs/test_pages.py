"""Every block of the README and of docs/ runs in order in one shell, and prints what the page says."""

import pytest

from tests.docs.pages import OUTPUT, PAGES, ROOT, SET_UP, blocks, clone, difference, recorded, run

NEEDS_A_COMPILER = ROOT / "docs" / "guides" / "deploy.md"  # tests/deploy/test_guide.py runs it
RUN_HERE = [path for path in PAGES if path != NEEDS_A_COMPILER]


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN_HERE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_page_runs_and_prints_what_the_page_says(path, tmp_path):
    printed = run(path.read_text(), clone(tmp_path))
    differences = [difference(block, text) for block, text in printed if block.output is not None]
    assert [text for text in differences if text] == [], "if the new output is right: make record-docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_is_run_or_says_why_not(path):
    unclear = [
        f"line {block.line}: {block.language}"
        for block in blocks(path.read_text())
        if not (block.language in {"sh", "python"} or block.is_file or block.is_excused)
    ]
    assert unclear == []


def test_only_the_readme_sets_up_an_environment_and_only_in_its_first_block():
    first, *others = blocks(PAGES[0].read_text())
    assert first.text.startswith(SET_UP)
    others += [block for path in PAGES[1:] for block in blocks(path.read_text())]
    assert [block.line for block in others if SET_UP in block.text and block.language == "sh"] == []


def test_the_readme_is_short():
    assert len(PAGES[0].read_text().splitlines()) < 125


PAGE = """
```sh
make setup    # not here
value=3
```

Words.

```sh
echo "$value rows in 0.25 s"; echo note >&2
```

```text
3 rows in 9 ms
note
```

```python title="given.py"
GIVEN = 7
```

```python
from given import GIVEN
print(GIVEN, *range(-9, 3), sep="\\n")
```

```text
7
...
1
...
2
```

```sh
printf '┃ name ┃ ratio ┃\\n│ a │ 1.25 │\\n'
```

```text data-measured="by chance"
┃ name ┃ ratio ┃
│ a │ 9.5 │
```
"""


def differences_of(page, folder):
    return [difference(block, text) for block, text in run(page, folder) if block.output is not None]


def test_one_shell_runs_all_blocks_and_files_and_times_are_not_compared(tmp_path):
    assert differences_of(PAGE, tmp_path) == ["", "", ""]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3 rows in 9 ms", "4 rows in 9 ms"),
        ("ms\nnote", "ms"),
        ("...\n2", "...\n3"),
        ("...\n1", "...\n4"),
        ("7\n...", "8\n..."),
        ("│ a │ 9.5", "│ b │ 9.5"),
    ],
)
def test_a_wrong_output_in_a_page_is_found(old, new, tmp_path):
    assert PAGE.count(old) == 1
    page = PAGE.replace(old, new)
    assert "".join(differences_of(page, tmp_path))
    mended = recorded(page, run(page, tmp_path))
    assert differences_of(mended, tmp_path) == ["", "", ""]


def test_recording_leaves_a_page_that_is_right_as_it_is(tmp_path):
    assert recorded(PAGE, run(PAGE, tmp_path)) == PAGE


def test_a_block_that_fails_is_named_by_its_line(tmp_path):
    with pytest.raises(AssertionError, match="exit 1 in block at line 9"):
        run(PAGE.replace("echo note >&2", "false"), tmp_path)


def test_an_excused_block_is_not_run_but_an_excuse_needs_words(tmp_path):
    assert run('```sh data-not-run="needs a network"\nfalse\n```\n', tmp_path) == []
    with pytest.raises(AssertionError):
        run('```sh data-not-run=""\nfalse\n```\n', tmp_path)


def test_an_output_block_belongs_only_to_the_block_directly_before_it():
    page = "```sh\ntrue\n```\n\nWords.\n\n```text\nlost\n```\n"
    assert [(block.language, block.output) for block in blocks(page)] == [("sh", None), (OUTPUT, None)]
