"""What `linreg.export`, `verify` and `bench` take, and how they refuse anything else; what their results print."""

from pathlib import Path

import numpy as np
import pytest
import torch

import linreg

INPUT = "x=float32[batch,3]"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def net():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())


def test_a_single_input_needs_no_list(net):
    linreg.export(net, "one", inputs=INPUT)
    linreg.export(net, "list", inputs=[INPUT], input_names="x")
    assert Path("one/model.onnx").read_bytes() == Path("list/model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"example": np.zeros((2, 3))}, r"example: got ndarray, expected a torch\.Tensor, or a list of them"),
        ({"example": [np.zeros((2, 3))]}, r"example: item 0 is ndarray, expected a torch\.Tensor"),
        ({"inputs": {"x": "float32[batch,3]"}}, r"inputs: got dict, expected a text such as x=float32\[batch,16\]"),
        ({"inputs": [3]}, "inputs: item 0 is int, expected a text"),
        ({"inputs": "x"}, "^inputs: got 'x', expected NAME="),
        ({"inputs": INPUT, "formats": None}, "formats: got None, expected any of onnx"),
        ({"inputs": INPUT, "formats": "tflite"}, "formats: got 'tflite', .*; a converter to tflite reads ONNX"),
        ({"inputs": INPUT, "formats": []}, "formats: got none"),
        ({"inputs": INPUT, "dtype": "int8"}, "^dtype: got 'int8', expected one of float16"),
        ({"inputs": INPUT, "opset": "18"}, "opset: got '18', expected a number from 13 to 26"),
        ({"inputs": INPUT, "input_names": 3}, "input_names: got int, expected a text"),
        ({"inputs": "x=float32[batch,5]"}, "check inputs, and use static=True with a fixed shape"),
    ],
)
def test_what_export_cannot_use_is_refused(net, options, message):
    with pytest.raises(linreg.ExportError if "names" not in message else linreg.LinregError, match=message):
        linreg.export(net, "net", **options)
    assert not Path("net").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: x, "got a function, expected"),
        (torch.nn.Linear, "got the class Linear, expected .*; pass an instance of it"),
        (3, "got int, expected the path of a bundle"),
    ],
)
def test_what_is_no_model_is_named_first(model, message):
    with pytest.raises(linreg.ExportError, match=message):
        linreg.export(model, "net", inputs=INPUT)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda net: linreg.export(net, None, inputs=INPUT), "folder: got NoneType, expected a path"),
        (lambda net: linreg.export(net, "net", [INPUT]), "export: got 3 arguments without a name, expected at most 2"),
        (lambda net: linreg.verify(123), "bundle: got int, expected a path"),
        (lambda net: linreg.verify("net", data=3), "data: got int, expected a path"),
        (
            lambda net: linreg.bench("net", batches=[0]),
            r"^batches: got \[0\], expected integers from 1 to 1048576$",
        ),
        (lambda net: linreg.bench("net", batches=0), "^batches: got 0, expected integers from 1 to 1048576$"),
        (lambda net: linreg.bench("net", batches="1 2"), "separated by commas: 1,2$"),
        (lambda net: linreg.bench("net", processes="2"), "processes: got '2', expected 1 to"),
        (lambda net: linreg.bench("net", inputs=3), "inputs: got int, expected a text or a list of texts"),
        (lambda net: linreg.bench(None), "model: got NoneType, expected a bundle"),
        (lambda net: linreg.compare(print, 3), "variant: got int, expected a function without arguments"),
        (lambda net: linreg.compare(print, print, rounds="9"), "rounds: got '9', expected at least"),
    ],
)
def test_other_wrong_arguments(net, use, message):
    with pytest.raises(linreg.LinregError, match=message):
        use(net)


def test_one_batch_size_needs_no_list():
    from bench.plan.settings import parse_counts

    assert parse_counts(64, 4096) == (64,)


def test_an_existing_bundle_is_kept_in_the_words_of_python(net):
    linreg.export(net, "net", inputs=INPUT)
    with pytest.raises(linreg.LinregError, match=r"use force=True to .*, or another folder$"):
        linreg.export(torch.nn.Linear(3, 2), "net", inputs=INPUT)
    with pytest.raises(linreg.ModelError, match=r"model\.onnx: is an exported file.*; load its bundle: net$"):
        linreg.export("net/model.onnx", "other")
    with pytest.raises(linreg.ModelError, match="is the state_dict of a module of your own; "):
        linreg.load("net")


def test_results_print_as_tables_and_have_one_style_of_repr(net):
    bundle = linreg.export(net, "net", inputs=INPUT, formats=["onnx", "torchscript"])
    assert repr(bundle) == "Bundle('net', model.onnx, model.torchscript)"
    size = f"{Path('net/model.onnx').stat().st_size:,}"
    lines = str(bundle).splitlines()
    assert lines[0] == "net" and lines[1].split() == ["file", "bytes"]
    assert ["model.onnx", size] in [line.split() for line in lines]
    verified = linreg.verify("net")
    assert repr(verified).startswith("VerifiedBundle('net', 2 of 2 artifacts, error / allowed ")
    header, first, second = str(verified).splitlines()
    assert header.startswith("file") and "error / allowed" in header
    assert first.split()[0] == "model.onnx" and second.split()[0] == "model.torchscript"
