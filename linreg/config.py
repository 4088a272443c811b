"""Settings, defaults and limits."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

DEFAULT_BUNDLE = Path("artifacts/linreg")
"""The bundle that a command uses if no model is given."""

MODEL_FILE = "model.pth"
CARD_FILE = "card.json"
TOLERANCE_FILE = "data.json"


MAX_ARRAYS_BYTES = 4 * 2**30
"""Limit on the arrays of an .npz, unpacked; they are read into memory as a whole."""

MAX_COLUMNS = 10_000
MAX_CELLS = 500_000_000
MAX_NAME_LENGTH = 1_000
MAX_INPUT_BYTES = 2 * 2**30
"""A file of inputs for a module is refused if it is larger, or unpacks to more."""

MAX_STATE_BYTES = 64 * 2**30
"""Limit on the size of a file with weights; a file that does not fit into memory is refused as well."""

MAX_EXPANDED_BYTES = 64 * 2**20
"""Limit on the memory that expanded views (stride 0) in a state_dict may take once they are copied."""

TRAINING = "training"
"""The stage of a gradient method, which counts epochs; the other stages count rows of a table."""

SHORT_ROWS = 2**18
"""A table of at most so many rows shows no progress."""

MAX_JSON_BYTES = 64 * 2**20
MAX_LINE_POINTS = 10_000_000


class Architecture(StrEnum):
    """The two forms of the linear model."""

    LINEAR = "linear"
    PARAMETER = "parameter"


class Method(StrEnum):
    """How the parameters are fitted."""

    SGD = "sgd"
    ADAM = "adam"
    LBFGS = "lbfgs"
    EXACT = "exact"


class Loss(StrEnum):
    """The loss that the gradient methods minimise."""

    L1 = "l1"
    MSE = "mse"
    HUBER = "huber"


class DeviceChoice(StrEnum):
    """The device for training; `auto` uses CUDA if it is available."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Engine(StrEnum):
    """Where the passes over a table run."""

    THREADS = "threads"
    RAY = "ray"


class Precision(StrEnum):
    """The dtype of the parameters."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


DEFAULT_RATES = {Method.SGD: 0.01, Method.ADAM: 0.01, Method.LBFGS: 1.0, Method.EXACT: 0.0}
"""Default learning rate of each method; L-BFGS with a line search expects 1."""


@dataclass(frozen=True, kw_only=True)
class LineSettings:
    """The straight line y = weight * x + bias for x in [start, end) by step."""

    weight: float = 0.7
    bias: float = 0.3
    start: float = 0.0
    end: float = 1.0
    step: float = 0.02


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Training settings.

    Attributes:
        architecture: `linear` (nn.Linear) or `parameter` (two nn.Parameter, one feature only).
        bias: whether the model has a bias; `parameter` always has one.
        method: `exact` is least squares in float64, the others are gradient methods.
        loss: loss that the gradient methods minimise.
        lr: learning rate; None uses the default of the method from `DEFAULT_RATES`.
        epochs: passes over the training part.
        batch_size: batch size; None uses all rows.
        test_every: epochs between two rows of the history; the last epoch always has a row.
        seed: seed of the initial parameters, of the shuffle of a table, and of the batches.
        device: device for training.
        dtype: dtype of the parameters.
        allow_collinear: return the minimum-norm solution for collinear columns instead of an error; `exact` only.
    """

    architecture: Architecture = Architecture.LINEAR
    bias: bool = True
    method: Method = Method.SGD
    loss: Loss = Loss.L1
    lr: float | None = None
    epochs: int = 1000
    batch_size: int | None = None
    test_every: int = 10
    seed: int = 42
    device: DeviceChoice = DeviceChoice.AUTO
    dtype: Precision = Precision.FLOAT32
    allow_collinear: bool = False

    @property
    def learning_rate(self) -> float:
        """The learning rate that was set, or the default of the method."""
        return DEFAULT_RATES[self.method] if self.lr is None else self.lr


LINE_DEFAULTS = TrainSettings()
"""The course's recipe: nn.Linear, L1, SGD at 0.01, 1000 epochs, seed 42."""

TABLE_DEFAULTS = TrainSettings(method=Method.EXACT, loss=Loss.MSE)

OF_DESCENT = ("lr", "loss", "epochs", "batch_size", "test_every", "device", "keep_on_interrupt")
"""Options that only a gradient method uses."""

DEFAULT_SPLIT = "0.8"

DEFAULT_MEMORY = "256MB"
"""A table that takes more memory is read again in every pass."""

REFERENCE_ROW = "eager-inference_mode"
"""Default baseline row of a benchmark."""


MOST_BATCH = 2**20

FEWEST_ROUNDS, MOST_ROUNDS = 10, 100_000

ROUNDS_TIME_S = 4.0
"""Seconds of a process for all rounds if their number is not given."""

FEWEST_PAIRED_ROUNDS = 6
"""With fewer rounds than this there is no 95 % interval."""

MOST_PROCESSES = 1_000

FEWEST_RUNTIME_PROCESSES = 5
"""Processes of each program of deploy/, even if fewer are requested."""

FEWEST_PROCESSES_TO_STOP = 7
"""No interval over fewer processes counts as narrow: stopping at 5, where one may be by chance, covers 93 % of 95."""


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """Benchmark settings.

    Attributes:
        batches: batch sizes.
        threads: intra-op thread counts for torch and ONNX Runtime; each is measured separately.
        onnxruntime_threads: threads for ONNX Runtime; None uses the same number as torch.
        rounds: timed blocks per process, for each variant and batch size; None times until every interval within the
            process is as narrow as `target`, or the time is up.
        processes: largest number of processes; 1 measures in this process only.
        more_processes: largest number of extra processes, run while an interval extends over 2 % to either side.
        target: stop once no interval extends further than this fraction to either side.
        reference: baseline row of the ratios.
        single_calls: calls per process that are timed one by one, for the tail latencies.
    """

    batches: tuple[int, ...] = (1, 4096)
    threads: tuple[int, ...] = (1,)
    onnxruntime_threads: int | None = None
    rounds: int | None = None
    processes: int = 10
    more_processes: int = 0
    target: float = 0.01
    reference: str = REFERENCE_ROW
    single_calls: int = 700


BENCH_DEFAULTS = BenchSettings(more_processes=5)
"""Default settings of `linreg bench`."""

MOST_SETS = 40
"""Default of `--processes` with `--env`: sets of one process for each environment."""

ENVIRONMENTS_TARGET = 0.0075
"""Default of `--target` with `--env`: narrow enough that the same version twice is found equivalent, within 2 %."""
