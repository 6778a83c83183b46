"""A builder for `datasets` that runs the stages of `toyadmos prepare`, and lets `datasets` write and cache the rows."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
from datasets.exceptions import DatasetGenerationError

from toyadmos_datasets.builder.builder_config import DATASET_VERSION, ToyAdmosConfig, ready_configs
from toyadmos_datasets.corpus.facts import CITATION, LICENSE_URL, RECORD_URL
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import OptionError, ToyAdmosError
from toyadmos_datasets.jobs.prepare import prepared_tasks
from toyadmos_datasets.loading import check_decode
from toyadmos_datasets.loading.derived_features import decoding
from toyadmos_datasets.options.catalogue import protocol_named
from toyadmos_datasets.rendering import ROWS_A_GROUP, ShardTask, rendered_groups
from toyadmos_datasets.values.columns import features_of
from toyadmos_datasets.values.source import Source


class ToyAdmos(datasets.ArrowBasedBuilder):  # type: ignore[misc]  # datasets has no type annotations to see
    """Builds a dataset in the cache of `datasets`: the rows of `toyadmos prepare`, by the same stages.

    Recordings are ingested once, into the store that the command line uses, too. Rows are rendered shard by shard,
    in `num_proc` processes, straight into the files of `datasets`; streaming renders them on demand.
    The constructor opens nothing. The source is opened, and its licence shown, when rows or their folder are requested.

    Args:
        name: A ready config: toy and protocol, such as ``train-waspaa2019``.
        cache_dir: Where `datasets` keeps things; by default its own place.
        changes: Attributes of `ToyAdmosConfig`, such as ``source``, ``snr_db``, ``seed``.

    Raises:
        OptionError: There is no such config, or no such option.
    """

    BUILDER_CONFIG_CLASS = ToyAdmosConfig
    BUILDER_CONFIGS = ready_configs()  # as datasets has it
    VERSION = DATASET_VERSION
    _source: Source | None = None

    def __init__(self, name: str = "train-waspaa2019", *, cache_dir: str | None = None, **changes: Any) -> None:  # noqa: ANN401
        if name not in self.builder_configs:
            raise OptionError(
                "There is no such config.",
                where="name",
                expected=", ".join(self.builder_configs),
                actual=name,
                remedy="Choose one, and change what differs: ToyAdmos('train-basic', snr_db=6)",
            )
        super().__init__(cache_dir=cache_dir, dataset_name="toyadmos", config_name=name, **_as_attributes(changes))

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description or "",
            citation=CITATION,
            homepage=RECORD_URL,
            license=LICENSE_URL,
            features=datasets.Features.from_dict(
                features_of(toy_named(self.config.toy).name, self.config.rate_hz, stems=self._has_stems())
            ),
        )

    def _has_stems(self) -> bool:
        return bool(self.config.stems or protocol_named(self.config.protocol).has_stems)

    @property
    def cache_dir(self) -> str:
        """The folder where `datasets` keeps the rows; it depends on the content of the source, which is opened.

        Raises:
            SourceError: There are no recordings at the source.
        """
        self._opened()
        return str(self._cache_dir)

    def _opened(self) -> Source:
        """Open the source, once, and set the folder of the result."""
        if self._source is None:
            self._source = self.config.prepare_options().open_source(Quiet())
            self.config_id = self.config.opened_id(self._source)
            self._cache_dir = self._output_dir = self._build_cache_dir()
            if self._fs.exists(posixpath.join(self._cache_dir, datasets.config.DATASET_INFO_FILENAME)):
                self.info = self._load_info()
        return self._source

    def download_and_prepare(self, *args: Any, num_proc: int | None = None, **kwargs: Any) -> None:  # noqa: ANN401  # as its parent's
        """Build the dataset, as `datasets.DatasetBuilder.download_and_prepare` does.

        Raises:
            ToyAdmosError: A stage failed.
        """
        if num_proc:
            self.config.workers = num_proc
        self._opened()
        try:
            super().download_and_prepare(*args, num_proc=num_proc, **kwargs)
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, ToyAdmosError):  # what happened, not that something did
                raise error.__cause__ from None
            raise

    def as_dataset(
        self,
        split: str | None = None,
        *,
        decode: bool | str = True,
        **kwargs: Any,  # noqa: ANN401  # as its parent's
    ) -> datasets.Dataset | datasets.DatasetDict:
        """Return the built dataset, its audio decoded by soundfile, to ``int16`` if `decode` says so.

        Raises:
            OptionError: There is no such decoding, or it would lose bits.
        """
        check_decode(decode, self.config.bit_depth)
        self._opened()
        return decoding(super().as_dataset(split, **kwargs), decode)

    def as_streaming_dataset(
        self,
        split: str | None = None,
        *,
        decode: bool | str = True,
        **kwargs: Any,  # noqa: ANN401  # as its parent's
    ) -> datasets.IterableDataset | datasets.IterableDatasetDict:
        """Return rows that are rendered on demand; recordings are ingested first.

        Raises:
            OptionError: There is no such split or decoding, or it would lose bits.
        """
        check_decode(decode, self.config.bit_depth)
        try:
            streamed = super().as_streaming_dataset(split, **kwargs)
        except ValueError as error:
            if not str(error).startswith("Bad split"):  # how datasets refuses one
                raise
            raise OptionError(
                "What is rendered as it goes has no such split.",
                where="split",
                expected="one of those that it has, whole",
                actual=error,
                remedy="Take one split, and cut it with .take(n) and .skip(n).",
            ) from error
        return decoding(streamed, decode)

    def _split_generators(self, dl_manager: object) -> list[datasets.SplitGenerator]:
        del dl_manager  # sources fetch for themselves
        tasks = prepared_tasks(self.config.prepare_options().preparation(self._opened()))
        chosen = self._chosen(tasks)
        of_config = [part for task in tasks if task.config == chosen for part in _parts(task)]
        splits = dict.fromkeys(task.split for task in of_config)
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"tasks": [one for one in of_config if one.split == split]})
            for split in splits
        ]

    def _generate_tables(self, tasks: list[ShardTask]) -> Iterator[tuple[str, pa.Table]]:
        for number, task in enumerate(tasks):
            for group, (table, _) in enumerate(rendered_groups(task, Watch())):
                yield f"{number}_{group}", table

    def _chosen(self, tasks: list[ShardTask]) -> str:
        """Return which of the configs that the plan has is built."""
        names = list(dict.fromkeys(task.config for task in tasks))
        if self.config.config is None:
            if self.config.snr_db is None:
                return names[0]
            asked = pa.scalar(float(self.config.snr_db))
            return next(one.config for one in tasks if pc.all(pc.equal(one.examples["snr_db"], asked)).as_py())
        if self.config.config not in names:
            raise OptionError(
                "The protocol has no such config.",
                where="config",
                expected=", ".join(names),
                actual=self.config.config,
                remedy="Choose one of them, or give snr_db.",
            )
        return str(self.config.config)


def _parts(task: ShardTask) -> list[ShardTask]:
    """Cut a shard into its row groups: so there is enough to share, also of small datasets."""
    starts = range(0, len(task.examples), ROWS_A_GROUP)
    return [replace(task, examples=task.examples.slice(start, ROWS_A_GROUP)) for start in starts]


def _as_attributes(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of the config that differ from the default; None means the default."""
    known = set(ToyAdmosConfig.__dataclass_fields__)
    unknown = sorted(set(changes) - known)
    if unknown:
        raise OptionError(
            "There is no such option.",
            where=unknown[0],
            expected=", ".join(sorted(known)),
            actual=unknown[0],
            remedy="Options are called as the attributes of ToyAdmosConfig are.",
        )
    return {name: value for name, value in changes.items() if value is not None}
