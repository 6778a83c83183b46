"""What can be asked of a prepared dataset: a config, a split or an expression of splits, a way to decode."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from toyadmos_datasets.errors import MissingExtraError, OptionError
from toyadmos_datasets.values.manifest import Manifest, Shard

if TYPE_CHECKING:
    from datasets import Dataset


def part_of(opened: Mapping[str, Dataset], asked: str) -> Dataset:
    """Cut and put together what an expression says.

    Raises:
        OptionError: It is not valid.
    """
    import datasets  # noqa: PLC0415  (takes a second)

    try:
        n_rows = {split: len(rows) for split, rows in opened.items()}
        pieces = datasets.ReadInstruction.from_spec(asked).to_absolute(n_rows)
    except (ValueError, AssertionError) as error:  # how datasets refuses what stands in the brackets
        raise OptionError(
            "This is not an expression for a split.",
            where="split",
            expected="train, train[:100], train[10%:20%], train+test and the like",
            actual=f"{asked}: {error}",
            remedy="See https://huggingface.co/docs/datasets/loading#slice-splits",
        ) from error
    parts = []
    for piece in pieces:
        rows = opened[piece.splitname]
        start, end = piece.from_ or 0, len(rows) if piece.to is None else piece.to
        parts.append(rows if (start, end) == (0, len(rows)) else rows.select(range(start, end)))
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts, split=datasets.NamedSplit(asked))


ALL = "all"
DECODINGS = (True, False, "float32", "int16")


def chosen_splits(manifest: Manifest, name: str | None) -> dict[str, list[Shard]]:
    """Return the splits of a config; None is the first.

    Raises:
        OptionError: There is no such config.
    """
    configs = manifest.configs | manifest.joint_configs
    config = next(iter(configs), "") if name is None else name
    require_choice("config", config, configs)
    return configs[config]


def check_split(split: str | None, splits: Iterable[str]) -> str | None:
    """Return an expression whose splits all exist; ``all`` is spelled out.

    Raises:
        OptionError: There is no such split.
    """
    asked = "+".join(splits) if split == ALL else split
    for part in [] if asked is None else asked.split("+"):
        require_choice("split", part.partition("[")[0], splits)
    return asked


def check_decode(decode: bool | str, bit_depth: int) -> None:  # noqa: FBT001  # a choice of four, not a switch
    """Check that clips of a bit depth can be decoded as is asked.

    Raises:
        OptionError: There is no such decoding, or it would lose bits.
        MissingExtraError: soundfile is not installed, and is needed.
    """
    if decode not in DECODINGS:
        raise OptionError(
            "Audio cannot be decoded to this.",
            where="decode",
            expected="True (float32), False (bytes), 'float32' or 'int16'",
            actual=repr(decode),
            remedy="Leave it out for float32.",
        )
    if decode == "int16" and bit_depth != 16:
        raise OptionError(
            "Clips of more than 16 bits do not fit int16.",
            where="decode",
            expected="a dataset of 16 bits",
            actual=f"{bit_depth} bits",
            remedy="Leave decode out for float32, which holds 24 bits exactly.",
        )
    if decode and importlib.util.find_spec("soundfile") is None:
        raise MissingExtraError(
            "Audio cannot be decoded: soundfile is not installed.",
            where="load_dataset(..., decode=True)",
            remedy="Install it: pip install soundfile. Or take the bytes as they are: decode=False",
        )


def require_choice(what: str, asked: str, choices: Iterable[str]) -> None:
    """Raise if a value is not among the choices.

    Raises:
        OptionError: It is not; it lists those that are.
    """
    if asked not in choices:
        raise OptionError(
            f"The dataset has no such {what}.",
            where="name" if what == "config" else what,
            expected=", ".join(choices),
            actual=asked,
            remedy="Choose one that it has.",
        )
