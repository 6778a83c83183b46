"""Where a dataset comes from and goes to, and what stays out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from toyadmos_datasets.files.address import RECORD
from toyadmos_datasets.files.cache_folder import CACHE_VARIABLE
from toyadmos_datasets.options.declaration import check_options, option


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Where a dataset comes from and goes to, and what stays out of it; docs/cli.md says what each option does."""

    source: str = field(
        default=RECORD,
        metadata=option(
            help="Where the corpus comes from: `record` (the official one on Zenodo), `https://host/folder/` (a "
            "mirror), a folder with the volumes or the extracted tree, or `simulate[:tiny|small|medium]`.",
            page="See [sources.md](sources.md).",
            metavar="SRC",
            example="simulate",
            typed={"envvar": "TOYADMOS_SOURCE"},
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="Leave out files and folders of the source whose name or path matches; can be repeated.",
            page="See [sources.md](sources.md#leaving-files-out).",
            metavar="PATTERN",
            example="'*_copy.wav'",
            is_split=False,
            is_set=False,
        ),
    )
    strict: bool = field(
        default=False,
        metadata=option(
            help="Refuse a source that differs in any way from the published corpus.",
            page='By default `prepare` counts such differences and shows them "as found".',
        ),
    )
    out: Path | None = field(
        default=None,
        metadata=option(
            help="Folder of the dataset; by default `data/TOY`, or `data/TOY-PROTOCOL`.",
            page="`data/TOY` is for the default protocol. The folder must not lie inside the toy's own folder.",
            metavar="DIR",
            example="data/car-noisy",
            typed={"file_okay": False},
        ),
    )
    recipe: Path | None = field(
        default=None,
        metadata=option(
            help="A table of your own (Parquet or CSV) instead of a protocol.",
            page="Its columns are described in [protocols.md](protocols.md#a-recipe-of-your-own).",
            metavar="FILE",
            typed={"exists": True, "dir_okay": False},
        ),
    )
    cache: Path | None = field(
        default=None,
        metadata=option(
            help=f"Folder that keeps recordings between runs; also set by `{CACHE_VARIABLE}`.",
            page="By default it is the platform's folder for caches.",
            metavar="DIR",
            example="/fast/disk",
            typed={"file_okay": False},
        ),
    )
    skip_bad: bool = field(
        default=False,
        metadata=option(
            help="Leave out recordings that cannot be read, and list them.",
            page="Events that have no SNR, because target or noise is digital silence, are left out, too. "
            "`manifest.json` lists both.",
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="Leave out events with these health flags, or events that a text file lists.",
            page="The events are left out after the splits are drawn, so no other clip changes. See "
            "[protocols.md](protocols.md#health-and-what-to-leave-out).",
            metavar="FLAGS|FILE",
            example="near_silent,clipped",
            is_split=False,
            is_set=False,
        ),
    )
    overwrite: bool = field(
        default=False,
        metadata=option(
            help="Replace the dataset that the folder holds.",
            page="The old dataset stays until the new one is complete. If the replacement is interrupted, the old "
            "dataset is restored, at once or by the next command.",
        ),
    )
    add: bool = field(
        default=False,
        metadata=option(
            help="Add new configs to the dataset that the folder holds.",
            page="The configs already there keep their bytes. See [Adding to a dataset](#adding-to-a-dataset).",
        ),
    )
    headroom: str = field(
        default="folder",
        metadata=option(
            help="With --add, the headroom of the new configs: `folder` (the same as the dataset's) or `own`.",
            page="With `own` the levels of old and new configs differ; the column `headroom_db` tells by how much.",
            metavar="WHOSE",
            example="own --add",
            choices=("folder", "own"),
        ),
    )

    def __post_init__(self) -> None:
        check_options(self)
