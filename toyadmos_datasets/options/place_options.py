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
            help="`record` (the official one on Zenodo), `https://host/folder/` of a mirror, a folder with the volumes "
            "or the extracted tree, or: `simulate[:tiny|small|medium]`.",
            page="See [sources.md](sources.md).",
            metavar="SRC",
            example="simulate",
            typed={"envvar": "TOYADMOS_SOURCE"},
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="Leave out files and folders of the source with such a name or path; can be repeated.",
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
            help="Refuse a source of which anything is not as published, instead of counting it.",
            page='Each note of "as found" is an error.',
        ),
    )
    out: Path | None = field(
        default=None,
        metadata=option(
            help="Folder of the dataset; by default `data/TOY`, or `data/TOY-PROTOCOL`.",
            page="`data/TOY` is for the default protocol. It is never inside the toy's own folder.",
            metavar="DIR",
            example="data/car-noisy",
            typed={"file_okay": False},
        ),
    )
    recipe: Path | None = field(
        default=None,
        metadata=option(
            help="A table of your own (Parquet or CSV) in the place of a protocol.",
            page="What it needs is in [protocols.md](protocols.md#a-recipe-of-your-own).",
            metavar="FILE",
            typed={"exists": True, "dir_okay": False},
        ),
    )
    cache: Path | None = field(
        default=None,
        metadata=option(
            help=f"Where recordings are kept between runs, or `{CACHE_VARIABLE}`.",
            page="By default it is the platform's place for caches.",
            metavar="DIR",
            example="/fast/disk",
            typed={"file_okay": False},
        ),
    )
    skip_bad: bool = field(
        default=False,
        metadata=option(
            help="Leave out and list recordings that cannot be read.",
            page="Events whose SNR does not exist, because one side of it is digital silence, are left out, too; "
            "`manifest.json` lists them.",
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="Leave out events with these flags, or those that a text file names.",
            page="They are left out once the splits are drawn; no other clip changes. See "
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
            help="Replace a dataset that was prepared in the folder before.",
            page="It stays until the new one is whole, and comes back if putting the new one in its place is cut: at "
            "the error, or with the next command.",
        ),
    )
    add: bool = field(
        default=False,
        metadata=option(
            help="Add the configs that are new to the dataset that was prepared in the folder before.",
            page="What is there keeps its bytes. See [Adding to a dataset](#adding-to-a-dataset).",
        ),
    )
    headroom: str = field(
        default="folder",
        metadata=option(
            help="With --add, the headroom of the new configs: `folder`, that of the dataset, or `own`.",
            page="With `own` their levels differ from those of the others; the column `headroom_db` tells by how much.",
            metavar="WHOSE",
            example="own --add",
            choices=("folder", "own"),
        ),
    )

    def __post_init__(self) -> None:
        check_options(self)
