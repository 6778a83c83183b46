"""Which rows each batch of each epoch has: by seed, epoch and rank, so that any of them can be had again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.signal.randomness import derived_generator

_PURPOSE = "loader"


@dataclass(slots=True, kw_only=True)
class Epochs:
    """Batches of row numbers for one rank; iteration covers the rest of the current epoch.

    Shuffled rows are shared so that all ranks have as many batches: where that does not come out even, rows from the
    beginning of the epoch's order come again. Rows in order are shared without repeating any.

    Attributes:
        key: Identity of the rows, so that a state is not taken for another dataset's.
        n_rows: Number of rows of all ranks together.
        batch_size: Rows a batch.
        is_shuffled: Whether rows come in a new order every epoch.
        is_last_dropped: Whether a last batch that is not full is left out.
        seed: Seed of the orders.
        rank: Which of the ranks.
        world_size: How many there are.
        epoch: The current epoch, from 0.
        n_done: Batches of it that are done.
    """

    key: str
    n_rows: int
    batch_size: int
    is_shuffled: bool = True
    is_last_dropped: bool = False
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    epoch: int = 0
    n_done: int = field(default=0)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise _wrong("batch_size", "1 or more", self.batch_size)
        if not 0 <= self.rank < self.world_size:
            raise _wrong("rank", f"0 to {self.world_size - 1}, below world_size", self.rank)

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        n_rows = len(self._rows())
        return n_rows // self.batch_size if self.is_last_dropped else -(-n_rows // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the current epoch that are not done."""
        rows = self._rows()
        for number in range(self.n_done, len(self)):
            yield rows[number * self.batch_size : (number + 1) * self.batch_size].tolist()

    def state_dict(self) -> dict[str, Any]:
        """Return where this is, as values that JSON and torch can keep."""
        return {"epoch": self.epoch, "n_done": self.n_done} | self._fixed()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go where another one was; every rank may take the state of any rank.

        Raises:
            OptionError: That one had other rows, batches, seed or number of ranks.
        """
        fixed = self._fixed()
        differing = [name for name in fixed if state.get(name) != fixed[name]]
        if differing:
            raise OptionError(
                "The state is that of another loader.",
                where=", ".join(differing),
                expected=", ".join(f"{name}={fixed[name]}" for name in differing),
                actual=", ".join(f"{name}={state.get(name)}" for name in differing),
                remedy="Make the loader as it was made then, or begin anew.",
            )
        self.epoch, self.n_done = int(state["epoch"]), int(state["n_done"])

    def _fixed(self) -> dict[str, Any]:
        names = ("key", "n_rows", "batch_size", "is_shuffled", "is_last_dropped", "seed", "world_size")
        return {name: getattr(self, name) for name in names}

    def _rows(self) -> npt.NDArray[np.int64]:
        order = np.arange(self.n_rows)
        if self.is_shuffled:
            order = derived_generator(self.seed, _PURPOSE, str(self.epoch)).permutation(self.n_rows)
            order = np.resize(order, -(-self.n_rows // self.world_size) * self.world_size)  # repeats from its start
        return order[self.rank :: self.world_size]


def _wrong(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "The value of an option is invalid.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="See help(toyadmos_datasets.torch_loader).",
    )
