"""Random modules with a dynamic batch, a dynamic sequence and optional arguments, drawn by Hypothesis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tests.small_networks import as_after_training

WORDS = 23
CACHED = 3
WIDTHS = (4, 6, 8)
AXES = {
    "seq": (1, None, 1),
    "seq:1..48": (1, 48, 1),
    "seq:2..": (2, None, 1),
    "seq:3..40": (3, 40, 1),
    "seq:2..64*2": (2, 64, 2),
    "seq:4..48*4": (4, 48, 4),
}
"""How the sequence is declared: smallest and largest size, and step."""

LAYERS = (
    "attention", "wider", "layer_norm", "batch_norm", "gelu", "relu", "tanh", "sigmoid", "conv", "dilated", "linear",
    "causal", "residual", "gated", "softmax", "softmax_seq", "beside", "with_mean", "cumsum", "centred", "flip", "gru",
    "positions", "average", "causal_mask", "embedding_bag",
)  # fmt: skip
ENDS = ("both", "mean", "max", "last", "every_other", "sequence", "named", "labels", "logsumexp", "flat_rows")
GIVEN = ("mask", "scale", "cache", "lengths", "table")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One module, and the arguments of forward that it is called with.

    Attributes:
        ids: whole numbers are embedded; otherwise the input is floating.
        width: the number of features.
        axis: how the sequence is declared; one of `AXES`.
        layers: the layers, in order.
        end: what is returned.
        given: the optional arguments that are given; the others are skipped.
        seed: the seed of the weights.
    """

    ids: bool
    width: int
    axis: str
    layers: tuple[str, ...]
    end: str
    given: tuple[str, ...]
    seed: int

    def inputs(self) -> list[str]:
        """The inputs, as `--input` takes them; the axis has its range where it appears first."""
        first = f"x=int64[batch,{self.axis}]<{WORDS}" if self.ids else f"x=float32[batch,{self.axis},{self.width}]"
        others = {
            "cache": f"cache=float32[batch,{CACHED},{self.width}]",
            "mask": f"mask={'bool' if self.seed % 2 else 'int64'}[batch,seq] prefix",
            "lengths": "1<=lengths=int64[batch]<6",
            "scale": f"scale=float32[{self.width}]",
            "table": f"table=float32[5,{self.width}]",
        }
        return [first, *(text for name, text in others.items() if name in self.given)]

    def sizes(self, tried: Sequence[dict[str, int]], count: int = 3) -> list[tuple[int, int]]:
        """Sizes of batch and sequence that the proof did not try."""
        least, most, step = AXES[self.axis]
        batches = {sizes["batch"] for sizes in tried}
        sequences = {sizes["seq"] for sizes in tried}
        generator = np.random.default_rng(self.seed)
        free = [size for size in range(least, (most or 90) + 1, step) if size not in sequences]
        rows = [size for size in range(1, 20) if size not in batches]
        return [(int(generator.choice(rows)), int(generator.choice(free))) for _ in range(count)]

    def random(self, rows: int, length: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Inputs of some sizes."""
        normal = generator.standard_normal
        values = {
            "x": generator.integers(0, WORDS, (rows, length))
            if self.ids
            else normal((rows, length, self.width)).astype(np.float32),
            "cache": normal((rows, CACHED, self.width)).astype(np.float32),
            "mask": (np.arange(length) < generator.integers(1, length + 1, (rows, 1))).astype(
                np.bool_ if self.seed % 2 else np.int64
            ),
            "lengths": generator.integers(1, 6, rows),
            "scale": normal(self.width).astype(np.float32),
            "table": normal((5, self.width)).astype(np.float32),
        }
        return {name: array for name, array in values.items() if name in ("x", *self.given)}


class Random(nn.Module):
    """What a recipe describes."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        width = recipe.width
        self.words = nn.Embedding(WORDS, width) if recipe.ids else nn.Identity()
        self.parts = nn.ModuleList(_part(name, width) for name in recipe.layers)
        self.head = nn.Linear(width, 5)

    def forward(
        self,
        x: Tensor,
        cache: Tensor | None = None,
        mask: Tensor | None = None,
        lengths: Tensor | None = None,
        *,
        scale: Tensor | None = None,
        table: Tensor | None = None,
    ) -> Any:
        hidden = self.words(x)
        if scale is not None:
            hidden = hidden * scale
        keep = None if mask is None else mask.bool()
        if cache is not None:
            hidden = torch.cat([cache, hidden], 1)
            if keep is not None:
                keep = torch.cat([keep.new_ones(len(keep), CACHED), keep], 1)
        for name, part in zip(self.recipe.layers, self.parts, strict=True):
            hidden = _apply(name, part, hidden, keep)
        if lengths is not None:
            hidden = hidden / lengths[:, None, None]
        if table is not None:
            hidden = hidden + torch.softmax(hidden @ table.T, -1) @ table
        return _end(self.recipe.end, self.head, hidden, keep)


def _part(name: str, width: int) -> nn.Module:
    makers: dict[str, Callable[[], nn.Module]] = {
        "linear": lambda: nn.Linear(width, width),
        "wider": lambda: nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)),
        "layer_norm": lambda: nn.LayerNorm(width),
        "batch_norm": lambda: nn.BatchNorm1d(width),
        "conv": lambda: nn.Conv1d(width, width, 3, padding=1),
        "dilated": lambda: nn.Conv1d(width, width, 3, padding=2, dilation=2, groups=2),
        "attention": lambda: nn.Linear(width, 3 * width),
        "causal": lambda: nn.Linear(width, 3 * width),
        "causal_mask": lambda: nn.Linear(width, width),
        "residual": lambda: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU()),
        "gated": lambda: nn.Linear(width, width),
        "beside": lambda: nn.Linear(2 * width, width),
        "with_mean": lambda: nn.Linear(2 * width, width),
        "gru": lambda: nn.GRU(width, width, batch_first=True),
        "embedding_bag": lambda: nn.Embedding(4, width),
    }
    return makers.get(name, nn.Identity)()


