"""The bare loop that `second_snr.py` compares with: it mixes, encodes and writes clips, and nothing else.

Is given by that script: a JSON file of lengths, and of file, first byte and factor of target and of noise; a folder to
write into; and ``wav`` or ``flac``.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

ROWS_A_GROUP, ROWS_A_FILE = 32, 256
SCHEMA = pa.schema([("audio", pa.struct([("bytes", pa.binary())]))])


def main(given: str, out: str, container: str) -> None:
    places = json.loads(Path(given).read_text())
    for number, start in enumerate(range(0, len(places), ROWS_A_FILE)):
        of_file = places[start : start + ROWS_A_FILE]
        with pq.ParquetWriter(f"{out}/{number}.parquet", SCHEMA, compression="none", use_dictionary=False) as writer:
            for first in range(0, len(of_file), ROWS_A_GROUP):
                clips = [clip(*place, container) for place in of_file[first : first + ROWS_A_GROUP]]
                rows = [{"audio": {"bytes": one}} for one in clips]
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))


def clip(n_samples: int, *parts: Any) -> bytes:  # noqa: ANN401  # files, bytes, factors, and the container
    """Mix and encode one clip."""
    segment, byte, factor, noise_segment, noise_byte, noise_factor, container = parts
    mixed = samples(segment, byte, n_samples) * factor
    mixed += samples(noise_segment, noise_byte, n_samples) * noise_factor
    file = io.BytesIO()
    soundfile.write(file, np.rint(mixed).astype(np.int16), 16_000, format=container, subtype="PCM_16")
    return file.getvalue()


def samples(segment: str, first_byte: int, n_samples: int) -> npt.NDArray[np.int16]:
    """Read a stretch of a recording."""
    with Path(segment).open("rb", buffering=0) as file:
        file.seek(first_byte)
        return np.frombuffer(file.read(2 * n_samples), np.int16)


if __name__ == "__main__":
    main(*sys.argv[1:])
