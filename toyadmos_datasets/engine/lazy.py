"""Tasks that are made when their turn comes, so that not all of them are in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

Task = TypeVar("Task")


class LazyTasks(Sequence[Task]):
    """A sequence whose elements are made each time they are asked for.

    Args:
        n_tasks: Its length.
        make: Makes the element of a number from 0 on.
    """

    def __init__(self, n_tasks: int, make: Callable[[int], Task]) -> None:
        self._n_tasks = n_tasks
        self._make = make

    def __len__(self) -> int:
        return self._n_tasks

    @overload
    def __getitem__(self, number: int) -> Task: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Task]: ...

    def __getitem__(self, number: int | slice) -> Task | Sequence[Task]:
        numbers = range(self._n_tasks)[number]
        if isinstance(numbers, range):
            return LazyTasks(len(numbers), lambda inner: self._make(numbers[inner]))
        return self._make(numbers)
