"""Wrong usage: an option that does not apply is refused, and other tools' words are understood."""

from pathlib import Path

import pytest

from tests.conftest import PENGUINS, TESTS, contents

NETS = TESTS / "nets.py"
TABLE = ["train", PENGUINS, "--target", "body_mass_g"]
MODULE = ["--module", f"{NETS}:make_mlp", "--input", "x=float32[batch,16]"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--no-shuffle"], "--no-shuffle belongs to a table"),
        (["train", "--features", "a"], "--target and --features belong to a table"),
        (["train", "--allow-collinear"], "--allow-collinear applies to --method exact, and the method is sgd"),
        ([*TABLE, "--method", "adam", "--allow-collinear"], "and the method is adam"),
        ([*TABLE, "--start", "0"], "--start belongs to the straight line"),
        ([*TABLE, "--end", "1"], "--end belongs to the straight line"),
        ([*TABLE, "--step", "0.02"], "--step belongs to the straight line"),
        ([*TABLE, "--bias", "0.3"], "--bias belongs to the straight line"),
        *(
            ([*TABLE, *option], f"{option[0]} applies to the gradient methods")
            for option in (
                ["--lr", "0.01"],
                ["--loss", "l1"],
                ["--epochs", "1000"],
                ["--batch-size", "4"],
                ["--test-every", "10"],
                ["--device", "cpu"],
            )
        ),
        (["train", "--method", "exact", "--epochs", "10"], "--epochs applies to the gradient methods"),
        (["train", "--method", "exact", "--seed", "42"], "--seed has no effect"),
        ([*TABLE, "--no-shuffle", "--seed", "42"], "--seed has no effect"),
        (
            ["train", "--architecture", "parameter", "--no-bias"],
            "--no-bias cannot be combined with --architecture parameter",
        ),
        (["export", "-f", "pt2", "-f", "torchscript", "--opset", "18"], "and the format is pt2 and torchscript"),
        (["export", "-f", "c", "--opset", "18"], "--opset applies to ONNX, and the format is c; add --format onnx"),
        (["export", "-f", "js", "--prefix", "linreg"], "--prefix applies to C source; add --format c"),
        (["export", "-f", "c", "--prefix", ""], "--prefix got an empty value"),
        (["export", "--static", "--data", PENGUINS], "--data needs a dynamic batch size, and --static fixes it"),
        (["export", *MODULE, "-o", "d", "-m", "b"], "cannot be combined with --model, --data or --unit"),
        (["export", *MODULE, "-o", "d", "--unit", "x=g"], "cannot be combined with --model, --data or --unit"),
        (["export", "--input", "x=float32[batch,16]"], "--input applies to your own module"),
        (["export", "--module", ""], "--module got an empty value"),
        *(
            (
                ["bench", "--against", "b/model.onnx", *option],
                f"{option[0]} has no effect: --against times only two artifacts",
            )
            for option in (
                ["--device", "cpu"],
                ["--device", "auto"],
                ["--compile"],
                ["--variant", "rows.py:mine"],
                ["--runtimes", "deploy"],
                ["--reference", "this"],
            )
        ),
        (
            ["bench", "--against", "b", "--compare", "c", "--fail-slower", "3%"],
            "--fail-slower needs either --compare or --against",
        ),
        (["bench", *MODULE, "--runtimes", "deploy"], "--runtimes needs a model of linreg train"),
        (["bench", *MODULE, "--trust"], "--trust applies to the programs of a bundle"),
        (["bench", *MODULE, "--force"], "--force has no effect"),
        (["bench", "--json", "--markdown"], "--markdown and --json exclude each other"),
        (["bench", "--device", "cuda", "--variant", "rows.py:mine"], "--variant adds a row on the CPU"),
        (["bench", "--processes", "7", "--target", "1%"], "--target has no effect: 7 processes always run"),
        (["bench", "--reference", ""], "--reference got an empty value"),
        (["bench", "--module", ""], "--module got an empty value"),
    ],
    ids=lambda value: "-".join(map(str, value)).replace(str(PENGUINS.parent), "") if isinstance(value, list) else "",
)
def test_an_option_that_does_not_apply_is_refused_before_anything(linreg, tmp_path, words, message):
    assert message in linreg(*words).failure(2)
    assert contents(tmp_path) == {}


def test_defaults_are_not_refused(linreg):
    """Only what stands on the command line is: an exact fit has epochs, and a sgd fit has collinear columns."""
    for words in (["-o", "a"], ["--method", "sgd", "--epochs", "5", "--seed", "1", "-o", "b"]):
        assert linreg(*TABLE, *words).code == 0
    assert linreg("export", "-m", "a", "-f", "onnx", "-f", "pt2", "--opset", "18").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "-output", "x"], "No such option: -output; did you mean --output?"),
        (["export", "-model=b"], "No such option: -model; did you mean --model?"),
        (["export", "-format", "onnx"], "No such option: -format; did you mean --format?"),
    ],
)
def test_a_long_option_with_one_dash_is_not_read_as_a_short_one(linreg, tmp_path, words, message):
    assert message in linreg(*words).failure(2)
    assert contents(tmp_path) == {}


