"""Reports that the gate does not compare."""

from dataclasses import asdict

import pytest

from tests.bench_measured import environments
from tests.bench_reports import REFERENCE, floor, struck_out
from tests.gate_reports import LIMIT, compare_reports, made, refused, spread, timed


@pytest.mark.parametrize(
    ("name", "value"), [("processor", "Cortex-A72"), ("cores", 64), ("cuda", "NVIDIA H100")], ids=str
)
def test_another_machine_is_refused(name, value):
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    was = old["environment"][name]
    new["environment"][name] = value
    message = refused(old, new)
    assert f"the old report has {name} {was!r}, this one {value!r}" in message
    assert "the same machine" in message


@pytest.mark.parametrize(
    ("name", "value"), [("load_1min", 9.0), ("system", "Linux 9"), ("clock_resolution_s", 1.0)], ids=str
)
def test_what_may_differ_is_not_refused(name, value):
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    new["environment"][name] = value
    assert len(compare_reports(old, new, limit=LIMIT)) == 1


@pytest.mark.parametrize("name", ["torch", "onnxruntime", "numpy"])
def test_another_version_of_a_package_is_refused(name):
    """Another torch may have changed eager itself, to which all ratios refer."""
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    was = old["environment"]["versions"].get(name, "none")
    new["environment"]["versions"] = {**old["environment"]["versions"], name: "99.1"}
    message = refused(old, new)
    assert f"the old report has {name} {was!r}, this one '99.1'" in message
    assert message.endswith("--env old=PYTHON --env new=PYTHON")


def test_another_python_is_refused():
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    new["environment"]["python"] = "3.99.0"
    assert f"the old report has Python {old['environment']['python']!r}, this one '3.99.0'" in refused(old, new)


@pytest.mark.parametrize(
    ("before", "after", "same"), [(None, None, True), (None, 1, True), (1, None, True), (2, None, False), (1, 2, False)]
)
def test_other_threads_of_onnxruntime_are_refused_and_the_same_are_not(before, after, same):
    """None: those of torch, of which there is one."""
    reports = [made(timed("a", spread(1.0))) for _ in range(2)]
    for value, threads in zip(reports, (before, after), strict=True):
        value["settings"]["onnxruntime_threads"] = threads
    if same:
        assert len(compare_reports(*reports, limit=None)) == 1
    else:
        message = refused(*reports)
        assert f"onnxruntime threads [{before}], this one [{after or 1}]" in message
        assert "run with the same --onnxruntime-threads" in message


def test_other_threads_are_refused():
    old, new = made(timed("a", spread(1.0))), made(timed("a", spread(1.0)))
    new["settings"]["threads"] = [2]
    message = refused(old, new)
    assert "threads [1], this one [2]" in message
    assert "--threads" in message


def test_another_reference_is_refused():
    old = made(timed("a", spread(1.0)), reference="eager-grad")
    message = refused(old, made(timed("a", spread(1.0))))
    assert "'eager-grad'" in message
    assert f"'{REFERENCE}'" in message
    assert message.endswith("use --reference eager-grad")


def test_a_report_of_environments_is_refused_for_what_it_is():
    """Its reference is an environment, which no --reference can name."""
    found = asdict(environments())
    message = refused(made(timed("a", spread(1.0)), environments=found), made(timed("a", spread(1.0))))
    assert "compares environments" in message
    assert message.endswith("--env old=PYTHON --env new=PYTHON")


@pytest.mark.parametrize(
    "new",
    [made(timed("b", spread(1.0))), made(timed("a", spread(1.0)), batch=64), made(floor()), made(struck_out("a"))],
    ids=["name", "batch", "floor", "struck out"],
)
def test_reports_without_a_common_row_are_refused(new):
    message = refused(made(timed("a", spread(1.0))), new)
    assert "no row in common" in message
    assert "--batch" in message


@pytest.mark.parametrize(("before", "after"), [(1, 10), (10, 1), (1, 1)])
def test_one_process_is_refused(before, after):
    """The whole line would pass every slowdown in silence."""
    old, new = (
        made(timed("a", spread(1.0, count=before))),
        made(timed("a", spread(2.0, count=after))),
    )
    message = refused(old, new)
    assert "two processes or more" in message
    assert "--processes" in message
