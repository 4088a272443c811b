import stat
from pathlib import Path

import pytest

from export.runners.ledger import is_ours, ledger_path, remember
from linreg.errors import LinregError
from linreg.files import sha256


def test_what_this_user_exported_is_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert not is_ours(b"a program")
    remember(b"a program")
    remember(b"a program")
    remember(b"another")
    assert is_ours(b"a program")
    assert not is_ours(b"a program ")
    assert ledger_path() == tmp_path / "linreg" / "written"
    assert len(ledger_path().read_text().splitlines()) == 2
    assert stat.S_IMODE(ledger_path().stat().st_mode) == 0o600


def test_without_xdg_it_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ledger_path() == tmp_path / ".local" / "state" / "linreg" / "written"
    assert not is_ours(b"x")


@pytest.mark.parametrize("state", ["", "relative", "./state", "~/state"])
def test_a_relative_xdg_folder_is_ignored(monkeypatch, tmp_path, state):
    """A downloaded folder that holds linreg/written must not say what this user made."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.chdir(tmp_path)
    (tmp_path / state / "linreg").mkdir(parents=True)
    (tmp_path / state / "linreg" / "written").write_text(sha256(b"a program") + "\n")
    assert not is_ours(b"a program")
    remember(b"another")
    assert ledger_path() == tmp_path / "home" / ".local" / "state" / "linreg" / "written"
    assert is_ours(b"another")
    assert (tmp_path / state / "linreg" / "written").read_text() == sha256(b"a program") + "\n"


@pytest.mark.parametrize("home", ["relative", None])
def test_without_any_home_nothing_is_trusted_and_writing_is_one_line(monkeypatch, tmp_path, home):
    def no_home() -> Path:
        if home is None:
            raise RuntimeError("Could not determine home directory.")
        return Path(home)

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.chdir(tmp_path)
    assert not is_ours(b"a program")
    with pytest.raises(LinregError, match="set XDG_STATE_HOME to an absolute path"):
        remember(b"a program")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_ledger_trusts_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ledger_path().parent.mkdir(parents=True)
    ledger_path().write_bytes(b"\xff\xfe\x00 nonsense\n")
    assert not is_ours(b"x")
    remember(b"x")
    assert is_ours(b"x")
