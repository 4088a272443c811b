"""Test vectors: inputs and expected outputs for deployed runtimes, in the layout of ONNX's backend tests.

`test_data_set_N/` holds `input_I.pb` and `output_I.pb`, TensorProtos with the names of the graph's inputs and outputs,
which onnx's own test runner reads. Beside them, `allowed_I.pb` holds the allowed error of each element, in float64. If
the allowed error is infinite, an output of any class (finite, infinite, NaN) passes, or any whole number, since values
tie. If the expected output is itself NaN or infinite, only its class is compared.

The outputs were computed by onnxruntime's CPU provider on the machine of the export (or by another format, if ONNX was
not exported) and verified against the float64 oracle. The allowed error is that of the oracle plus the error of these
outputs. `data.json`, beside model.onnx, gives onnx's runner one rtol and one atol. Reading vectors needs no torch.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from export.proof.comparison import Comparison, ExpectedOutput, compare_outputs, run_case, worst_of
from export.proof.optimisation import at_each_end
from export.runners.base import Runner
from export.source.axes import BATCH, Sizes
from linreg.changes import Changes
from linreg.config import MAX_STATE_BYTES, TOLERANCE_FILE
from linreg.errors import ModelError, one_line
from linreg.inside import files_of, vector_folders
from linreg.manifest import Manifest, read_listed, read_manifest

if TYPE_CHECKING:
    from export.proof.affine import AffineOracle
    from export.proof.cases import Case
    from export.proof.oracle import Oracle
    from export.source.source import Source

Array = NDArray[Any]

VECTOR_BATCHES = (1, 7, 4096)
FIRST_INPUT, SECOND_INPUT = (f"test_data_set_{place}/input_0.pb" for place in range(2))
RTOL = 1e-3
"""The default of onnx's backend-test runner."""


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """One test vector; its arrays are in the order of the graph's inputs and outputs."""

    name: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    allowed: tuple[Array, ...]

    def expected(self) -> tuple[ExpectedOutput, ...]:
        """Return the outputs in the form that `compare_outputs` takes."""
        return tuple(
            ExpectedOutput(
                values=output.astype(np.float64) if output.dtype.kind == "f" else output,
                allowed=allowed,
                any_class=np.isinf(allowed),
                eager=output,
            )
            for output, allowed in zip(self.outputs, self.allowed, strict=True)
        )


def make_vectors(
    source: "Source", runner: Runner, tried: Sequence[Sizes], *, keep_inputs: bool = False
) -> dict[str, bytes]:
    """Make the vector files, by name, with outputs of `runner`, which was verified at these sizes.

    With `keep_inputs` the user's own inputs become vectors, after the others.
    """
    from export.proof.cases import SPECIAL_ROWS, own_cases

    oracle: AffineOracle | Oracle
    if source.affine is not None:
        from export.proof.affine import affine_oracle_of

        oracle = affine_oracle_of(source)
    else:
        from export.proof.oracle import oracle_of

        oracle = oracle_of(source)
    files: dict[str, bytes] = {}
    atol = 0.0
    own = own_cases(source) if keep_inputs else []
    for place, case in enumerate([*_vector_cases(source, tried), *own]):
        expected = _expected(oracle, case)
        outputs = runner.bind(case.inputs).outputs()
        allowed = [_allowed(output, wanted) for output, wanted in zip(outputs, expected, strict=True)]
        if case.name != SPECIAL_ROWS:
            bounds = [array for array, output in zip(allowed, outputs, strict=True) if output.dtype.kind == "f"]
            atol = max([atol, *(float(array.max(initial=0.0)) for array in bounds)])
        folder = f"test_data_set_{place}"
        for index, (entry, array) in enumerate(zip(source.inputs, case.inputs, strict=True)):
            files[f"{folder}/input_{index}.pb"] = _tensor(array, entry.name)
        for index, (name, output, bound) in enumerate(zip(source.output_names, outputs, allowed, strict=True)):
            files[f"{folder}/output_{index}.pb"] = _tensor(output, name)
            files[f"{folder}/allowed_{index}.pb"] = _tensor(bound, name)
    files[TOLERANCE_FILE] = (json.dumps({"atol": atol, "rtol": RTOL}) + "\n").encode()
    return files


def stage_vectors(changes: Changes, files: dict[str, bytes]) -> None:
    """Stage the files of `make_vectors`, and remove older vectors."""
    for place in vector_folders(changes.folder):
        for name in files_of(changes.folder, place):
            if name not in files:
                changes.remove(name)
    for name, data in files.items():
        changes.stage(name, data)


def precision_of_vectors(manifest: Manifest | None) -> str | None:
    """Return the precision of a bundle's vectors; None if it is the model's own."""
    entry = None if manifest is None else manifest.entry(TOLERANCE_FILE)
    return None if entry is None else entry.proof.get("precision")


def read_vectors(folder: Path) -> Iterator[Vectors]:
    """Yield the vectors of a bundle in order, after comparing the bytes of each file with the manifest.

    Raises:
        ModelError: there are no vectors, or one is damaged or incomplete.
        MismatchError: the bytes of a file differ from those in the manifest.
    """
    places = vector_folders(folder)
    if not places:
        raise ModelError(f"{folder}: has no test_data_set_0, so there is nothing to verify with; export it with linreg")
    manifest = read_manifest(folder)
    for place in places:
        found = files_of(folder, place)
        inputs, outputs, allowed = (
            tuple(
                _array(folder, f"{place}/{kind}_{index}.pb", manifest)
                for index in range(sum(name.startswith(f"{place}/{counted}_") for name in found))
            )
            for kind, counted in (("input", "input"), ("output", "output"), ("allowed", "output"))
        )
        if not inputs or not outputs or any(a.shape != b.shape for a, b in zip(outputs, allowed, strict=True)):
            raise ModelError(f"{folder / place}: is incomplete; export again")
        if not all(bool((bound >= 0).all()) for bound in allowed):  # no error would exceed NaN
            raise ModelError(f"{folder / place}: its allowed error is not a number of at least 0; export again")
        yield Vectors(name=place, inputs=inputs, outputs=outputs, allowed=allowed)


