"""What the cards of prepared datasets and of shared recipes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toyadmos_datasets.corpus.facts import CITATION, LICENSE_URL, RECORD_CITATION
from toyadmos_datasets.escaping import escaped, markdown_text
from toyadmos_datasets.values.prepare_command import placeholders, prepare_commands

SIMULATED_LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

SIMULATED_WARNING = (
    "> **This is a SIMULATED corpus.** Every sound in it was synthesised by `toyadmos simulate`. It has the "
    "layout, names and damage patterns of ToyADMOS and none of its recordings: do not report results on it "
    "as results on ToyADMOS.\n"
)


def hub_facts(title: str, *, is_simulated: bool, n_rows: int, tags: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the Hub's pages say of every dataset of ours.

    Args:
        title: Name for people.
        is_simulated: Whether its recordings were synthesised.
        n_rows: Examples of all configs together.
        tags: Tags beside those that all have.

    Source:
        huggingface/hub-docs, datasetcard.md: the keys, and the names of `task_categories` and `size_categories`.
    """
    return {
        "pretty_name": title,
        "license": "other",
        "license_name": "simulated-audio" if is_simulated else "toyadmos-evaluation",
        "license_link": SIMULATED_LICENSE_URL if is_simulated else LICENSE_URL,
        "task_categories": ["audio-classification"],
        "size_categories": [size_category(n_rows)],
        "tags": [
            "audio",
            "anomalous-sound-detection",
            "ToyADMOS",
            *tags,
            *(["simulated"] if is_simulated else []),
        ],
    }


def size_category(n_rows: int) -> str:
    """Name a number of examples as the Hub does.

    Example:
        >>> [size_category(n) for n in (999, 1000, 25836, 2_000_000)]
        ['n<1K', '1K<n<10K', '10K<n<100K', '1M<n<10M']
    """
    return next((name for bound, name in _SIZES if n_rows < bound), "1M<n<10M")


def config_entries(configs: Mapping[str, Mapping[str, str | list[str]]]) -> list[dict[str, Any]]:
    """Return the configs as a card's front matter has them; the first is the default.

    Args:
        configs: Path, or pattern or patterns, of the files of each split of each config.
    """
    return [
        {
            "config_name": config,
            **({"default": True} if number == 0 else {}),
            "data_files": [{"split": split, "path": path} for split, path in splits.items()],
        }
        for number, (config, splits) in enumerate(configs.items())
    ]


def repeating_text(requests: Sequence[Mapping[str, Any]], versions: Mapping[str, str]) -> str:
    """Tell the command that prepares the same again, and the versions that the bytes depend on."""
    commands = "".join(f"    {escaped(one)}\n" for one in prepare_commands(requests))
    unknown = placeholders(requests)
    hidden = f" For {' and '.join(unknown)} put what was given then; only its hash is kept." if unknown else ""
    told = ", ".join(markdown_text(f"{name} {version}") for name, version in sorted(versions.items()))
    return (
        f"{commands}\nThe recordings come from the official record or, with `--source`, from a copy.{hidden} It was "
        f"made with {told}.\n"
    )


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the lines of a table; what its cells hold is Markdown already."""
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]


def citation_text() -> str:
    """Tell what to cite: the paper and the record of the corpus."""
    return f"## Citation\n\n```bibtex\n{CITATION}\n{RECORD_CITATION}```\n"
