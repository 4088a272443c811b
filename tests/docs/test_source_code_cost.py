"""The figures of a network as C in README.md and in deploy/standalone-c are those of the committed file."""

import re

from tests.deploy.processors import ROOT, cost_table


def test_the_readme_has_the_figures_of_the_file():
    found = re.search(r"A \[network of .*?C API", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    rows = cost_table()
    code, data = (int(rows[name][0].removesuffix(" B")) for name in ("code", "weights and constants"))
    own, api = rows["a call at batch 1"][1:]
    assert re.findall(r"[\d,.]+ (?:bytes|µs)", found[0]) == [f"{code + data:,} bytes", own, api]


def test_the_sentence_has_the_figures_of_the_file():
    readme = (ROOT / "deploy" / "standalone-c" / "README.md").read_text(encoding="utf-8")
    found = re.search(r"A network of 16, 32, 16 and 1 values .*?source_code\.md", readme, re.DOTALL)
    assert found is not None
    rows = cost_table()
    code, data, library, stack, scratch = (int(cells[0].removesuffix(" B")) for cells in list(rows.values())[:5])
    own, api = rows["a call at batch 1"][1:]
    numbers = re.findall(r"\d[\d,.]*\d", found[0].partition("1,089 weights")[2])
    expected = [f"{code + data:,}", f"{library}", f"{scratch}", f"{stack}", own[:-3], api[:-3]]
    assert [number for number in numbers if number not in ("4", "86-64", "86", "64")] == expected
