"""A loader over planned rows: the stages before rendering run first, and clips are mixed on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.builder.builder_config import ToyAdmosConfig
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.jobs.prepare import prepared_tasks
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.loading.augmentation import TRAIN
from toyadmos_datasets.loading.prepared_loader import Batching
from toyadmos_datasets.loading.stored_rows import StoredRows
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.rendering import ShardTask

if TYPE_CHECKING:
    from toyadmos_datasets.loading.torch_batches import ResumableLoader

_PROTOCOL = "basic"
_NOT_COLUMNS = ("target_length", "noise_position", "target_start", "noise_start", "noise_gain_db", "snr_db")
"""Columns of planned rows that are wrong for a clip with a new mix."""


def source_loader(plan: Mapping[str, str], batching: Batching) -> ResumableLoader:
    """Return a loader over the training split of a source that mixes each clip on demand.

    The plan is that of the lowest requested SNR, which decides the headroom: no mix at a higher SNR is louder.

    Args:
        plan: Attributes of `ToyAdmosConfig`: toy, protocol and source.
        batching: What its batches are; of its options, those that are attributes of `ToyAdmosConfig` are the plan's.

    Raises:
        OptionError: An option is invalid, or asks for levels that are not measured as clips are mixed.
        PlanError: The protocol mixes no noise into its training split.
        SourceError: There is nothing usable at the source.
    """
    known = set(ToyAdmosConfig.__dataclass_fields__) - {"snr_db"}
    asked: dict[str, Any] = {"protocol": _PROTOCOL, "seed": batching.seed, **plan}
    asked |= {name: value for name, value in batching.options.items() if name in known}
    config = ToyAdmosConfig(**asked)
    if batching.augment is not None and batching.augment.snr_db is not None and _takes_snr(config.protocol):
        config.snr_db = round(batching.augment.snr_db[0], 2)
    prepare = config.prepare_options()
    _require_plain_levels(prepare)
    source = prepare.open_source(Quiet())
    tasks = _training_tasks(prepared_tasks(prepare.preparation(source)), config)
    rows = _rows(tasks)
    facts = [prepare.request(source), tasks[0].config]
    batching = replace(batching, options={name: value for name, value in batching.options.items() if name not in known})
    return batching.loader(
        rows,
        rate_hz=tasks[0].encoding.rate_hz,
        key=hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:32],
        columns=[one for one in rows.examples.column_names if one not in _NOT_COLUMNS],
    )


def _takes_snr(protocol: str) -> bool:
    return protocol in options_of(PlanOptions)["snrs_db"].protocols


def _require_plain_levels(prepare: PrepareOptions) -> None:
    if prepare.plan.weighting is not None or prepare.plan.snr_reference == "active":
        raise OptionError(
            "Clips that are mixed on demand use levels of the whole clip, without weighting.",
            where="weighting" if prepare.plan.weighting else "snr_reference",
            expected="weighting=None, and snr_reference='corpus' or 'clip'",
            actual=f"weighting={prepare.plan.weighting!r}, snr_reference={prepare.plan.snr_reference!r}",
            remedy="Prepare the dataset with --stems, and augment that.",
        )


def _training_tasks(tasks: list[ShardTask], config: ToyAdmosConfig) -> list[ShardTask]:
    """Return the rows to render: the training split of the requested config with noise, or of the first one."""
    noisy = [one for one in tasks if one.split == TRAIN and _is_noisy(one)]
    wanted = [one for one in noisy if config.config in (None, one.config)]
    if not wanted:
        raise PlanError(
            "The protocol mixes no noise into its training split.",
            where=f"protocol {config.protocol}",
            expected=f"a config whose split {TRAIN} has noise" + (f", called {config.config}" if config.config else ""),
            actual=", ".join(dict.fromkeys(one.config for one in noisy)) or "none",
            remedy="Choose another protocol: protocol='basic'",
        )
    return [one for one in wanted if one.config == wanted[0].config]


def _is_noisy(task: ShardTask) -> bool:
    counts = pc.list_value_length(task.examples["noise_recording_ids"])
    return bool(pc.all(pc.greater(counts, 0)).as_py())


def _rows(tasks: list[ShardTask]) -> StoredRows:
    catalogue = pa.concat_tables([one.catalogue for one in tasks])
    _, first = np.unique(catalogue["recording_id"].to_numpy(), return_index=True)
    return StoredRows(
        examples=pa.concat_tables([one.examples for one in tasks]),
        catalogue=catalogue.take(pa.array(first)),
        is_stacked=tasks[0].rules.is_stacked,
        headroom_db=tasks[0].headroom_db,
    )
