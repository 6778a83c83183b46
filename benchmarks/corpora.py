"""What the benchmarks run on: a corpus that is named, or one that is simulated, so that anyone can repeat them."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.names import parse_member
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.simulation import simulate
from toyadmos_datasets.units import format_bytes
from toyadmos_datasets.values.source import Source

SAMPLE_BYTES = 2
RATE_HZ = 48_000
WAV_HEADER_BYTES = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a benchmark works, and how thoroughly.

    Attributes:
        toy: ``ToyTrain``.
        folder: For everything that the benchmark writes; on the disk that is to be measured.
        n_rounds: How often each run is made.
        source: The corpus named by the user; None for a simulated one.
        size: Size of the simulated one.
        times: How many times as many events a larger one, made from it, has.
        is_smoke: Whether this run only shows that the benchmark works.
        parts: Of a benchmark with several questions, those that are asked.
        against: Checkout of another version of the package, whose times are to be compared; None for no comparison.
    """

    toy: str
    folder: Path
    n_rounds: int
    source: Path | None
    size: str
    times: int
    is_smoke: bool
    parts: tuple[str, ...] = ()
    against: Path | None = None

    def corpus(self, kind: str) -> Path:
        """Return the place of the corpus as a ``tree`` or as ``volumes``."""
        if self.source is not None:
            inside = self.source / kind
            return inside if inside.is_dir() else self.source
        corpus = self.folder / f"simulated-{self.toy}-{self.size}-{kind}"
        simulate(self.toy, corpus, size=self.size, tree=kind == "tree", volumes=kind == "volumes")
        return corpus / kind

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Path]:
        """Give a new folder, and remove it afterwards."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


@contextlib.contextmanager
def bench_from_arguments(
    description: str, *, n_rounds: int, times: int = 1, parts: tuple[str, ...] = (), can_compare: bool = False
) -> Iterator[Bench]:
    """Read the options that the benchmarks share.

    Args:
        description: The benchmark's docstring.
        n_rounds: Rounds where the user asks for no other number.
        times: The same of `Bench.times`.
        parts: Questions of which the user may choose some.
        can_compare: Whether the user may name another version to compare with.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--source", type=Path, metavar="DIR", help="a corpus, or a folder with tree/ and volumes/ (default: simulated)"
    )
    parser.add_argument("--toy", default="train", help="car, conveyor or train")
    parser.add_argument("--size", default="small", help="of the simulated corpus: tiny, small or medium")
    parser.add_argument("--rounds", type=int, default=n_rounds, metavar="N", help=f"(default: {n_rounds})")
    parser.add_argument(
        "--times", type=int, default=times, metavar="N", help="a tree of N times as many events, linked"
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to write (default: a temporary folder)")
    parser.add_argument("--smoke", action="store_true", help="one round, the tiniest corpus: does it still run?")
    if parts:
        parser.add_argument("--only", action="append", choices=parts, help="a part of it; may be given several times")
    if can_compare:
        parser.add_argument("--against", type=Path, metavar="DIR", help="a checkout of another version, for the ratio")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="toyadmos-benchmark-")))
        yield Bench(
            toy=toy_named(options.toy).name,
            folder=folder.absolute(),
            n_rounds=1 if options.smoke else options.rounds,
            source=options.source and options.source.absolute(),
            size="tiny" if options.smoke else options.size,
            times=options.times,
            is_smoke=options.smoke,
            parts=tuple(getattr(options, "only", None) or parts),
            against=options.against.resolve() if getattr(options, "against", None) else None,
        )


def repeated(tree: Path, larger: Path, toy: str, *, times: int) -> Path:
    """Link every recording of a tree several times, under take numbers of its own each time; return the new tree."""
    members = [member.path for member in open_source(tree, toy).members()]
    names = [parse_member(member) for member in members]
    step = max(name.take for name in names)
    root = tree if (tree / toy).is_dir() else tree.parent
    for member, name in zip(members, names, strict=True):
        for number in range(times):
            link = larger / replace(name, take=name.take + number * step, noise_stem="").member
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.hardlink_to(root / member)
            except OSError:  # the corpus is on another disk, or on one without links
                shutil.copyfile(root / member, link)
    for marker in (root / toy).glob("*.txt"):
        shutil.copyfile(marker, larger / toy / marker.name)
    return larger


def print_corpus(source: Source) -> None:
    """Print how large a corpus is and what it is."""
    members = source.members()
    n_bytes = sum(member.n_bytes for member in members)
    kind = "simulated" if source.is_simulated else "given"
    methods = ", ".join(sorted({block.method for block in source.blocks()}))
    print(
        f"# {source.toy}, {kind} {source.kind}: {len(members)} recordings, {format_bytes(n_bytes)}, "
        f"{audio_s(source) / 3600:.2f} h at 48 kHz, {len(source.blocks())} blocks ({methods}), "
        f"largest {format_bytes(max(block.n_bytes for block in source.blocks()))}"
    )


def audio_s(source: Source) -> float:
    """Return how many seconds of sound a source holds."""
    return sum(member.n_bytes - WAV_HEADER_BYTES for member in source.members()) / (SAMPLE_BYTES * RATE_HZ)


def opened(place: Path, toy: str) -> Source:
    """Open a corpus, and read every file of it once so that the page cache has it."""
    source = open_source(place, toy)
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
    return source
