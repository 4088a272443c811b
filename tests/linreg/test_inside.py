"""Files inside a bundle: no component below it is a link, for reading or writing."""

import os
import tracemalloc

import pytest

from linreg.errors import LinregError, ModelError
from linreg.inside import file_inside, files_of, make_parent, read_inside, vector_folders


@pytest.fixture
def hostile(tmp_path):
    """A bundle whose names lead out of it, and what they lead to."""
    outside, bundle = tmp_path / "outside", tmp_path / "bundle"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret").write_bytes(b"secret")
    (outside / "folder" / "input_0.pb").write_bytes(b"secret")
    bundle.mkdir()
    (bundle / "model.onnx").symlink_to("../outside/secret")
    (bundle / "card.json").symlink_to("../outside/missing")
    (bundle / "test_data_set_0").symlink_to("../outside/folder")
    os.mkfifo(bundle / "model.pt2")
    (bundle / "model.pth").mkdir()
    return bundle


@pytest.mark.parametrize("name", ["model.onnx", "card.json", "test_data_set_0/input_0.pb"])
def test_links_are_refused_whatever_they_lead_to(hostile, name):
    for ask in (lambda: read_inside(hostile, name, limit=100), lambda: file_inside(hostile, name)):
        with pytest.raises(ModelError, match="is a symbolic link, which is not allowed inside a bundle"):
            ask()


def test_a_link_to_the_bundle_itself_is_the_users_word(hostile, tmp_path):
    (hostile / "data.json").write_bytes(b"{}")
    (tmp_path / "latest").symlink_to(hostile)
    assert read_inside(tmp_path / "latest", "data.json", limit=2) == b"{}"


@pytest.mark.parametrize("name", ["model.pt2", "model.pth"])
def test_what_is_no_file_is_refused_and_a_fifo_does_not_hang(hostile, name):
    with pytest.raises(LinregError, match=r"is not a regular file|Is a directory"):
        read_inside(hostile, name, limit=100)
    with pytest.raises(ModelError, match="is not a regular file"):
        file_inside(hostile, name)


@pytest.mark.parametrize("name", ["", "..", "../outside/secret", "a/../../outside/secret", "/etc/passwd"])
def test_a_name_stays_inside(hostile, name):
    with pytest.raises(ModelError, match="is not a name inside it"):
        read_inside(hostile, name, limit=10**6)


def test_limits_and_missing_files(tmp_path):
    (tmp_path / "data.json").write_bytes(b"abc")
    assert read_inside(tmp_path, "data.json", limit=3) == b"abc"
    assert not file_inside(tmp_path, "card.json")
    assert not file_inside(tmp_path, "missing/card.json")
    with pytest.raises(LinregError, match="exceeds the limit of 2 bytes"):
        read_inside(tmp_path, "data.json", limit=2)
    with pytest.raises(LinregError, match="no such file"):
        read_inside(tmp_path, "card.json", limit=2)


def test_folders_are_made_and_listed_without_following(hostile, tmp_path):
    with pytest.raises(ModelError, match="test_data_set_0: is a symbolic link"):
        make_parent(hostile, "test_data_set_0/input_0.pb")
    with pytest.raises(ModelError, match="test_data_set_0: is a symbolic link"):
        vector_folders(hostile)
    plain = tmp_path / "plain"
    plain.mkdir()
    for place in (10, 9, 0):
        make_parent(plain, f"test_data_set_{place}/input_0.pb")
        make_parent(plain, f"test_data_set_{place}/input_0.pb")
    (plain / "test_data_set_0" / "input_0.pb").write_bytes(b"x")
    assert vector_folders(plain) == ["test_data_set_0", "test_data_set_9", "test_data_set_10"]
    assert files_of(plain, "test_data_set_0") == ["test_data_set_0/input_0.pb"]
    (plain / "test_data_set_0" / "output_0.pb").symlink_to("input_0.pb")
    with pytest.raises(ModelError, match=r"output_0\.pb: is a symbolic link"):
        files_of(plain, "test_data_set_0")
    (plain / "test_data_set_3").write_bytes(b"a file")
    with pytest.raises(ModelError, match="test_data_set_3: expected a folder"):
        vector_folders(plain)


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path):
    """Under `ulimit -v` a buffer of the limit of a state_dict, 2 GiB, is no more to be had."""
    (tmp_path / "data.json").write_bytes(b"{}")
    tracemalloc.start()
    try:
        assert read_inside(tmp_path, "data.json", limit=2**31) == b"{}"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6
    with pytest.raises(LinregError, match="exceeds the limit of 1 bytes"):
        read_inside(tmp_path, "data.json", limit=1)