def _attend(part: nn.Module, hidden: Tensor, keep: Tensor | None, *, causal: bool) -> Tensor:
    rows, length, width = hidden.shape
    parts = part(hidden).view(rows, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
    mask = None if keep is None or causal else keep[:, None, None, :]
    mixed = functional.scaled_dot_product_attention(*parts, attn_mask=mask, is_causal=causal)
    return hidden + mixed.transpose(1, 2).reshape(rows, length, width)


def _apply(name: str, part: nn.Module, hidden: Tensor, keep: Tensor | None) -> Tensor:
    if name in ("attention", "causal"):
        return _attend(part, hidden, keep, causal=name == "causal")
    if name in ("conv", "dilated", "batch_norm"):
        return part(hidden.transpose(1, 2)).transpose(1, 2)
    length = hidden.shape[1]
    computed: dict[str, Callable[[], Tensor]] = {
        "gelu": lambda: functional.gelu(hidden),
        "relu": lambda: torch.relu(hidden),
        "tanh": lambda: torch.tanh(hidden),
        "sigmoid": lambda: torch.sigmoid(hidden),
        "residual": lambda: hidden + part(hidden),
        "gated": lambda: hidden * torch.sigmoid(part(hidden)),
        "softmax": lambda: torch.softmax(hidden, -1),
        "softmax_seq": lambda: hidden * torch.softmax(hidden, 1),
        "beside": lambda: part(torch.cat([hidden, torch.tanh(hidden)], -1)),
        "with_mean": lambda: part(torch.cat([hidden, hidden.mean(1, keepdim=True).expand_as(hidden)], -1)),
        "cumsum": lambda: hidden.cumsum(1) / torch.arange(1, length + 1, device=hidden.device)[:, None],
        "centred": lambda: hidden - hidden.mean(1, keepdim=True),
        "flip": lambda: hidden + hidden.flip(1),
        "gru": lambda: part(hidden)[0],
        "positions": lambda: hidden + torch.sin(torch.arange(length, dtype=hidden.dtype))[:, None],
        "average": lambda: functional.avg_pool1d(hidden.transpose(1, 2), 3, 1, padding=1).transpose(1, 2),
        "causal_mask": lambda: _by_hand(part, hidden),
        "embedding_bag": lambda: hidden + part(torch.arange(length) % 4),
    }
    return computed[name]() if name in computed else part(hidden)


def _by_hand(part: nn.Module, hidden: Tensor) -> Tensor:
    """Attention over earlier steps, with a triangular mask of -inf."""
    length = hidden.shape[1]
    scores = part(hidden) @ hidden.transpose(1, 2) / hidden.shape[2] ** 0.5
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    return hidden + torch.softmax(scores.masked_fill(later, float("-inf")), -1) @ hidden


def _end(name: str, head: nn.Module, hidden: Tensor, keep: Tensor | None) -> Any:
    if name in ("mean", "both", "named"):
        if keep is None:
            pooled = hidden.mean(1)
        else:
            weights = keep[..., None].to(hidden.dtype)
            pooled = (hidden * weights).sum(1) / weights.sum(1)
        logits = head(pooled)
        return {"mean": logits, "both": (hidden, logits), "named": {"logits": logits, "past": None}}[name]
    if name == "max":
        return head((hidden if keep is None else hidden.masked_fill(~keep[..., None], float("-inf"))).amax(1))
    computed: dict[str, Callable[[], Any]] = {
        "sequence": lambda: head(hidden),
        "last": lambda: head(hidden[:, -1]),
        "every_other": lambda: head(hidden)[:, ::2],
        "labels": lambda: (head(hidden), head(hidden).argmax(-1)),
        "logsumexp": lambda: torch.logsumexp(head(hidden), 1),
        "flat_rows": lambda: head(hidden).flatten(1),
    }
    return computed[name]()


def make(recipe: Recipe) -> Random:
    """Make the module of a recipe, with weights as after training."""
    torch.manual_seed(recipe.seed)
    return as_after_training(Random(recipe))


RECIPES = st.builds(
    Recipe,
    ids=st.booleans(),
    width=st.sampled_from(WIDTHS),
    axis=st.sampled_from(tuple(AXES)),
    layers=st.lists(st.sampled_from(LAYERS), min_size=2, max_size=5, unique=True).map(tuple),
    end=st.sampled_from(ENDS),
    given=st.sets(st.sampled_from(GIVEN), max_size=3).map(lambda names: tuple(sorted(names))),
    seed=st.integers(0, 2**16),
)


def recipes(count: int) -> list[Recipe]:
    """Draw recipes, the same ones each time; no two have the same layers."""
    found: dict[tuple[str, ...], Recipe] = {}

    @settings(
        max_examples=5 * count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @drawn(RECIPES)
    def draw(recipe: Recipe) -> None:
        found.setdefault(recipe.layers, recipe)

    draw()
    return list(found.values())[:count]
