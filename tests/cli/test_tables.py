"""Tables on a real terminal of 80 columns: whole words, no color under NO_COLOR, and every locale."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

ROWS = [
    ["model.onnx", "onnxruntime >= 1.15.1", "604", "24", "0.300", "bit-equal to eager on every case"],
    ["model.traced.torchscript", "torch (made by 2.13.0)", "4130", "24", "0.321", "no"],
]
HEADINGS = ("file", "needs", "size", "cases", "error / allowed", "bit-equal")
SHOW = "from linreg.cli.terminal import show_table; show_table({title!r}, {headings!r}, {rows!r}, left=2)"


def on_a_terminal(code: str, columns: int = 80, **environment: str) -> str:
    """What Python prints on a terminal of that width; `\\n` ends its lines."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=child, stderr=child, env={**kept, "TERM": "xterm", **environment}
    )
    os.close(child)
    shown = b""
    try:
        while piece := os.read(parent, 4096):
            shown += piece
    except OSError:  # Linux's end of a terminal
        pass
    os.close(parent)
    assert process.wait(60) == 0, shown
    return shown.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def words_of(text: str) -> set[str]:
    return set(re.sub(r"[^\x20-\x7e\n]", " ", plain(text)).split())


def test_a_wide_table_fits_80_columns_with_whole_words():
    shown = on_a_terminal(SHOW.format(title="exported", headings=HEADINGS, rows=ROWS))
    assert max(len(line) for line in plain(shown).splitlines()) == 80
    assert words_of(shown) == {word for row in (["exported"], HEADINGS, *ROWS) for cell in row for word in cell.split()}


def test_what_does_not_fit_is_shortened_and_a_hash_is_kept():
    row = ["a_column_name_of_many_letters_in_all", "another_that_is_as_long_as_the_first", "0123456789abcdef" * 4]
    shown = on_a_terminal(SHOW.format(title="t", headings=("one", "two", "three"), rows=[row]))
    assert max(len(line) for line in plain(shown).splitlines()) == 80
    cells = [[cell.strip() for cell in line.split("│")] for line in plain(shown).splitlines() if "│" in line]
    assert cells[0][0].startswith("a_column_name") and cells[0][0].endswith("...")
    assert "".join(cell[2] for cell in cells) == row[2]


@pytest.mark.parametrize(
    "environment", [{}, {"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}], ids=str
)
def test_no_setting_of_a_terminal_loses_a_row(environment):
    shown = on_a_terminal(SHOW.format(title="t", headings=("name", "value"), rows=[["größe", "1"]]), **environment)
    assert ("größe" in shown) == ("PYTHONIOENCODING" not in environment)
    assert "name" in words_of(shown)
    if "NO_COLOR" in environment:
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", shown)


def test_stages_leave_one_line_with_their_times():
    code = (
        "from linreg.cli.terminal import stages\n"
        "with stages() as progress:\n"
        "    for stage in ('capture', 'onnx [a/b]', 'capture'):\n"
        "        progress(stage, 0, 2); progress(stage, 1, 2)\n"
    )
    last = plain(on_a_terminal(code)).splitlines()[-1]
    assert re.search(r"capture \d+\.\d s, onnx \[a/b\] \d+\.\d s$", last)


def test_stages_that_fail_leave_no_times():
    code = (
        "from linreg.cli.terminal import stages\n"
        "try:\n"
        "    with stages() as progress:\n"
        "        progress('capture', 0, 1)\n"
        "        raise ValueError\n"
        "except ValueError: print('raised')\n"
    )
    shown = on_a_terminal(code)
    assert "raised" in shown
    assert not re.search(r"capture \d+\.\d s", shown)


def test_stages_in_a_pipe_are_silent(capsys):
    from linreg.cli.terminal import stages

    with stages() as progress:
        progress("capture", 0, 1)
    assert capsys.readouterr() == ("", "")
