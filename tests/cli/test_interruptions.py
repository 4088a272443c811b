"""Kill a command at its n-th operation on files; the same command again succeeds, and the bundle verifies.

Every twelfth n by default; every n with --every-operation, as .ci/run does.
"""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from tests.conftest import PENGUINS, ROOT
from tests.interrupted import KILLED

HERE = ROOT
STRIDE = 12
PAIRS = 6
TRAIN = ["train", PENGUINS, "--target", "body_mass_g", "-o", "b"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run commands in forked children; `run((n, words), ..)` gives their exit codes, `run.folder` is where they run."""
    folder = tmp_path_factory.mktemp("interrupted")
    command = [sys.executable, "-m", "tests.interrupted", str(folder)]
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(*children: tuple[int, list[object]]) -> list[int]:
            process.stdin.write(json.dumps([[count, [*map(str, words)]] for count, words in children]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        ask.folder = folder
        yield ask
        process.stdin.close()


@pytest.fixture
def stride(request):
    return 1 if request.config.getoption("every_operation") else STRIDE


def empty(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def succeeds(run, words, count):
    assert run((0, words)) == [0], (count, (run.folder / "log").read_text())


def sweep(run, stride, start, words, check, *, repeat=True):
    """Kill at every n of a stride, repeat, and check; a command that ends before its n-th operation is the last."""
    for count in range(stride, 10_000, stride):
        empty(run.folder)
        start()
        (code,) = run((count, words))
        assert code in (0, KILLED), (count, (run.folder / "log").read_text())
        if repeat:
            succeeds(run, words, count)
            hidden = {path.name for path in run.folder.rglob(".*")}
            assert not {name for name in hidden if not name.endswith(".linreg-tmp")}, count  # swept an hour later
        check(count)
        if code == 0:
            assert count > 2 * stride, "there are so few operations that nothing was swept"
            return


def test_train(run, stride):
    def check(count):
        succeeds(run, ["evaluate", PENGUINS, "-m", "b"], count)

    sweep(run, stride, lambda: None, TRAIN, check)


def test_train_with_force_over_artifacts(run, stride, penguins):
    def check(count):
        names = sorted(path.name for path in (run.folder / "b").iterdir())
        assert names == ["SHA256SUMS", "card.json", "manifest.json", "model.pth"], count
        succeeds(run, ["evaluate", PENGUINS, "-m", "b"], count)

    start = lambda: shutil.copytree(penguins, run.folder / "b")  # noqa: E731
    sweep(run, stride, start, [*TRAIN, "--split", "1", "--force"], check)


def test_after_a_kill_the_old_model_or_the_new_one_answers(run, stride, penguins):
    """Without repeating the command. Killed between model.pth and card.json, train --force left no usable model."""

    def check(count):
        succeeds(run, ["predict", PENGUINS, "-m", "b", "-o", "out.csv"], count)

    start = lambda: shutil.copytree(penguins, run.folder / "b")  # noqa: E731
    sweep(run, stride, start, [*TRAIN, "--split", "1", "--force"], check, repeat=False)


def test_export(run, stride, penguins):
    def start():
        (run.folder / "b").mkdir()
        for name in ("model.pth", "card.json"):
            shutil.copy(penguins / name, run.folder / "b" / name)

    sweep(run, stride, start, ["export", "-m", "b"], lambda count: succeeds(run, ["verify", "b"], count))


def test_export_over_another_opset(run, stride, penguins):
    sweep(
        run,
        1 if stride == 1 else 2 * stride,
        lambda: shutil.copytree(penguins, run.folder / "b"),
        ["export", "-m", "b", "--opset", "20"],
        lambda count: succeeds(run, ["verify", "b/model.onnx"], count),
    )


def test_predict(run, stride, penguins):
    def check(count):
        assert len((run.folder / "out.csv").read_text().splitlines()) == 345, count

    start = lambda: shutil.copytree(penguins, run.folder / "b")  # noqa: E731
    sweep(run, max(1, stride // 4), start, ["predict", PENGUINS, "-m", "b", "-o", "out.csv"], check)


def test_bench(run, stride, penguins):
    def check(count):
        assert "comparisons" in json.loads((run.folder / "b" / "bench.json").read_text()), count
        assert (run.folder / "b" / "report.html").is_file(), count

    start = lambda: shutil.copytree(penguins, run.folder / "b")  # noqa: E731
    words = ["bench", "-m", "b", "--processes", "1", "--rounds", "10", "--batch", "1"]
    sweep(run, max(2 * stride, 4), start, words, check)


def test_pairs_of_writers(run, stride, penguins):
    """Each pair ends with one success and one clear refusal, or two successes, and a bundle that verifies."""
    commands = [
        ["export", "-m", "b", "-f", "onnx"],
        ["export", "-m", "b", "-f", "torchscript"],
        ["export", "-m", "b", "-f", "onnx", "--opset", "20", "--wait"],
        [*TRAIN, "--split", "1", "--force"],
        [*TRAIN, "--no-shuffle", "--force", "--wait"],
        ["plot", PENGUINS, "-m", "b"],
    ]
    generator = random.Random(20261126)
    ends: Counter[tuple[int, ...]] = Counter()
    empty(run.folder)
    for place in range(PAIRS if stride > 1 else 100):
        if place % 4 == 0:
            shutil.rmtree(run.folder / "b", ignore_errors=True)
            shutil.copytree(penguins, run.folder / "b")
        (run.folder / "log").unlink(missing_ok=True)
        pair = generator.sample(commands, 2)
        codes = run((0, pair[0]), (0, pair[1]))
        log = (run.folder / "log").read_text()
        refusals = [line for line in log.splitlines() if line.startswith("error: ")]
        assert 0 in codes, (pair, log)
        assert sorted(codes) in ([0, 0], [0, 1]), (pair, log)
        assert len(refusals) == codes.count(1), (pair, log)
        clear = ("is writing there; wait for it to end, or add --wait", "holds another model; use --force")
        assert all(any(text in line for text in clear) for line in refusals), refusals
        succeeds(run, ["export", "-m", "b"], place)
        succeeds(run, ["verify", "b"], place)
        ends[tuple(sorted(codes))] += 1
    assert stride > 1 or ends[0, 1], "of a hundred pairs none met"
