"""The batches of the gradient methods, from rows in memory or from the blocks of a table."""

from collections.abc import Iterator
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from linreg.data import Part, Parts, Scaler
from linreg.problem import Problem, rows_of_part
from linreg.reading.blocks import BLOCK_ROWS

Pair: TypeAlias = tuple[Tensor, Tensor]
"""Features, shape (rows, features), and target, shape (rows, 1), in the dtype of the model and on its device."""


class Rows(Protocol):
    """The rows that a gradient method trains and tests with."""

    def batches(self) -> Iterator[Pair]:
        """Yield the training rows of the next epoch."""

    def held_out(self) -> Iterator[Pair]:
        """Yield the rows of the validation part, or else of the test part; nothing if there is neither."""


class RowsInMemory:
    """Rows in memory; a batch holds rows drawn from all training rows, or all of them in their order."""

    def __init__(
        self, parts: Parts, scaler: Scaler | None, model: nn.Module, *, batch_size: int | None, seed: int
    ) -> None:
        self._train = _pair(parts.train, scaler, model)
        watched = parts.validation or parts.test
        self._held_out = None if watched is None else _pair(watched, scaler, model)
        self._size = batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def batches(self) -> Iterator[Pair]:
        """Yield the training rows of the next epoch."""
        x, y = self._train
        if self._size is None:
            yield x, y
            return
        for rows in torch.split(torch.randperm(len(x), generator=self._generator).to(x.device), self._size):
            yield x[rows], y[rows]

    def held_out(self) -> Iterator[Pair]:
        """Yield the held-out rows at once."""
        if self._held_out is not None:
            yield self._held_out


class StreamedRows:
    """Rows of a table of any size, of which a batch and a block are in memory at a time.

    Each epoch visits the blocks of `BLOCK_ROWS` rows of the table in a random order, and the training rows of a block
    in a random order; this sequence is cut into batches, which therefore may span blocks. The order depends on the
    seed, on the epoch and on the places of the rows in the table alone: not on workers or files.
    """

    def __init__(
        self, problem: Problem, rows: int, scaler: Scaler, model: nn.Module, *, batch_size: int, seed: int
    ) -> None:
        """Prepare the first epoch.

        Args:
            problem: the table, with its split.
            rows: rows of the table.
            scaler: standardises the rows.
            model: gives dtype and device.
            batch_size: rows of each batch; the last one of an epoch may have fewer.
            seed: seed of the order.
        """
        self._problem = problem
        self._blocks = -(-rows // BLOCK_ROWS)
        self._scaler = scaler
        self._model = model
        self._size = batch_size
        self._seed = seed
        self._epoch = 0

    def batches(self) -> Iterator[Pair]:
        """Yield the training rows of the next epoch."""
        # Blocks and draws for plots have keys below 2^62 and above 2^63.
        generator = np.random.Generator(np.random.Philox(key=[self._seed, 2**62 + self._epoch]))
        self._epoch += 1
        waiting: list[Pair] = []
        count = 0
        for block in generator.permutation(self._blocks).tolist():
            part = self._part(block, 0)
            order = generator.permutation(len(part.target))
            shuffled = Part(features=part.features[order], target=part.target[order])
            waiting.append(_pair(shuffled, self._scaler, self._model))
            count += len(order)
            if count < self._size:
                continue
            x, y = _joined(waiting)
            whole = count - count % self._size
            yield from zip(torch.split(x[:whole], self._size), torch.split(y[:whole], self._size), strict=True)
            # Copies, so that what is left does not keep its block in memory.
            waiting, count = [(x[whole:].clone(), y[whole:].clone())], count - whole
        if count:
            yield _joined(waiting)

    def held_out(self) -> Iterator[Pair]:
        """Yield the held-out rows of each block, in the order of the table."""
        if len(self._problem.split.fractions) == 1:
            return
        for block in range(self._blocks):
            part = self._part(block, 1)
            if len(part.target):
                yield _pair(part, self._scaler, self._model)

    def _part(self, block: int, part: int) -> Part:
        """Return the complete rows of a block that belong to a part of the split."""
        start = block * BLOCK_ROWS
        (rows,) = self._problem.stream.blocks(start, start + BLOCK_ROWS)
        values = rows_of_part(self._problem, rows, part)
        return Part(features=values[:, :-1], target=values[:, -1])


def _joined(pairs: list[Pair]) -> Pair:
    if len(pairs) == 1:
        return pairs[0]
    return torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])


def _pair(part: Part, scaler: Scaler | None, model: nn.Module) -> Pair:
    """Return rows, standardised if there is a scaler."""
    x, y = part.features, part.target
    if scaler is not None:
        x = (x - scaler.feature_mean) / scaler.feature_scale
        y = (y - scaler.target_mean) / scaler.target_scale
    like = next(model.parameters())
    return torch.from_numpy(x).to(like), torch.from_numpy(y[:, None]).to(like)
