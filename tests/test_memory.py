"""What keeps our own processes small, seen from outside: in fresh interpreters, and in workers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from toyadmos_datasets.engine import Watch, run_tasks

FREED = """
    import io
    from pathlib import Path
    import pyarrow as pa
    import pyarrow.parquet as pq
    from toyadmos_datasets.engine.arrow_memory import release_freed_memory

    def anonymous_mb():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024

    group = pa.Table.from_pylist([{"audio": b"x" * 250_000}] * 32)
    pq.write_table(group, io.BytesIO(), compression="none", use_dictionary=False)
    del group
    before = anonymous_mb()
    release_freed_memory()
    print(before - anonymous_mb())
"""

WITHOUT_PANDAS = """
    import sys
    import pyarrow as pa
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out

    keep_pandas_out()
    table = pa.Table.from_pylist([{"clip": b"RIFF", "ids": ["a"], "snr_db": None}])
    assert "pandas" not in sys.modules, "an array of Python's values loaded pandas"
    assert pa.array([1.0, float("nan")], from_pandas=True).null_count == 1
    assert "pandas" not in sys.modules, "NaN for null loaded pandas"
    import pandas
    assert list(table.to_pandas()["ids"][0]) == ["a"], "pandas came later and cannot be used"
    print("ok")
"""

STAGES = """
    import sys
    from toyadmos_datasets import auditing, exporting, ingest, sharing, verifying
    from toyadmos_datasets.jobs import preview, rebuild

    print("pandas" in sys.modules)
"""

WITH_PANDAS = """
    import pandas
    import pyarrow as pa
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out

    keep_pandas_out()
    assert pa.array(pandas.Series([1, 2])).to_pylist() == [1, 2]
    print("ok")
"""


def said_by(script: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def has_pandas(task: int, watch: Watch) -> bool:
    pa.array([task])
    return "pandas" in sys.modules


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system does not tell what is held")
@pytest.mark.skipif(pa.default_memory_pool().backend_name != "mimalloc", reason="other allocators keep less")
def test_what_arrow_has_freed_of_a_row_group_goes_back_to_the_system():
    assert float(said_by(FREED)) > 8


def test_arrays_are_made_without_pandas_which_can_come_later():
    assert said_by(WITHOUT_PANDAS) == "ok"


def test_importing_what_commands_run_makes_no_array_and_so_loads_no_pandas():
    assert said_by(STAGES) == "False"


def test_pandas_that_is_loaded_already_stays_in_use():
    assert said_by(WITH_PANDAS) == "ok"


def test_workers_do_without_pandas():
    assert list(run_tasks(has_pandas, [1, 2, 3, 4], workers=2)) == [False] * 4
