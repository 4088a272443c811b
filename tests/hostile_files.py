"""Files below 10 MB that are made to cost much: of every kind that `linreg inspect` reads."""

import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable

import pytest

SIZE = 9_900_000
HEADER_OF_C = "/* An affine model: output = input * weight^T + bias. C source exported by linreg; do not edit.\n"
HEADER_OF_JS = HEADER_OF_C.replace("C source", "JavaScript")


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, value: bytes | int) -> bytes:
    """A field of protobuf: a number or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx_file(graph: bytes, *others: bytes) -> bytes:
    return field(1, 8) + field(8, field(2, 18)) + b"".join(others) + field(7, graph)


def filled(part: bytes) -> bytes:
    return part * ((SIZE - 100) // len(part))


NODE = field(1, field(1, b"a") + field(2, b"b") + field(4, b"Neg"))


def nested(depth: int) -> bytes:
    """A node whose attribute is a graph with such a node, and so on."""
    inner = b""
    for _ in range(depth):
        inner = field(1, field(5, field(6, inner)))
    return inner


def metadata(key: bytes, value: bytes) -> bytes:
    return field(14, field(1, key) + field(2, value))


def random_bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(SIZE)


def distinct_operators() -> bytes:
    names = (field(1, field(4, b"Operator%d" % place)) for place in range(300_000))
    return b"".join(names)


def parameters_of_long_names() -> bytes:
    return b"".join(field(5, field(8, b"%06d" % place + b"n" * 300)) for place in range(30_000))


ONNX: dict[str, Callable[[], bytes]] = {
    "empty messages": lambda: onnx_file(filled(field(1, b""))),
    "small nodes": lambda: onnx_file(filled(NODE)),
    "distinct operators": lambda: onnx_file(distinct_operators()),
    "nested graphs": lambda: onnx_file(NODE + nested(2_000)),
    "a name of 9 MB": lambda: onnx_file(field(1, field(4, b"N" * (SIZE - 100)))),
    "names of 300": lambda: onnx_file(NODE + parameters_of_long_names()),
    "metadata of 9 MB": lambda: onnx_file(NODE, metadata(b"key", b"\x1b[31m" * (SIZE // 5 - 50))),
    "nested JSON": lambda: onnx_file(NODE, metadata(b"key", b"[" * (SIZE - 100))),
    "many metadata": lambda: onnx_file(NODE, b"".join(metadata(b"%d" % place, b"[{}]") for place in range(100_000))),
    "many axes": lambda: onnx_file(NODE + field(5, field(1, b"\x01" * (SIZE - 100)))),
    "long varints": lambda: b"\x88" + b"\x80" * (SIZE - 1),
    "random": lambda: random_bytes(1),
}


def archive(records: dict[str, bytes], *, compressed: bool = False) -> bytes:
    """An archive as torch writes it: only code is compressed; a larger record too, though torch would not read it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for name, data in records.items():
            deflated = compressed and (name.startswith("code/") or len(data) > SIZE)
            written.writestr(f"model/{name}", data, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
    return stream.getvalue()


TOP = b"\x80\x02c__torch__\nNet\n)\x81."


def torchscript(code: str, *, compressed: bool = True, **records: bytes) -> bytes:
    return archive(
        {"constants.pkl": b"", "data.pkl": TOP, "code/net.py": code.encode(), **records}, compressed=compressed
    )


CLASS = "class Net(Module):\n"


def torchscript_with(record: str, data: bytes) -> bytes:
    return archive(
        {"constants.pkl": b"", "data.pkl": TOP, "code/net.py": CLASS.encode(), record: data}, compressed=True
    )


TORCHSCRIPT: dict[str, Callable[[], bytes]] = {
    "signature without end": lambda: torchscript(CLASS + "def forward(self: " + " " * 3_300),
    "signature of 9 MB": lambda: torchscript(CLASS + "def forward(self: a" + "," + " " * SIZE, compressed=False),
    "many signatures": lambda: torchscript(CLASS + "def forward(self: " * 500_000, compressed=False),
    "operators without end": lambda: torchscript("ops." * 2_400_000, compressed=False),
    "distinct operators": lambda: torchscript(
        "".join(f"torch.o{place}(" for place in range(700_000)), compressed=False
    ),
    "code that unpacks to 60 MB": lambda: torchscript("torch.a(" * 7_500_000),
    "code that unpacks to 96 MB": lambda: torchscript("torch.a(" * 12_000_000),
    "pickle of marks": lambda: torchscript_with("data.pkl", b"(" * SIZE),
    "pickle of one text": lambda: torchscript_with("data.pkl", b"V" + b"x" * SIZE),
    "a class of 9 MB": lambda: torchscript_with("data.pkl", b"c" + b"x" * SIZE + b"\nNet\n."),
    "metadata of NaN": lambda: torchscript_with(
        "extra/linreg.json", b'{"a": [NaN, Infinity, 1e999], "inputs": [{"name": 1}]}'
    ),
    "metadata of lists": lambda: torchscript_with("extra/linreg.json", b"[" + b"[]," * 3_000_000 + b"1]"),
    "metadata of objects": lambda: torchscript_with(
        "extra/linreg.json", b'{"inputs": [' + b'{"":0},' * 500_000 + b"1]}"
    ),
    "metadata of 50 MB": lambda: torchscript_with("extra/text", b"\xff" * 50_000_000),
    "many records": lambda: archive({"constants.pkl": b"", **{f"extra/{place}": b"" for place in range(25_000)}}),
}


def pt2(model: object) -> bytes:
    text = model if isinstance(model, bytes) else json.dumps(model).encode()
    return archive({"models/model.json": text}, compressed=True)


def graph(*, tensors: object, inputs: object = (), nodes: object = (), **others: object) -> dict[str, object]:
    return {
        "graph_module": {
            "graph": {"tensor_values": tensors, "nodes": nodes},
            "signature": {"input_specs": inputs, "output_specs": []},
        },
        "schema_version": {"major": 8, "minor": 1},
        **others,
    }


def expression(text: str) -> object:
    meta = {"dtype": 7, "sizes": [{"as_expr": {"expr_str": text}}] * 60}
    user = {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}
    return graph(tensors={"x": meta}, inputs=[user] * 1_000)


PT2: dict[str, Callable[[], bytes]] = {
    "symbols in symbols": lambda: pt2(expression("Symbol('a'" * 100_000)),
    "many symbols": lambda: pt2(expression("Symbol('a', integer=True)" * 4_000)),
    "lists of 8 MB": lambda: pt2(b"[" + b"[]," * 2_700_000 + b"1]"),
    "objects": lambda: pt2(b"[" + b'{"":0},' * 1_400_000 + b"1]"),
    "wide text": lambda: pt2(b'["' + b"x" * 40_000_000 + "\N{GRINNING FACE}".encode() + b'"]'),
    "ranges": lambda: pt2(graph(tensors={}, range_constraints=[float("nan")] * 500_000)),
    "many nodes": lambda: pt2(graph(tensors={}, nodes=[{"target": f"torch.ops.o{place}"} for place in range(150_000)])),
}


def state(pickled: bytes, *, compressed: bool = True) -> bytes:
    return archive({"data.pkl": pickled, "data/0": bytes(8), "version": b"3\n"}, compressed=compressed)


def doubling(first: bytes, step: bytes, count: int) -> bytes:
    """Each value holds the one before twice, by the memo."""
    return (
        b"\x80\x02" + first + b"q\x00" + b"".join(step.replace(b"#", bytes([place])) for place in range(count)) + b"."
    )


STATE: dict[str, Callable[[], bytes]] = {
    "empty lists": lambda: state(b"\x80\x02" + b"]" * SIZE + b"."),
    "doubling tuples": lambda: state(doubling(b")", b"0h#h#\x86q#", 100)),
    "doubling tuples as keys": lambda: state(b"\x80\x02}" + b")" + b"q\x01h\x01\x86" * 5_000 + b"Ns."),
    "doubling dictionaries": lambda: state(
        b"\x80\x02}q\x00"
        + b"".join(b"}(U\x01ah%cU\x01bh%cuq%c" % (n, n, n + 1) for n in range(60)).replace(b"U\x01", b"X\x01\0\0\0")
        + b"."
    ),
    "a dictionary in itself": lambda: state(b"\x80\x02}q\x00X\x01\0\0\0ah\x00s."),
    "nested lists": lambda: state(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    "a number of 9 MB": lambda: state(
        b"\x80\x02}X\x01\0\0\0a\x8b" + (SIZE // 2).to_bytes(4, "little") + b"\x7f" * (SIZE // 2) + b"s."
    ),
    "names of 9 MB": lambda: state(b"\x80\x02}X" + (SIZE // 2).to_bytes(4, "little") + b"n" * (SIZE // 2) + b"K\x01s."),
    "a program": lambda: state(pickle.dumps({"a": print}, protocol=2)),
    "many gets": lambda: state(b"\x80\x02}q\x00" + b"h\x00" * 4_000_000 + b"."),
}


def c_source(words: str, rest: str) -> bytes:
    return f"{HEADER_OF_C} * {{\n * {words}\n * }}\n */\n{rest}".encode()


def js_source(words: str, rest: str) -> bytes:
    return c_source(words, rest).replace(HEADER_OF_C.encode(), HEADER_OF_JS.encode(), 1)


SHAPES = (
    '"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3]}], '
    '"parameters": [{"name": "w", "dtype": "f", "shape": [1, 3]}], '
    '"outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}]'
)
FUNCTION = "\nvoid a_predict(size_t batch, const float *input, float *output);\n"

C_SOURCE: dict[str, Callable[[], bytes]] = {
    "numbers of one digit": lambda: c_source(
        SHAPES, FUNCTION + "static const float a[1] = {\n" + "0," * 4_900_000 + "0};\n"
    ),
    "numbers": lambda: c_source(
        SHAPES, FUNCTION + "static const float a[1] = {\n" + "0x0p+0, " * 1_200_000 + "0x0p+0};\n"
    ),
    "many functions": lambda: c_source(SHAPES, "\nvoid " + "a_predict" * 1_000_000),
    "a product of giants": lambda: c_source(
        SHAPES.replace("[1, 3]", "[" + ("9" * 4_000 + ",") * 2_000 + "1]"),
        FUNCTION + "static const float a[1] = {\n0x0p+0};\n",
    ),
    "metadata of lists": lambda: c_source('"a": [' + "[]," * 3_000_000 + "1]", FUNCTION),
    "metadata without end": lambda: c_source(SHAPES, "").replace(b" * }", b" * {") + b"\n * }\n" * 1_000_000,
}

FUNCTION_OF_JS = "\nexport function predict(input, output = new Float32Array(1)) {}\n"
ARRAY_OF_JS = "const a = new Float32Array([\n"

JS_SOURCE: dict[str, Callable[[], bytes]] = {
    "numbers of one digit": lambda: js_source(SHAPES, FUNCTION_OF_JS + ARRAY_OF_JS + "0," * 4_900_000 + "0,\n]);\n"),
    "numbers": lambda: js_source(SHAPES, FUNCTION_OF_JS + ARRAY_OF_JS + "0.0, " * 1_950_000 + "0.0,\n]);\n"),
    "arrays without end": lambda: js_source(SHAPES, FUNCTION_OF_JS + ARRAY_OF_JS * 300_000),
    "an array without end": lambda: js_source(SHAPES, FUNCTION_OF_JS + ARRAY_OF_JS + ",\n" * 4_500_000),
    "many functions": lambda: js_source(SHAPES, "\nexport function " + "predict(input, output = new " * 300_000),
    "metadata without end": lambda: js_source(SHAPES, "").replace(b" * }", b" * {") + b"\n * }\n" * 1_000_000,
}

HOSTILE = {
    f"{kind}: {name}": build
    for kind, builders in (
        ("onnx", ONNX),
        ("torchscript", TORCHSCRIPT),
        ("pt2", PT2),
        ("state", STATE),
        ("c", C_SOURCE),
        ("js", JS_SOURCE),
    )
    for name, build in builders.items()
}


def strict_json(text: str) -> dict:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
