"""Settings, defaults and limits: their only home."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

DEFAULT_BUNDLE = Path("artifacts/linreg")
"""The bundle of a command that is given no model."""

MODEL_FILE = "model.pth"
CARD_FILE = "card.json"

MAX_TABLE_BYTES = 4 * 2**30
"""A table is read into memory once; a larger one, unpacked, is refused."""

MAX_COLUMNS = 10_000
MAX_CELLS = 500_000_000
MAX_NAME_LENGTH = 1_000
MAX_STATE_BYTES = 2 * 2**30
MAX_EXPANDED_BYTES = 64 * 2**20
"""What a state_dict's views of a few numbers that stand for many may grow to when they are copied."""

MAX_JSON_BYTES = 64 * 2**20
MAX_LINE_POINTS = 10_000_000


class Architecture(StrEnum):
    """The two models of the course."""

    LINEAR = "linear"
    PARAMETER = "parameter"


class Method(StrEnum):
    """How the parameters are found."""

    SGD = "sgd"
    ADAM = "adam"
    LBFGS = "lbfgs"
    EXACT = "exact"


class Loss(StrEnum):
    """What the gradient methods minimise."""

    L1 = "l1"
    MSE = "mse"
    HUBER = "huber"


class DeviceChoice(StrEnum):
    """Where training runs; auto takes CUDA where there is one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """The dtype of the parameters."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


DEFAULT_RATES = {Method.SGD: 0.01, Method.ADAM: 0.01, Method.LBFGS: 1.0, Method.EXACT: 0.0}
"""The learning rate of each method where none is given; 1 is what L-BFGS with a line search expects."""


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
    """How a model is fitted.

    Attributes:
        architecture: `linear` (nn.Linear) or `parameter` (two nn.Parameter, one feature only).
        bias: False leaves the bias out; `linear` only.
        method: `exact` is least squares in float64, the others follow a gradient.
        loss: what the gradient methods minimise.
        lr: the learning rate; None takes the method's own of `DEFAULT_RATES`.
        epochs: passes over the training part.
        batch_size: rows a step; None takes all rows.
        test_every: the history holds one epoch in so many, and the last.
        seed: of the initial parameters, of a table's shuffle and of the batches.
        device: where the loop runs.
        dtype: of the parameters.
        allow_collinear: `exact` returns the minimum-norm solution where columns are collinear, instead of an error.
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
        """The learning rate that is used."""
        return DEFAULT_RATES[self.method] if self.lr is None else self.lr


LINE_DEFAULTS = TrainSettings()
"""The course's recipe: nn.Linear, L1, SGD at 0.01, 1000 epochs, seed 42."""

TABLE_DEFAULTS = TrainSettings(method=Method.EXACT, loss=Loss.MSE)

DEFAULT_SPLIT = "0.8"

REFERENCE_ROW = "eager-inference_mode"
"""The row of a benchmark that ratios refer to unless another is chosen."""


MOST_BATCH = 2**20

FEWEST_ROUNDS, MOST_ROUNDS = 10, 100_000

FEWEST_PAIRED_ROUNDS = 6
"""With fewer rounds than this there is no 95 % interval."""

MOST_PROCESSES = 1_000

FEWEST_PROCESSES_TO_STOP = 7
"""No interval over fewer processes counts as narrow: stopping at 5, where one may be by chance, covers 93 % of 95."""


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """How much a benchmark measures.

    Attributes:
        batches: batch sizes.
        threads: intra-op threads of torch and ONNX Runtime; each number is measured separately.
        onnxruntime_threads: ONNX Runtime threads; None: same as torch.
        rounds: blocks of every variant at each batch size, in each process.
        processes: most processes to run; 1 measures in this process only.
        more_processes: further processes to run, at most, while any interval is wider than 2 % to either side.
        target: stop once every interval's half width is below this fraction.
        reference: name of the row that ratios refer to.
        single_calls: calls timed one by one for the tail latencies, in each process.
    """

    batches: tuple[int, ...] = (1, 4096)
    threads: tuple[int, ...] = (1,)
    onnxruntime_threads: int | None = None
    rounds: int = 100
    processes: int = 10
    more_processes: int = 0
    target: float = 0.01
    reference: str = REFERENCE_ROW
    single_calls: int = 700


BENCH_DEFAULTS = BenchSettings(more_processes=5)
"""The settings of `linreg bench` without options."""
