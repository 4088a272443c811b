"""What people see: text from files is shown, never obeyed, and nothing that was to be printed gets lost."""

import io
import json
import sys

import pytest
from rich.text import Text

from linreg.cli import terminal
from linreg.escaping import printable

HOSTILE = "\x1b[31mred\x9b2J\u202eevil\r\n[/] [link=file:///etc/passwd]x[/link] :smile:"


class Raw(io.RawIOBase):
    """A stream that takes few bytes at a time, as an unbuffered pipe may."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.taken += bytes(data[:7])
        return min(7, len(data))


def assert_harmless(text: str) -> None:
    assert not [sign for sign in text if not sign.isprintable() and sign != "\n"]


def test_clean_shows_control_characters_and_direction_marks():
    assert printable("\x1b[31m\x9b\u202e\u2066\n\tä体[/]") == r"\x1b[31m\x9b\u202e\u2066\n\tä体[/]"


def test_say_and_note_are_one_line_each(capsys):
    terminal.say(HOSTILE)
    terminal.note(HOSTILE)
    out, err = capsys.readouterr()
    assert out == err
    assert out.count("\n") == 1
    assert_harmless(out)


def test_a_table_takes_no_markup_and_no_control_characters(capsys):
    terminal.show_table(HOSTILE, [HOSTILE, "value"], [[HOSTILE, "1"]])
    out = capsys.readouterr().out
    assert_harmless(out)
    assert out.replace("\n", "").count("[/] [link=file:///etc/passwd]x[/link] :smile:") >= 1


def test_a_table_in_a_log_is_wide_and_has_no_escape_codes(capsys):
    terminal.show_table("title", ["name", "value"], [["x" * 90, "1"]])
    assert "x" * 90 in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_encoding_without_the_character_is_no_error(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.say("y€ 体")
    terminal.show_table("y€ 体", ["größe", "value"], [["größe", "1"]])
    terminal.print_json({"größe": "€"})
    text = stream.buffer.getvalue().decode(encoding)
    assert ("€" in text) == (encoding == "utf-8")


def test_json_is_ascii_and_never_nan(capsys):
    terminal.print_json({"name": HOSTILE, "value": 0.1})
    out = capsys.readouterr().out
    assert out.isascii()
    assert_harmless(out)
    assert json.loads(out) == {"name": HOSTILE, "value": 0.1}
    with pytest.raises(ValueError, match="JSON"):
        terminal.print_json({"value": float("nan")})
    assert capsys.readouterr().out == ""


def test_csv_keeps_its_bytes_in_a_pipe_and_is_cleaned_on_a_terminal(capsysbinary, monkeypatch):
    data = b'"\x1b[31mred"\n1\n'
    terminal.print_csv(data)
    assert capsysbinary.readouterr().out == data
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    terminal.print_csv(data)
    assert capsysbinary.readouterr().out == b'"\\x1b[31mred"\n1\n'


def test_a_stream_that_takes_a_part_at_a_time_gets_all(monkeypatch):
    raw = Raw()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    terminal.print_csv(b"0123456789" * 10)
    terminal.say("a line of more than seven bytes")
    terminal.show(Text("a table of more than seven bytes"))
    assert raw.taken.startswith(b"0123456789" * 10 + b"a line of more than seven bytes\n")
    assert b"a table of more than seven bytes" in raw.taken


def test_progress_is_silent_where_stderr_is_no_terminal(capsys):
    with terminal.stages() as progress:
        progress("work", 1, 3)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_goes_to_stderr(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with terminal.stages() as progress:
        progress("work", 3, 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "work" in err
