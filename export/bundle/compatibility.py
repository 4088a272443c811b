"""The oldest onnxruntime version that runs a file correctly, as found in real runs."""

OLDEST_ONNXRUNTIME = {18: "1.15.1", 19: "1.16.3", 20: "1.17.3", 21: "1.18.1", 22: "1.22.1", 26: "1.32.0"}
"""The oldest onnxruntime with correct outputs, by the highest opset, at the lowest IR version that the opset allows.

Run on 2026-11-23, Linux x86-64, Python 3.11, CPU provider: a Gemm, an MLP, a ConvNet, an LSTM and a transformer encoder
layer at every opset from 13 to 26, on onnxruntime 1.15.1 (the oldest tested), 1.16.3, 1.17.3, 1.18.1, 1.19.2,
1.20.1, 1.22.1 and 1.32.0. `tests/export/bundle/test_old_runtimes.py` runs the committed bundles on 1.15.1 again.
"""


def oldest_onnxruntime(opset: int) -> str:
    """Return the oldest onnxruntime version known to run files of an opset; `unknown` if the opset was not tested."""
    return next((version for highest, version in sorted(OLDEST_ONNXRUNTIME.items()) if opset <= highest), "unknown")
