"""Run JavaScript that linreg wrote in Node.js, like any other artifact.

A node process imports the module from memory, and answers over a socket until the runner is deleted.
"""

import shutil
import socket
import subprocess
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats.js_text import read_js
from export.formats.source_code.comment import SourceText
from export.runners.base import Call, Runner
from export.runners.frames import BrokenFrameError, receive, send
from export.runners.trust import TrustedBytes
from linreg.errors import LinregError, ModelError

Array = NDArray[Any]

TIMEOUT_S = 300.0

CHILD = """\
import { readSync, writeSync } from 'node:fs';

const SOCKET = 0;

function read(count) {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count; ) {
    const got = readSync(SOCKET, bytes, done, count - done);
    if (got === 0) process.exit(0);
    done += got;
  }
  return bytes;
}

function write(bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(SOCKET, bytes, done);
}

function receive() {
  const length = new DataView(read(8).buffer).getBigUint64(0);
  const [{ dtype, shape }] = JSON.parse(Buffer.from(read(Number(length)))).arrays;
  return read(shape.reduce((product, size) => product * size, Number(dtype.slice(2))));
}

function send(header, bytes) {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUint64BE(BigInt(text.length));
  for (const part of [length, text, bytes]) write(part);
}

function sendError(error) {
  send({ arrays: [], error: `${error?.name}: ${error?.message}` }, new Uint8Array(0));
}

let model;
try {
  model = await import(`data:text/javascript;base64,${Buffer.from(receive()).toString('base64')}`);
  send({ arrays: [] }, new Uint8Array(0));
} catch (error) {
  sendError(error);
}
for (;;) {
  const bytes = receive();
  try {
    const TypedArray = KIND;
    const output = model.predict(new TypedArray(bytes.buffer));
    if (!(output instanceof TypedArray)) throw new TypeError(`predict returned ${typeof output}`);
    const answer = new Uint8Array(output.buffer, output.byteOffset, output.byteLength);
    send({ arrays: [{ dtype: 'DTYPE', shape: [output.length] }] }, answer);
  } catch (error) {
    sendError(error);
  }
}
"""
"""What node runs. It reads and writes the frames of export.runners.frames, one array in each."""


def node() -> str:
    """Return the path of node.

    Raises:
        LinregError: it is not installed.
    """
    if (found := shutil.which("node")) is None:
        raise LinregError(
            "js: found no node, and without it JavaScript cannot be verified; install it: apt-get install nodejs"
        )
    return str(Path(found).absolute())


def describe_node() -> str:
    """Return the version of node for the manifest, since the last bits of functions such as exp depend on it."""
    words = [node(), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return f"Node.js {done.stdout.strip() or 'unknown'}"


def js_runner(name: str, data: TrustedBytes) -> Runner:
    """Make a runner for JavaScript that linreg wrote. A call runs its code, so call this only for trusted files.

    Raises:
        LinregError: node is not installed.
        ModelError: the file is not JavaScript that linreg wrote, or node cannot import it.
    """
    text = read_js(name, data)
    child = _Child(name, data, text, node())
    child.start()

    def bind(inputs: tuple[Array, ...]) -> Call:
        (given,) = inputs
        if given.dtype != text.dtype or not given.ndim or given.shape[1:] != text.input_shape:
            wanted = ", ".join(map(str, ("batch", *text.input_shape)))
            raise ValueError(f"got {given.dtype} of {given.shape}, expected {text.dtype} of ({wanted})")
        rows = np.array(given, dtype=text.dtype, order="C")

        def outputs() -> tuple[Array, ...]:
            return (child.predict(rows),)

        return Call(run=outputs, outputs=outputs, context=nullcontext)

    def parameters() -> Mapping[str, Array]:
        return text.weights

    return Runner(name=name, bind=bind, parameters=parameters, folds=not text.affine)


class _Child:
    """The process of node that has imported the module."""

    def __init__(self, name: str, data: bytes, text: SourceText, program: str) -> None:
        self._name, self._data, self._text, self._program = name, data, text, program
        self._channel: socket.socket | None = None
        self._end: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Start node, and import the module.

        Raises:
            ModelError: the module cannot be imported, or not in time.
        """
        with self._answering():
            self._channel = self._connect()
            self._ask(np.frombuffer(self._data, np.uint8))

    def predict(self, rows: Array) -> Array:
        """Return the answer to some rows.

        Raises:
            ModelError: the module throws, gives a wrong number of answers or none in time.
        """
        shape = len(rows), *self._text.output_shape
        if self._channel is None:  # it ended
            self.start()
        with self._answering():
            arrays = self._ask(rows)
        if [(found.dtype, found.size) for found in arrays] != [(self._text.dtype, prod(shape))]:
            sizes = ", ".join(str(found.size) for found in arrays)
            raise ModelError(f"{self._name}: predict gives {sizes} numbers, expected {shape}; export it again")
        return arrays[0].reshape(shape)

    def _ask(self, array: Array) -> list[Array]:
        assert self._channel is not None, "node is running"
        send(self._channel, {}, [array], within_s=TIMEOUT_S)
        answer, arrays = receive(self._channel, within_s=TIMEOUT_S, max_bytes=2**40)
        if "error" in answer:
            raise ModelError(f"{self._name}: node says {str(answer['error'])[:200]!r}; export it again")
        return arrays

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """End node unless it answers: what arrives later would answer another request."""
        answered = False
        try:
            yield
            answered = True
        except TimeoutError:
            raise ModelError(f"{self._name}: node did not answer within {TIMEOUT_S:g} s") from None
        except BrokenFrameError as error:
            raise ModelError(f"{self._name}: node ended ({str(error)[:100]}); export it again") from None
        finally:
            if not answered:  # an interruption too
                self._end()
                self._channel = None

    def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        kind = f"Float{8 * self._text.dtype.itemsize}Array"
        code = CHILD.replace("KIND", kind).replace("DTYPE", self._text.dtype.str)
        with theirs:
            process = subprocess.Popen(
                [self._program, "--input-type=module", "--eval", code],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to all processes of the terminal; this one decides
            )
        self._end = weakref.finalize(self, _end, process, ours)
        return ours


def _end(process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
    """Kill the process if it is running, and reap it."""
    channel.close()
    process.kill()
    process.wait()
