"""The number of threads of a training: the fewest that are about as fast as any, found by a trial of a few steps."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from toyadmos_datasets.engine.processor_count import processors
from toyadmos_datasets.units import Seconds

_ROUNDS = 3
_STEPS = 2
_LONGEST_S: Seconds = 5.0
"""After which no further round begins; models whose steps take seconds are tried once."""
_WORTH = 0.9
"""More threads have to take at most this share of the time, or the processors are better left to others."""


def candidates() -> list[int]:
    """Return how many threads are tried: 1, 2, 4 and so on, up to what torch and this process may use.

    ``OMP_NUM_THREADS`` and `torch.set_num_threads` say what torch may.
    """
    most = min(torch.get_num_threads(), processors())
    return sorted({min(1 << power, most) for power in range(most.bit_length() + 1)})


def step_times(model: nn.Module, n_rows: int, n_inputs: int, counts: list[int]) -> dict[int, Seconds]:
    """Return the time that a step takes with each number of threads; the model stays as it is.

    Args:
        model: What is trained.
        n_rows: Inputs of a step.
        n_inputs: Values of an input.
        counts: The numbers.
    """
    trial, x = copy.deepcopy(model).train(), torch.linspace(-1, 1, n_rows * n_inputs).reshape(n_rows, n_inputs)
    best: dict[int, Seconds] = {}
    start_s = time.perf_counter()
    for _ in range(_ROUNDS):
        for count in counts:
            with threads(count):
                _step(trial, x)  # threads are started, and memory is allocated
                begin_s = time.perf_counter()
                for _ in range(_STEPS):
                    _step(trial, x)
                best[count] = min(best.get(count, float("inf")), (time.perf_counter() - begin_s) / _STEPS)
        if time.perf_counter() - start_s > _LONGEST_S:
            break
    return best


def fewest(times: Mapping[int, Seconds]) -> int:
    """Return the smallest number of threads that more of them do not beat by a tenth or more.

    Example:
        >>> fewest({1: 10.0, 2: 6.0, 4: 5.8})
        2
    """
    best = min(times.values())
    return min(count for count, taken_s in times.items() if taken_s * _WORTH <= best)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use so many threads while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _step(model: nn.Module, x: Tensor) -> None:
    model.zero_grad()
    (x - model(x)).square().mean().backward()
