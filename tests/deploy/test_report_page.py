"""The page of a report in a real browser: no error, no request, tables that sort, no sideways scroll on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.markdown import to_markdown
from bench.report.page import to_page
from tests.bench_reports import REFERENCE, SAMPLES, comparison, parsed, report, row, struck_out, usual_rows

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TABLE = "table.sortable >> nth=0"
FASTEST_FIRST = [
    "onnxruntime-io_binding",
    "onnxruntime-run",
    "torchscript",
    REFERENCE,
    "null",
    "eager-no_grad",
    "eager-grad",
    "pt2",
]
"""The rows of `usual_rows` that have a ratio."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    """Debian's chromium, with a new profile."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("playwright is not installed; install it: pip install playwright")
    found = CHROMIUM if CHROMIUM.exists() else shutil.which("chromium")
    assert found, "chromium is not installed; install it: apt-get install -y chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=found, args=FLAGS, headless=True
        )
        yield context
        context.close()


class Opened:
    """A page that was opened, and everything that it did."""

    def __init__(self, browser, path, width=1280, scheme="light"):
        self.page, self.requests, self.errors = browser.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme)
        self.page.goto(path.as_uri())


@pytest.fixture
def open_page(browser, tmp_path):
    """Open the page of a report; at the end no error and no request beside the page itself may have been seen."""
    opened = []

    def opening(values, **settings):
        path = tmp_path / f"report-{len(opened)}.html"
        path.write_text(to_page(parsed(values)), encoding="utf-8")
        opened.append((path, Opened(browser, path, **settings)))
        return opened[-1][1].page

    yield opening
    for path, page in opened:
        page.page.close()
        assert page.requests == [path.as_uri()]
        assert page.errors == []


def column(page, place: int) -> list[str]:
    return page.locator(TABLE).evaluate(
        f"table => [...table.tBodies[0].rows].map(row => row.cells[{place}].innerText.trim())"
    )


def sorting(page) -> list[str | None]:
    return page.locator(TABLE).evaluate(
        "table => [...table.tHead.rows[0].cells].map(cell => cell.getAttribute('aria-sort'))"
    )


def test_the_table_sorts_both_ways_by_mouse(open_page):
    page = open_page(report(comparison([*usual_rows(), struck_out("bad")])))
    as_reported = column(page, 0)
    assert as_reported == [*FASTEST_FIRST, "floor", "bad"]
    heading = page.locator(TABLE).get_by_role("button", name="ratio")
    heading.click()
    assert column(page, 2) == ["0.384", "0.720", "0.895", "1", "1.001", "1.011", "1.260", "6.800", "", ""]
    assert sorting(page) == [None, None, "ascending", None, None, None]
    heading.click()
    assert column(page, 2) == ["6.800", "1.260", "1.011", "1.001", "1", "0.895", "0.720", "0.384", "", ""]
    assert sorting(page) == [None, None, "descending", None, None, None]
    page.locator(TABLE).get_by_role("button", name="variant").click()
    assert column(page, 0) == sorted(as_reported)
    assert sorting(page) == ["ascending", None, None, None, None, None]


