"""The stage that finds where machines run in ingested continuous recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine import Engine, Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.signal.activity import find_activity
from toyadmos_datasets.units import Hertz
from toyadmos_datasets.values.index import ACTIVITY_SCHEMA
from toyadmos_datasets.values.recording_store import RecordingReader

RECORDINGS_A_TASK = 8
"""Ten minutes each: some seconds of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listening:
    catalogue: pa.Table
    rate_hz: Hertz


def activity_of(
    recording_ids: Sequence[str],
    catalogue: pa.Table,
    *,
    rate_hz: Hertz,
    workers: int = 1,
    engine: Engine | None = None,
    progress: Progress,
) -> pa.Table:
    """Find where machines run.

    Args:
        recording_ids: Ingested recordings.
        catalogue: What is known of the ingested recordings.
        rate_hz: Their rate.
        workers: How many tasks run at once.
        engine: Where they run; None for this machine.
        progress: Told about the work.

    Returns:
        Table of `ACTIVITY_SCHEMA`, ordered by recording and start, the same for any number of workers.
    """
    wanted = pc.is_in(catalogue["recording_id"], value_set=pa.array(recording_ids, pa.string()))
    rows = catalogue.filter(wanted).sort_by("recording_id")
    tasks = [
        _Listening(catalogue=rows.slice(start, RECORDINGS_A_TASK), rate_hz=rate_hz)
        for start in range(0, len(rows), RECORDINGS_A_TASK)
    ]
    with progress.stage("Finding where machines run", len(rows), "recordings") as on_progress:
        found = list(run_tasks(_listen, tasks, workers=workers, engine=engine, on_progress=on_progress))
    if not found:
        return ACTIVITY_SCHEMA.empty_table()
    return pa.concat_tables(found).sort_by([("recording_id", "ascending"), ("start", "ascending")])


def _listen(task: _Listening, watch: Watch) -> pa.Table:
    reader = RecordingReader(task.catalogue)
    tables = [ACTIVITY_SCHEMA.empty_table()]
    for recording_id in task.catalogue["recording_id"].to_pylist():
        watch.advance(1, at=recording_id)
        runs = find_activity(reader.samples(recording_id), task.rate_hz).runs
        bounds = (runs * CORPUS_RATE_HZ // task.rate_hz).astype(np.int64)
        columns = [pa.repeat(recording_id, len(runs)), pa.array(bounds[:, 0]), pa.array(bounds[:, 1])]
        tables.append(pa.table(columns, schema=ACTIVITY_SCHEMA))
    return pa.concat_tables(tables)
