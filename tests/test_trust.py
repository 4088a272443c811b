import stat

from export.trust import is_ours, ledger_path, remember


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


def test_a_damaged_ledger_trusts_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ledger_path().parent.mkdir(parents=True)
    ledger_path().write_bytes(b"\xff\xfe\x00 nonsense\n")
    assert not is_ours(b"x")
    remember(b"x")
    assert is_ours(b"x")