def test_the_table_sorts_both_ways_by_keyboard(open_page):
    page = open_page(report())
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "time per call":
            break
    page.keyboard.press("Enter")
    fastest_first = ["28 ns", "2.69 µs", "5.04 µs", "6.27 µs", "7 µs", "7.01 µs", "7.08 µs", "8.82 µs", "47.6 µs"]
    assert column(page, 1) == fastest_first
    page.keyboard.press("Space")
    assert column(page, 1) == fastest_first[::-1]
    assert sorting(page)[1] == "descending"
    assert page.evaluate("document.activeElement.innerText") == "time per call"  # the focus is not lost


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_page_is_as_narrow_as_a_phone(open_page, name, scheme):
    page = open_page(SAMPLES[name], width=360, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.evaluate("window.scrollTo(999, 0)")
    assert page.evaluate("window.scrollX") == 0


def test_a_printed_page_is_light_and_cuts_no_table(open_page):
    page = open_page(SAMPLES["usual"], width=794, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("[...document.querySelectorAll('table')].every(table => table.offsetWidth <= innerWidth)")
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"


def test_light_and_dark_differ_and_can_be_read(open_page):
    found = {}
    for scheme in ("light", "dark"):
        page = open_page(report(), scheme=scheme)
        found[scheme] = page.evaluate(
            "() => ['body', '.quiet', 'svg text.verdict', 'td .faster'].map(which => {"
            " const style = getComputedStyle(document.querySelector(which)); return style.color; })"
            ".concat(getComputedStyle(document.body).backgroundColor)"
        )
        *inks, ground = (luminance(color) for color in found[scheme])
        for ink in inks:
            lighter, darker = max(ink, ground), min(ink, ground)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2 AA
    assert found["light"] != found["dark"]


def luminance(color: str) -> float:
    """WCAG's relative luminance of `rgb(1, 2, 3)`."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_hostile_names_do_nothing(open_page):
    page = open_page(SAMPLES["hostile"])
    assert page.evaluate("document.querySelectorAll('img, a, iframe, object').length") == 0
    assert page.evaluate("document.scripts.length") == 1


def test_a_script_that_gets_in_all_the_same_does_not_run(browser, tmp_path):
    """The policy is a second wall: this page was changed after it was made."""
    path = tmp_path / "report.html"
    planted = "<script>document.title = 'planted'</script><img src='planted.png' onerror=\"document.title='planted'\">"
    path.write_text(to_page(parsed(report())).replace("</main>", planted + "</main>"), encoding="utf-8")
    opened = Opened(browser, path)
    assert "planted" not in opened.page.title()
    blocked = [error for error in opened.errors if "Content Security Policy" in error]
    assert len(blocked) >= 2  # the script, and the image
    opened.page.close()


def test_the_page_can_be_read_without_its_script(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(
        to_page(parsed(report())).replace('"use strict";', '"broken";'), encoding="utf-8"
    )  # so its hash is not allowed
    opened = Opened(browser, path)
    assert opened.page.locator("button").count() == 0
    assert column(opened.page, 0) == [*FASTEST_FIRST, "floor"]
    opened.page.close()


CUT = """
[...document.querySelectorAll('.scroll')].map(box => {
  const sign = box.previousElementSibling;
  return [box.scrollWidth > box.clientWidth, sign.checkVisibility(), sign.innerText];
})
"""
"""For each table: whether a column is cut, whether the sign of it is visible, and its words."""


def test_on_a_phone_no_column_is_cut_without_a_sign(open_page):
    page = open_page(SAMPLES["three batches"], width=390)
    cut = page.evaluate(CUT)
    assert any(wider for wider, _, _ in cut)
    assert all(wider == shown for wider, shown, _ in cut)
    assert {words for wider, _, words in cut if wider} == {"scroll for more columns →"}
    assert "gradient" in page.evaluate("getComputedStyle(document.querySelector('.scroll')).backgroundImage")
    page.locator(".scroll").first.evaluate("box => box.scrollTo(9999, 0)")
    page.locator(".more").first.wait_for(state="hidden")  # nothing is left to the right
    page.set_viewport_size({"width": 1280, "height": 800})
    for sign in page.locator(".more").all():
        sign.wait_for(state="hidden")
    assert not any(wider for wider, _, _ in page.evaluate(CUT))


def test_the_markdown_is_copied_with_a_click(browser, open_page):
    browser.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page(report())
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").strip() == to_markdown(parsed(report())).strip()


def test_the_markdown_is_selected_where_the_clipboard_is_refused(open_page):
    page = open_page(report())
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_role("button", name="Selected below").wait_for()
    assert page.evaluate("getSelection().toString()").strip() == to_markdown(parsed(report())).strip()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_line_of_a_figure_is_seen_through_its_labels(open_page, width):
    rows = [row(REFERENCE), *(row(f"row-{ratio}", ratio) for ratio in (0.361, 0.6, 0.786, 1.179, 1.3))]
    page = open_page(report(comparison(rows)), width=width)
    boxes = page.locator(".row .verdict").evaluate_all(
        "labels => labels.map(label => label.getBoundingClientRect().toJSON())"
    )
    labels = [
        {"x": box["x"], "width": box["width"], "y": box["y"] + 4, "height": box["height"] - 7} for box in boxes
    ]  # as high as small letters
    with_lines = [page.screenshot(clip=label, full_page=True) for label in labels]
    page.evaluate("document.querySelectorAll('.one, .grid').forEach(line => line.remove())")
    assert [page.screenshot(clip=label, full_page=True) for label in labels] == with_lines