@dataclass(frozen=True, kw_only=True)
class VectorCheck:
    """How a runner's outputs compare with the vectors of a bundle.

    Attributes:
        cases: the number of vectors.
        worst_error: the largest error, as a multiple of the allowed error; at most 1.
        bytes_equal: every output has the same bytes as the one in the vector.
    """

    cases: int
    worst_error: float
    bytes_equal: bool


def check_vectors(runner: Runner, folder: Path, unoptimised: Runner | None = None) -> VectorCheck:
    """Run all vectors of a bundle and compare the outputs. This needs torch only if the runner does.

    Args:
        runner: the file, loaded.
        folder: the bundle.
        unoptimised: the file loaded without graph optimisation, to compare each vector with it as well.

    Raises:
        MismatchError: an output has another shape, dtype or class, or its error exceeds what is allowed.
        ModelError: there are no vectors, or they are damaged.
    """
    cases, worst, equal = 0, 0.0, True
    for vectors in read_vectors(folder):
        found = worst_of(at_each_end(partial(_check, vectors), runner, unoptimised))
        worst, equal, cases = max(worst, found.worst_error), equal and bool(found.bytes_equal), cases + 1
    return VectorCheck(cases=cases, worst_error=worst, bytes_equal=equal)


def _check(vectors: Vectors, runner: Runner) -> Comparison:
    expected = vectors.expected()
    outputs = run_case(runner, vectors.inputs, vectors.name)
    return compare_outputs(f"{runner.name}: {vectors.name}", ("output",) * len(expected), outputs, expected)


def _vector_cases(source: "Source", tried: Sequence[Sizes]) -> "list[Case]":
    """Return batches of 1, 7, 4096 and 0 rows, and special rows.

    There is no case in which correct runtimes may differ.

    A source with other dynamic axes gets all sizes that are always verified.
    """
    from export.proof.cases import SEED, Case, named, seed_of, special_case
    from export.proof.sizes import all_sizes

    least = [entry.sizes for entry in all_sizes(source) if entry.least]
    several = [axis.name for axis in source.axes] != [BATCH]
    chosen = [sizes for sizes in tried if (sizes in least if several else sizes[BATCH] in VECTOR_BATCHES)]
    cases = [
        Case(name=named(source, sizes), inputs=source.random_inputs(sizes, 1.0, seed_of(sizes)), scale=1.0)
        for sizes in chosen
    ]
    if source.affine is not None and not source.static:
        cases += [Case(name="batch 0", inputs=source.random_inputs({BATCH: 0}, 1.0, SEED)), special_case(source)]
    return cases


def _expected(oracle: "AffineOracle | Oracle", case: "Case") -> tuple[ExpectedOutput, ...]:
    """Return the expected outputs of a vector.

    The narrow bounds of a module that is not affine measure how far rounding moves a few rows. As another runtime may
    round worse in another row, each element is allowed as much as that of the worst row at its place.
    """
    if case.scale is None:
        return oracle.own_answers(case.inputs)
    found = oracle.narrow_answers(case.inputs, case.scale)
    if oracle.source.affine is not None:
        return found
    if any(output.values.dtype.kind != "f" for output in found):
        return oracle.answers(case.inputs, case.scale)  # only these know where integers tie
    return tuple(replace(output, allowed=_of_worst_row(output.allowed)) for output in found)


def _of_worst_row(allowed: Array) -> Array:
    """Return the largest bound of any row at the place of each element. Outputs that are not finite have no bound."""
    if not allowed.ndim:
        return allowed
    largest = np.fmax.reduce(allowed, axis=0, keepdims=True, initial=0.0)
    return np.broadcast_to(largest, allowed.shape)


def _allowed(output: Array, expected: ExpectedOutput) -> Array:
    """Return the oracle's allowed error plus the error of the recorded output, in float64."""
    if output.dtype.kind != "f":
        return np.where(expected.any_class, np.inf, 0.0)
    finite = np.isfinite(expected.values) & np.isfinite(output)
    with np.errstate(invalid="ignore"):
        own = np.abs(output.astype(expected.values.dtype) - expected.values)
        bound = np.where(finite, (expected.allowed + own).astype(np.float64), 0.0)
    return np.where(expected.any_class, np.inf, bound)


def _tensor(array: Array, name: str) -> bytes:
    data: bytes = numpy_helper.from_array(np.ascontiguousarray(array), name).SerializeToString(deterministic=True)
    return data


def _array(folder: Path, name: str, manifest: Manifest | None) -> Array:
    data = read_listed(folder, name, limit=MAX_STATE_BYTES, manifest=manifest)
    try:
        tensor = onnx.TensorProto()
        tensor.ParseFromString(data)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError("its values are in another file")
        return numpy_helper.to_array(tensor).copy()  # torch rejects read-only arrays
    except Exception as error:  # protobuf and NumPy raise classes of their own
        raise ModelError(f"{folder / name}: is not a TensorProto: {one_line(error)}; export again") from None
