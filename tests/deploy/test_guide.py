"""Every block of the guide to deployment runs, compilers included, and prints what the page says."""

from pathlib import Path

from tests.docs.pages import ROOT, clone, difference, run


def test_the_guide_prints_what_it_says(tmp_path: Path) -> None:
    printed = run((ROOT / "docs" / "guides" / "deploy.md").read_text(), clone(tmp_path))
    differences = [difference(block, text) for block, text in printed if block.output is not None]
    assert [text for text in differences if text] == [], "if the new output is right: make record-docs"
