"""The sound of a clip again, where two sketches say that it may be another's."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.audit.clips import path_of, row_of
from toyadmos_datasets.errors import WavError
from toyadmos_datasets.files.looking import raise_shortage
from toyadmos_datasets.signal.pcm import decode
from toyadmos_datasets.values.shards import row_of_shard

Mono = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Decodes a part of a clip, by the clip's place.

    Attributes:
        root: What the places are in.
        is_dataset: Whether that is a prepared folder; else one of audio files.
    """

    root: Path
    is_dataset: bool

    def part(self, clips: pa.Table, part: str) -> Callable[[int], Mono | None]:
        """Return what gives the first channel of ``target`` or ``noise``, by the clip's row in a table."""
        places = clips["place"]

        def listen(row: int) -> Mono | None:
            """Decode one clip; None where it is no longer there."""
            try:
                return self._samples(places[row].as_py(), part)
            except (WavError, OSError) as error:
                raise_shortage(error, self.root)
                return None

        return listen

    def _samples(self, place: str, part: str) -> Mono | None:
        if not self.is_dataset:
            with (self.root / path_of(place)).open("rb") as file:
                return decode(file, name=place).samples[:, 0]
        path, number = row_of(place)
        row = row_of_shard(self.root / path, number, (part, "audio"))
        sound = row.get(part) or (row["audio"] if part == "target" else None)
        return decode(io.BytesIO(sound["bytes"]), name=place).samples[:, 0] if sound else None
