"""The engine on a real Ray: order, errors, workers that die, and what is left."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from linreg.engines.ray_cluster import ray_cluster
from linreg.engines.ray_driver import check_reachable
from linreg.errors import DataError, LinregError
from tests.ray import tasks
from tests.ray.processes import killing, session_of, wait_for_driver, wait_until_gone

pytestmark = pytest.mark.ray
ROOT = Path(__file__).resolve().parents[2]


def test_results_come_in_order_from_several_processes(two_workers):
    found = list(two_workers.run(tasks.slow_square, range(20), 0.02, workers=2))
    assert [square for square, _ in found] == [number * number for number in range(20)]
    assert len({process for _, process in found}) == 2
    assert os.getpid() not in {process for _, process in found}


def test_no_unit_gives_no_result(two_workers):
    assert list(two_workers.run(tasks.refuse, [], workers=2)) == []


def test_an_error_of_linreg_comes_back_as_itself(two_workers):
    with pytest.raises(DataError) as caught:
        list(two_workers.run(tasks.refuse, range(4), workers=2))
    assert str(caught.value) == "table.parquet: row 3: 'x' is no number\nin a second line"
    assert type(caught.value) is DataError


def test_the_results_before_an_error_arrive():
    with ray_cluster(None, 1) as engine:
        results = engine.run(tasks.refuse, range(4), workers=1)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(DataError):
            next(results)


@pytest.mark.parametrize(("function", "match"), [(tasks.fail, "^a bug$"), (tasks.fail_oddly, "^OddError: oneother$")])
def test_a_bug_is_no_error_of_linreg(two_workers, function, match):
    with pytest.raises((ZeroDivisionError, RuntimeError), match=match):
        list(two_workers.run(function, range(1), workers=2))


def test_a_package_that_a_worker_lacks_is_not_missing_here(two_workers):
    lacks = f"^--engine ray: the worker {socket.gethostname()} has no package onnxruntime; install"
    with pytest.raises(LinregError, match=lacks):
        list(two_workers.run(tasks.lack, range(1), workers=2))


def test_after_an_error_the_next_call_gets_its_own_results(two_workers):
    with pytest.raises(DataError):
        list(two_workers.run(tasks.refuse, range(9), workers=2))
    assert list(two_workers.run(tasks.refuse, [7, 8], workers=2)) == [7, 8]


def test_a_task_runs_again_if_its_worker_dies(two_workers, tmp_path):
    assert list(two_workers.run(tasks.die_once, range(3), tmp_path, workers=2)) == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]


def test_an_exception_is_not_tried_again(two_workers, tmp_path):
    with pytest.raises(FileNotFoundError):
        list(two_workers.run(tasks.die_once, range(1), tmp_path / "missing", workers=2))


def test_killed_workers_change_no_result(two_workers):
    with killing(two_workers.leader) as killed:
        found = list(two_workers.run(tasks.slow_square, range(12), 0.3, workers=2))
    assert [square for square, _ in found] == [number * number for number in range(12)]
    assert len(killed) == 3


def test_a_task_whose_workers_always_die_is_one_line(two_workers):
    with pytest.raises(
        LinregError, match=r"--engine ray: a task was lost 6 times: .*; give its workers more"
    ) as caught:
        list(two_workers.run(tasks.die, range(1), workers=2))
    assert str(caught.value).isprintable()


def test_a_task_works_in_this_folder_with_one_thread(two_workers):
    (found,) = two_workers.run(tasks.surroundings, range(1), workers=2)
    assert found["folder"] == str(Path.cwd())
    assert found["linreg"] == sys.modules["linreg"].__file__
    assert found["arrow"] == (1, 1)
    assert set(found["environment"].values()) == {"1"}


def test_a_file_beside_the_data_does_not_replace_linreg(tmp_path, monkeypatch):
    (tmp_path / "linreg.py").write_text("raise SystemExit('this is not linreg')\n")
    monkeypatch.chdir(tmp_path)
    with ray_cluster(None, 1) as engine:
        (found,) = engine.run(tasks.surroundings, range(1), workers=1)
    assert found["folder"] == str(tmp_path)
    assert found["linreg"] == sys.modules["linreg"].__file__


def test_nothing_is_left_at_the_end(tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))  # Ray would write a token there, for every later cluster
        with ray_cluster(None, 1) as engine:
            assert list(engine.run(tasks.refuse, [1], workers=1)) == [1]
            assert len(session_of(engine.leader)) > 3
            assert len(list(Path(folder).iterdir())) == 1
        wait_until_gone(engine.leader)
        assert list(Path(folder).iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_temporary_files_with_a_long_path(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with ray_cluster(None, 1) as engine:
        assert list(engine.run(tasks.refuse, [1], workers=1)) == [1]
    assert list(folder.iterdir()) == []


def test_a_cluster_that_runs_is_joined_and_goes_on(two_workers, monkeypatch):
    lines = " ".join(session_of(two_workers.leader).values())
    variables = dict(
        line.split("=", 1) for line in Path(f"/proc/{two_workers.leader}/environ").read_text().split("\0") if line
    )
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, variables[name])
    address = re.search(r"--gcs-address=(\S+)", lines)[1]
    with ray_cluster(address) as engine:
        (joined,) = engine.run(tasks.slow_square, [3], 0.0, workers=2)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with ray_cluster() as engine:
        assert list(engine.run(tasks.refuse, [1], workers=2)) == [1]
        assert len(session_of(engine.leader)) == 1, "it starts no Ray of its own"
    assert joined[0] == 9
    assert list(two_workers.run(tasks.refuse, [0, 1], workers=2)) == [0, 1]


def test_a_missing_cluster_is_one_line():
    no_cluster = r"^--engine ray: no cluster at 127.0.0.1:9: .*; check --address"
    with pytest.raises(LinregError, match=no_cluster) as caught, ray_cluster("127.0.0.1:9"):
        pass
    assert str(caught.value).isprintable()


def test_a_cluster_that_ray_remembers_has_ended(tmp_path, monkeypatch):
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{port}")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)  # auto would find that of another test
    with pytest.raises(ConnectionRefusedError, match=f"^.*:{port}: Connection refused$"):
        check_reachable("auto")


def test_another_program_at_the_address_never_answers(monkeypatch):
    monkeypatch.setattr("linreg.engines.ray_cluster.JOIN_LIMIT_S", 3.0)
    with socket.create_server(("", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        no_cluster = f"^--engine ray: no cluster at {address}: got no answer in 3 s; check --address$"
        with pytest.raises(LinregError, match=no_cluster), ray_cluster(address):
            pass


def test_a_cluster_that_ends_is_not_a_task_that_was_lost():
    with (
        pytest.raises(LinregError, match=r"^--engine ray: a task cannot be run: .*; check the cluster") as caught,
        ray_cluster(None, 1) as engine,
    ):
        for square, _ in engine.run(tasks.slow_square, range(50), 0.2, workers=1):
            if square == 4:
                (raylet,) = [pid for pid, line in session_of(engine.leader).items() if "/raylet/raylet " in line]
                os.kill(raylet, signal.SIGKILL)
    assert str(caught.value).isprintable()


PROGRAM = """
import sys
from linreg.engines.ray_cluster import ray_cluster
from linreg.engines.ray_driver import check_reachable
from tests.ray.tasks import slow_square
with ray_cluster(None, 2) as engine:
    print("joined", flush=True)
    list(engine.run(slow_square, range(400), 0.5, workers=2))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ray_stops_when_its_caller_ends(number):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with program:
        assert program.stdout.readline() == b"joined\n"
        driver = wait_for_driver(program.pid)
        program.send_signal(number)
        _, errors = program.communicate(timeout=20)
    assert program.returncode == -number
    assert (
        b"ray" not in errors.replace(b"ray_cluster", b"").replace(b"tests.ray", b"") or b"KeyboardInterrupt" in errors
    )
    wait_until_gone(driver)


def test_a_driver_that_dies_is_one_line():
    with (
        pytest.raises(
            LinregError, match=r"^Ray: its driver process was ended by SIGKILL; run the command again$"
        ) as caught,
        ray_cluster(None, 1) as engine,
    ):
        for square, _ in engine.run(tasks.slow_square, range(50), 0.2, workers=1):
            if square == 4:
                os.kill(engine.leader, signal.SIGKILL)
    assert str(caught.value).isprintable()
    wait_until_gone(engine.leader)
