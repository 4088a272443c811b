"""The network behind C, JavaScript and SQL."""

import export.formats.onnx
from export.formats.c import to_c
from export.formats.js import to_js
from export.formats.sql import to_sql
from tests.feed_forward_networks import NETWORKS, network, source_of


def test_all_formats_of_an_export_read_one_onnx_file(monkeypatch):
    written = []
    to_onnx = export.formats.onnx.to_onnx
    monkeypatch.setattr(
        export.formats.onnx, "to_onnx", lambda *given, **options: written.append(given[0]) or to_onnx(*given, **options)
    )
    source = source_of(network("mlp"), NETWORKS["mlp"][1])
    first = to_c(source)
    assert to_js(source) and to_sql(source)
    assert written == [source]
    other = source_of(network("mlp"), NETWORKS["mlp"][1])
    assert to_c(other) == first
    assert written == [source, other]
