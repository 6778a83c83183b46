"""The one place of this stage that knows torch: batches of arrays become tensors, and a DataLoader gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from toyadmos_datasets.loading.clip_batches import Clips
from toyadmos_datasets.loading.epochs import Epochs


class ClipBatches(Dataset):
    """Clips as a map-style dataset whose items are asked for a batch at a time.

    Args:
        clips: What is read.
    """

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return a batch of one, as the first epoch has it."""
        return self.__getitems__([(0, row)])

    def __getitems__(self, keys: list[tuple[int, int]]) -> dict[str, Any]:  # torch looks for it
        """Return a batch of rows of one epoch, each named by epoch and number."""
        epoch = keys[0][0] if keys else 0
        batch = self.clips.batch([row for _, row in keys], epoch)
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in batch.items()
        }


class _EpochRows(Sampler):
    """Batches of rows with the number of the epoch: so workers that outlive an epoch know which one it is."""

    def __init__(self, epochs: Epochs) -> None:
        self.epochs = epochs

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epochs.epoch
        for rows in self.epochs:
            yield [(epoch, row) for row in rows]


class ResumableLoader(DataLoader):
    """A `DataLoader` that knows where it is, and goes on from there.

    `state_dict` counts the batches that were handed out, whatever workers have read ahead. An epoch that was gone
    through to its end is followed by the next; one that was left begins again.

    Args:
        clips: What is read.
        epochs: Which rows each batch has.
        options: Of `DataLoader`, such as ``num_workers``.
    """

    def __init__(self, clips: Clips, epochs: Epochs, **options: Any) -> None:  # noqa: ANN401  # DataLoader's
        super().__init__(ClipBatches(clips), batch_sampler=_EpochRows(epochs), collate_fn=_as_it_is, **options)
        self.epochs = epochs
        self._n_handed_out = epochs.n_done

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the batches of the current epoch, after a resumption those that are left."""
        self._n_handed_out = self.epochs.n_done
        for batch in super().__iter__():
            self._n_handed_out += 1
            yield batch
        self.set_epoch(self.epochs.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, by number."""
        self.epochs.epoch, self.epochs.n_done, self._n_handed_out = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the loader is, with the batch that was handed out last counted as done."""
        return self.epochs.state_dict() | {"n_done": self._n_handed_out}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go where another loader was.

        Raises:
            OptionError: That one had other rows, batches, seed or number of ranks.
        """
        self.epochs.load_state_dict(state)
        self._n_handed_out = self.epochs.n_done


def rank_and_size() -> tuple[int, int]:
    """Return what torch.distributed says, or the first of one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    return batch
