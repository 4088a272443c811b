"""Translate the option names and values of other tools into linreg's."""

from collections.abc import Collection

ARGUMENT = "argument"
"""Stands for a command's positional argument."""

OPTIONS = {
    "--model": "-m model checkpoint ckpt weights bundle model-path model-file model-dir pretrained",
    "--output": "-m model out out-dir output-dir output-file output-path dest save save-to save-dir out-file bundle",
    ARGUMENT: "-m model checkpoint ckpt bundle model-path file path table csv data dataset input",
    "--format": "fmt formats type to export-format output-format",
    "--method": "optimizer optimiser optim solver algorithm algo",
    "--lr": "learning-rate alpha eta step-size learningrate",
    "--epochs": "num-epochs n-epochs max-epochs max-iter iterations steps num-steps",
    "--batch-size": "batch batches bs batch-sizes",
    "--batch": "batch-size batches batch-sizes bs",
    "--target": "target-column target-col target-name label label-column y y-column dependent response predict",
    "--features": "columns feature-columns feature-names x x-columns inputs predictors feature",
    "--columns": "keep keep-columns pass pass-through passthrough id ids id-column id-columns usecols",
    "--delimiter": "sep separator delim field-separator",
    "--decimal": "dec decimal-point decimal-mark decimal-separator",
    "--thousands": "thousands-separator thousands-sep grouping",
    "--missing": "na-values na null-values null missing-values",
    "--split": "train-split test-size train-size test-split validation-split",
    "--seed": "random-state random-seed manual-seed rng",
    "--no-bias": "no-intercept no-fit-intercept without-bias",
    "--loss": "criterion loss-function loss-fn objective",
    "--dtype": "precision data-type torch-dtype",
    "--device": "gpu cuda cpu accelerator",
    "--opset": "opset-version onnx-opset opset-ver",
    "--input": "input-shape input-spec example-input shape inputs",
    "--state-dict": "state weights checkpoint ckpt params parameters",
    "--rounds": "repeats repeat runs iterations number n-runs",
    "--processes": "workers num-workers n-jobs jobs",
    "--threads": "num-threads intra-op-threads n-threads",
    "--compare": "baseline old previous against-report",
    "--fail-slower": "threshold fail-threshold max-slowdown regression-threshold",
    "--compile": "torch-compile compiled",
    "--variant": "variants row own",
    "--force": "overwrite -f -y yes exist-ok",
    "--trust": "trusted trust-remote-code unsafe allow-unsafe",
    "--no-shuffle": "noshuffle keep-order",
    "--json": "as-json output-json",
    "--plots": "plot figures pictures plot-dir",
    "--data": "table csv rows dataset",
    "--help": "usage -? man",
}
"""Names in other tools by our option; single letters have their dash, long names do not."""

VALUES = {
    "torchscript": "script scripted jit ts torch-script libtorch",
    "torchscript-trace": "trace traced",
    "pt2": "torch-export exported-program export ep pt pth torch pytorch aot",
    "c": "h c99 cpp c++ c-source source",
    "exact": "ols lstsq least-squares closed-form normal normal-equation qr svd linear",
    "sgd": "gd gradient-descent descent",
    "adam": "adamw",
    "lbfgs": "l-bfgs bfgs",
    "l1": "mae l1loss absolute",
    "mse": "l2 rmse squared mseloss",
    "huber": "smooth-l1 smoothl1 huberloss",
    "cuda": "gpu cuda:0 nvidia",
    "float16": "fp16 half f16",
    "float32": "fp32 float single f32",
    "float64": "fp64 double f64",
    "linear": "v2 nn.linear",
    "parameter": "v1 nn.parameter parameters",
}
"""Names in other tools by our value of a choice."""


def option_meant(word: str, options: Collection[str]) -> str | None:
    """Return our name for an unknown option; None if it is not recognised.

    Args:
        word: unknown option, such as `--learning_rate`.
        options: options of the command, and `ARGUMENT` if it takes one.
    """
    turned = next((option for option in options if sorted(option) == sorted(word)), None)
    if turned is not None:
        return turned
    name = word if word.startswith("-") and not word.startswith("--") else word.strip("-").lower().replace("_", "-")
    return next((ours for ours, names in OPTIONS.items() if ours in options and name in names.split()), None)


def value_meant(word: str, choices: Collection[str]) -> str | None:
    """Return our name for an unknown value of a choice; None if it is not recognised."""
    name = word.lower().replace("_", "-")
    return next((ours for ours, names in VALUES.items() if ours in choices and name in names.split()), None)
