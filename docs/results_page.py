"""docs/results.md, made of the results in docs/results.json."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from toyadmos_datasets.corpus.facts import PAPER_EXPERIMENTS

TOYS = ("ToyCar", "ToyConveyor", "ToyTrain")
DCASE = {"ToyCar": "0.801 / 0.672", "ToyConveyor": "0.727 / 0.607", "ToyTrain": "not in it"}
"""AUC and pAUC of the DCASE 2020 baseline on its own noise and split."""

COLUMNS = (
    "system",
    "changed for speed",
    "noise",
    "seeds",
    "AUC",
    "by the mean frame",
    "as published",
    "pAUC, McClish",
    "overlooked",
    "loudness alone",
)

WIDTH = 118


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One trained and scored run; an interval is value, low and high, or the value alone where it is not known."""

    corpus: str
    is_true: bool
    config: str
    system: str
    changes: list[str]
    seed: int
    n_normal: int
    n_anomalous: int
    auc: list[float]
    auc_of_means: float
    auc_as_published: float
    pauc_mcclish: list[float]
    share_overlooked: float
    auc_of_loudness: float
    verdict: str
    recipe: str
    run: str
    command: str

    @property
    def key(self) -> tuple[object, ...]:
        """What a later result replaces this one by."""
        return (self.is_true, self.corpus, self.config, self.system, *sorted(self.changes), self.seed)

    @property
    def is_perfect(self) -> bool:
        """Whether every figure of it is 1.000 as it is shown."""
        found = (self.auc[0], self.auc_of_means, self.auc_as_published, self.pauc_mcclish[0])
        return all(f"{one:.3f}" == "1.000" for one in found)


def page(results: Sequence[Result], notes: dict[str, str]) -> str:
    """Return the page.

    Args:
        results: All that is known.
        notes: A paragraph about a corpus, by its name.
    """
    true = [one for one in results if one.is_true]
    others = [one for one in results if not one.is_true]
    lines = [
        "# Results",
        "",
        *paragraph(
            "Written by [results.py](results.py). Intervals: 95 %. What each figure and its interval is: "
            "[baseline.md](baseline.md). A system that does not beat loudness (in its better direction) has shown "
            "nothing."
        ),
        *paragraph(
            "The published system takes a clip's largest frame as its score, DCASE's the mean; *by the mean frame* is "
            "the AUC of the same frames' mean, for comparison. Over several seeds a figure is mean ± standard "
            "deviation; of one seed it has its interval."
        ),
        "## The true corpus",
        "",
        *true_table(true),
        *(line for name in names_of(true) for line in corpus_lines(name, true, notes)),
        "## Other corpora",
        "",
        *paragraph(
            "With `--quick` the training is cut short as the tables say: these rows show that the pipeline works and "
            "what it tells apart, not how good the systems are. Noise `waspaa2019` is the paper's experiment with its "
            "gains; a level in dB is the protocol `basic` at that SNR."
        ),
        *paragraph(notes.get("", "")),
        *(line for name in names_of(others) for line in corpus_lines(name, others, notes)),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False), ""] if text else []


def names_of(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(one.corpus for one in results))


def true_table(true: Sequence[Result]) -> list[str]:
    """Set the AUCs on the true corpus beside the published ones."""
    published = {one.toy: f"{one.auc:.3f}" for one in PAPER_EXPERIMENTS}
    rows = [
        ["paper, AUC as its code computes it (`waspaa2019`)", *(published[toy] for toy in TOYS)],
        ["DCASE 2020 baseline, AUC / pAUC (its own noise and split)", *(DCASE[toy] for toy in TOYS)],
    ]
    for system, changes in dict.fromkeys((one.system, tuple(one.changes)) for one in true):
        mine = [one for one in true if (one.system, tuple(one.changes)) == (system, changes)]
        by_toy = [[one.auc_as_published for one in mine if one.corpus == toy] for toy in TOYS]
        said = f" ({', '.join(changes)})" if changes else ""
        name = f"this package, `{system}`{said}, the same figure as the paper"
        rows.append([name, *(spread(some) if some else "not run" for some in by_toy)])
    if not true:
        rows.append(["this package, on the true corpus", *("not run" for _ in TOYS)])
    nobody = (
        "**Nobody who works on this package could reach the archives: no row here is a result on ToyADMOS.** The "
        "published figures:"
    )
    missing = [toy for toy in TOYS if toy not in names_of(true)]
    return [
        *([] if true else paragraph(nobody)),
        *table(["", *TOYS], rows),
        "",
        *(
            [
                "If you have the archives, fill in what is missing (200 epochs, a GPU is advisable) with",
                "",
                "    python docs/results.py --archives /data/toyadmos --work runs/results --seeds 3",
                "",
                "or one toy at a time: `--toy car`.",
                "",
            ]
            if missing
            else []
        ),
    ]