def test_of_an_option_that_stands_twice_the_last_counts(linreg):
    """As everywhere: a shell's alias has words of its own."""
    assert linreg("train", "--epochs", "9", "--epochs", "5", "-o", "a", "-o", "b").code == 0
    assert not Path("a").exists()
    assert linreg("export", "-m", "b", "-f", "onnx", "-f", "torchscript", "--force", "--force").code == 0
    assert {"model.onnx", "model.torchscript"} <= {path.name for path in Path("b").iterdir()}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "--optimizer", "adam"], "--optimizer; did you mean --method?"),
        (["train", "--learning-rate", "1"], "--learning-rate; did you mean --lr?"),
        (["train", "--learning_rate=1"], "--learning_rate; did you mean --lr?"),
        (["train", "--num-epochs", "5"], "--num-epochs; did you mean --epochs?"),
        (["train", "--target-column", "y"], "--target-column; did you mean --target?"),
        (["train", "--batch", "4"], "--batch; did you mean --batch-size?"),
        (["train", "--random-state", "4"], "--random-state; did you mean --seed?"),
        (["train", "-m", "b"], "-m; did you mean --output?"),
        (["bench", "--batch-size", "4"], "--batch-size; did you mean --batch?"),
        (["bench", "--modle", "b"], "--modle; did you mean --model?"),
        (["bench", "--checkpoint", "b"], "--checkpoint; did you mean --model?"),
        (["bench", "--bundle", "b"], "--bundle; did you mean --model?"),
        (["export", "--fmt", "onnx"], "--fmt; did you mean --format?"),
        (["export", "--opset-version", "18"], "--opset-version; did you mean --opset?"),
        (["verify", "-m", "my b"], "-m; pass it without an option: linreg verify 'my b'"),
        (["verify", "--model", "b"], "pass it without an option: linreg verify b"),
        (["predict", "--table", "t.csv"], "pass it without an option: linreg predict t.csv"),
        (["doctor", "--verbose"], "No such option: --verbose; see: linreg doctor --help"),
        (["export", "-f", "tflite"], "a converter to tflite reads ONNX: -f onnx"),
        (["export", "-f", "script"], "did you mean 'torchscript'?"),
        (["export", "-f", "PT"], "did you mean 'pt2'?"),
        (["train", "--method", "ols"], "did you mean 'exact'?"),
        (["train", "--loss", "mae"], "did you mean 'l1'?"),
        (["train", "--device", "gpu"], "did you mean 'cuda'?"),
        (["train", "--dtype", "double"], "did you mean 'float64'?"),
        (["bench", "--batch", "1", "4096"], "(4096); write several values as one argument: --batch 1,4096"),
        (["bench", "--batch=1", "64", "4096"], "write several values as one argument: --batch 1,64,4096"),
        (["bench", "--batch", "1 4096"], "separated by commas: 1,4096"),
        (["bench", "--batch", "1;64;4096"], "separated by commas: 1,64,4096"),
        (["bench", "--threads", "1", "2"], "write several values as one argument: --threads 1,2"),
        (["train", "--split", "0.7", "0.15", "0.15"], "write several values as one argument: --split 0.7/0.15/0.15"),
        ([*TABLE, "--features", "a", "b"], "write several values as one argument: --features a,b"),
        (["export", "-f", "onnx", "pt2"], "repeat the option for each: -f onnx -f pt2"),
        (["export", "b"], "name the model with -m: linreg export -m b"),
        (["predict", PENGUINS, "b.onnx"], f"name the model with -m: linreg predict {PENGUINS} -m b.onnx"),
        (["train", PENGUINS, "body_mass_g"], "is it the column to predict? --target body_mass_g"),
        (["verify", "a", "b"], "linreg verify takes one BUNDLE at a time"),
        (["evaluate", PENGUINS, PENGUINS, "-m", PENGUINS.parent], "linreg evaluate takes one TABLE at a time: for"),
        (
            ["train", PENGUINS, PENGUINS, "--target", "body_mass_g"],
            f"takes one TABLE at a time: for several files as one table, quote a pattern: '{PENGUINS.parent}/*.csv'",
        ),
        (["demo", "a"], "linreg demo takes options only"),
    ],
    ids=lambda value: "-".join(map(str, value[:3])) if isinstance(value, list) else "",
)
def test_wrong_words_are_told_what_to_type(linreg, tmp_path, words, hint):
    message = linreg(*words).failure(2)
    assert hint in message
    assert f"see: linreg {words[0]} --help" in message
    assert contents(tmp_path) == {}
