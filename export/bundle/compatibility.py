"""Which onnxruntime reads which file: the oldest versions that were really run, and no others."""

OLDEST_ONNXRUNTIME = {18: "1.15.1", 19: "1.16.3", 20: "1.17.3", 21: "1.18.1", 22: "1.22.1", 26: "1.32.0"}
"""By the highest opset, with the lowest IR version that it allows: the oldest onnxruntime that answered rightly.

Run on 2026-11-23, Linux x86-64, Python 3.11, CPU provider: a Gemm, an MLP, a ConvNet, an LSTM and a transformer encoder
layer at every opset from 13 to 26, on onnxruntime 1.15.1 (the oldest that was tried), 1.16.3, 1.17.3, 1.18.1, 1.19.2,
1.20.1, 1.22.1 and 1.32.0. `tests/export/bundle/test_old_runtimes.py` runs the reference bundles on 1.15.1 again.
"""


def oldest_onnxruntime(opset: int) -> str:
    """The oldest onnxruntime that was shown to run files of an opset; `unknown` beyond those tried."""
    return next((version for highest, version in sorted(OLDEST_ONNXRUNTIME.items()) if opset <= highest), "unknown")
