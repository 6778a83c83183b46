"""Footers of Parquet files without a hash to compare: damage is an error, and never the end of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

FLIP = """
import io, sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.parquet_files import require_bounded_group, require_rows
from toyadmos_datasets.values.parquet_files import read_parquet

place = Path(sys.argv[1])
table = pa.table({"a": ["x", "y"], "ids": pa.array([["p"], ["q", "r"]], pa.list_(pa.string())), "n": [1, 2]})
plain = {"compression": "none", "use_dictionary": False}
pq.write_table(table, place, **(plain if sys.argv[2] == "shard" else {}))
whole = place.read_bytes()

def as_shard(content):
    parquet = pq.ParquetFile(io.BytesIO(content))
    require_rows(parquet.metadata, 2, where="shard", remedy="-")
    for group in range(parquet.num_row_groups):
        require_bounded_group(parquet, group, where="shard", remedy="-")

def as_table(content):
    place.write_bytes(content)
    read_parquet(place, lambda actual: DatasetError("damaged", actual=actual))

read = as_shard if sys.argv[2] == "shard" else as_table
read(whole)
n_refused = 0
start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
for at in range(start, len(whole)):
    for mask in (0x01, 0x55):
        try:
            read(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        except (DatasetError, pa.ArrowException, OSError):
            n_refused += 1
print(n_refused)
"""


@pytest.mark.parametrize("reader", ["shard", "table"])
def test_every_flipped_byte_of_a_footer_is_survived(tmp_path, reader):
    done = subprocess.run(
        [sys.executable, "-c", FLIP, str(tmp_path / "table.parquet"), reader],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 100