def corpus_lines(name: str, results: Sequence[Result], notes: dict[str, str]) -> list[str]:
    """Return the section of a corpus: its rows, those that are perfect as a sentence, and what was run."""
    mine = [one for one in results if one.corpus == name]
    groups: dict[tuple[object, ...], list[Result]] = {}
    for one in mine:
        groups.setdefault((one.system, *one.changes, one.config), []).append(one)
    perfect = [group for group in groups.values() if all(one.is_perfect for one in group)]
    shown = [row(group) for group in groups.values() if group not in perfect]
    first = mine[-1]
    runs = list(dict.fromkeys(f"{one.run}, recipe {one.recipe}" for one in mine))
    commands = list(dict.fromkeys(one.command for one in mine if one.command))
    return [
        f"### {name}",
        "",
        *paragraph(f"Test: {first.n_normal} normal and {first.n_anomalous} anomalous clips."),
        *paragraph(notes.get(name, "")),
        *([*table(COLUMNS, shown), ""] if shown else []),
        *(paragraph(perfect_sentence(perfect, is_all=not shown)) if perfect else []),
        *paragraph(f"Run: {'; '.join(runs)}."),
        *([*(f"    {one}" for one in commands), ""] if commands else []),
    ]


def perfect_sentence(groups: Sequence[Sequence[Result]], *, is_all: bool) -> str:
    """Say what several rows have in common of which every figure is 1.000."""
    by_system: dict[str, list[str]] = {}
    for group in groups:
        first = group[0]
        said = f" ({', '.join(first.changes)})" if first.changes else ""
        by_system.setdefault(f"`{first.system}`{said}", []).append(noise_of(first.config))
    found = "; ".join(f"{system} at {', '.join(noises)}" for system, noises in by_system.items())
    loudness = sorted(f"{one.auc_of_loudness:.3f}" for group in groups for one in group)
    lows = [one.auc[1] for group in groups for one in group if len(one.auc) > 1]
    begins = f" (the lowest interval of the AUC begins at {min(lows):.3f})" if lows else ""
    heard = loudness[0] if loudness[0] == loudness[-1] else f"{loudness[0]} to {loudness[-1]}"
    return (
        f"{'All' if is_all else 'All other'} rows have 1.000 as every figure{begins}: {found}. They do not tell the "
        f"systems apart. The AUC of loudness alone is {heard}."
    )


def row(group: Sequence[Result]) -> list[str]:
    first = group[0]
    return [
        first.system,
        ", ".join(first.changes) or "nothing",
        noise_of(first.config),
        str(len(group)),
        with_interval([one.auc for one in group]),
        spread([one.auc_of_means for one in group]),
        spread([one.auc_as_published for one in group]),
        with_interval([one.pauc_mcclish for one in group]),
        f"{statistics.mean(one.share_overlooked for one in group):.0%}",
        ", ".join([f"{first.auc_of_loudness:.3f}", *dict.fromkeys(one.verdict for one in group if one.verdict)]),
    ]


def noise_of(config: str) -> str:
    return config.removeprefix("snr_").replace("minus_", "-").replace("db", " dB")


def spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def with_interval(intervals: Sequence[Sequence[float]]) -> str:
    if len(intervals) > 1:
        return spread([one[0] for one in intervals])
    value, *ends = intervals[0]
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else f"{value:.3f}"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heading)} |", f"|{' --- |' * len(heading)}", *(f"| {' | '.join(one)} |" for one in rows)]
