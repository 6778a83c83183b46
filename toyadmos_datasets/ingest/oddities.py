"""What is not as published about the names and the lengths of recordings, and is read all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.names import NOISE, SUFFIX
from toyadmos_datasets.corpus.noise_names import unknown_words
from toyadmos_datasets.corpus.toys import ALL_CASES, CORPUS_RATE_HZ, TOYS, toy_named
from toyadmos_datasets.errors import CONTINUED, OddSourceError
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity

CNT_S = 600
"""Length of a recording of continuous operation or of noise, seconds.

Source:
    Koizumi et al., WASPAA 2019, section 3; sizes of the published folders.
"""

KINDS_OF_LENGTH = ("IND", "CNT", NOISE)
"""Recordings of one usual length: a start and a stop, continuous operation, environmental noise."""

ACCEPTED_BY_STRICT = frozenset({"hidden", "ignored"})
"""Oddities that say nothing of the corpus: files of systems, and what the user wants left out."""

WAV_HEADER_BYTES: Bytes = 44
CHUNKS_ROOM: Bytes = 1024
"""How much larger or smaller a file of the usual length may be (10 ms): room for what else a header holds."""

_SAMPLE_BYTES: Bytes = 2
_MAX_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualLength:
    """How long recordings of one kind are.

    Attributes:
        kind: ``IND``, ``CNT`` or ``noise``.
        published_bytes: Size of a file of the published length.
        usual_bytes: The published size where most files have it, else the size that most files have.
        n_usual: Files of this size, give or take `CHUNKS_ROOM`.
        n: Files.
    """

    kind: str
    published_bytes: Bytes
    usual_bytes: Bytes
    n_usual: int
    n: int


def oddities_of(table: pa.Table) -> tuple[Oddity, ...]:
    """Return what is odd about the recordings of an index, by its names and sizes.

    Args:
        table: `INDEX_SCHEMA`.
    """
    if not len(table):
        return ()
    return tuple(one for one in (_digits(table), _capitals(table), *_noise_names(table), *_lengths(table)) if one)


def refuse_oddities(oddities: Sequence[Oddity], location: str) -> None:
    """Raise where anything is not as published, but for what systems left there and what the user left out.

    Args:
        oddities: What is odd.
        location: Where the source is.

    Raises:
        OddSourceError: It lists all oddities with their first examples.
    """
    refused = [oddity for oddity in oddities if oddity.code not in ACCEPTED_BY_STRICT]
    if not refused:
        return
    lines = [line for oddity in refused for line in oddity_lines(oddity)]
    raise OddSourceError(
        "The source is not as published, and --strict accepts nothing else.",
        where=location,
        expected="names, lengths and files as published",
        actual=CONTINUED.join(lines),
        remedy="Take a source that is as published, or leave --strict out: each of these is tolerated and counted.",
    )


def oddity_lines(oddity: Oddity, n_examples: int = MAX_EXAMPLES) -> list[str]:
    """Return an oddity as text: its sentence, and an example a line."""
    rest = oddity.n - min(n_examples, len(oddity.examples))
    more = [f"  and {rest} more"] if rest and oddity.examples and n_examples else []
    return [f"{oddity.what} ({oddity.code}: {oddity.n})", *(f"  {one}" for one in oddity.examples[:n_examples]), *more]


def usual_lengths(table: pa.Table) -> tuple[UsualLength, ...]:
    """Return how long the recordings of each kind are, for the kinds that there are.

    Args:
        table: `INDEX_SCHEMA`, of one toy.
    """
    if not len(table):
        return ()
    toy = toy_named(table["toy"][0].as_py())
    n_bytes = table["n_bytes"].to_numpy()
    found = []
    for kind in KINDS_OF_LENGTH:
        sizes, counts = np.unique(n_bytes[is_of_kind(table, kind)], return_counts=True)
        if not len(sizes):
            continue
        published = _bytes_of(toy.clip_s if kind == "IND" else CNT_S)
        is_published = 2 * counts[np.abs(sizes - published) <= CHUNKS_ROOM].sum() > counts.sum()
        usual = published if is_published else int(sizes[np.argmax(counts)])
        found.append(
            UsualLength(
                kind=kind,
                published_bytes=published,
                usual_bytes=usual,
                n_usual=int(counts[np.abs(sizes - usual) <= CHUNKS_ROOM].sum()),
                n=int(counts.sum()),
            )
        )
    return tuple(found)


def seconds_of(n_bytes: Bytes) -> float:
    """Return how long a recording is, by the size of its file."""
    return max(n_bytes - WAV_HEADER_BYTES, 0) / _SAMPLE_BYTES / CORPUS_RATE_HZ


def _bytes_of(duration_s: float) -> Bytes:
    return WAV_HEADER_BYTES + round(duration_s * CORPUS_RATE_HZ) * _SAMPLE_BYTES


def _digits(table: pa.Table) -> Oddity | None:
    """Find names whose ten digits do not repeat their words; noise, whose digits nobody knows, is left out."""
    toys = {toy.name: str(toy.digit) for toy in TOYS}
    toy = table["toy"].combine_chunks().dictionary_encode()
    is_damaged = pc.starts_with(table["condition"], "ab")
    expected = pc.binary_join_element_wise(
        pa.array([toys[name] for name in toy.dictionary.to_pylist()]).take(toy.indices),
        table["case"].cast(pa.string()),
        pc.if_else(is_damaged, pc.utf8_slice_codeunits(table["condition"], 2, 4), "00"),
        pc.if_else(pc.equal(table["recording_type"], "CNT"), "1", "0"),
        table["channel"].cast(pa.string()),
        pc.utf8_lpad(table["take"].cast(pa.string()), 4, "0"),
        pc.if_else(pc.equal(table["sound"], NOISE), "", "_"),
        "",
    )
    agrees = pc.equal(pc.utf8_slice_codeunits(table["recording_id"], 0, 11), expected)
    is_odd = pc.and_(pc.invert(agrees), pc.not_equal(table["sound"], NOISE))
    return _oddity(table, is_odd, "digits", "The ten digits of names do not repeat their words, or are missing.")


def _capitals(table: pa.Table) -> Oddity | None:
    found = pc.replace_substring_regex(table["member"], "^.*/", "")
    is_odd = pc.not_equal(found, pc.binary_join_element_wise(table["recording_id"], SUFFIX, ""))
    return _oddity(table, is_odd, "capitals", "Names have other capitals than the corpus.")


def _noise_names(table: pa.Table) -> Iterator[Oddity | None]:
    """Count noise names with words that nobody has seen, by whom the noise serves."""
    noise = table.filter(pc.equal(table["sound"], NOISE)).combine_chunks()
    stems = pc.replace_substring_regex(noise["event_id"].combine_chunks(), "[0-9]+$", "").dictionary_encode()
    places, first = np.unique(stems.indices.to_numpy(), return_index=True)
    served: dict[tuple[int, ...], list[tuple[int, tuple[str, ...]]]] = {}
    for place, row in zip(places.tolist(), noise.take(pa.array(first)).to_pylist(), strict=True):
        words = unknown_words(stems.dictionary[place].as_py(), toy_named(row["toy"]))
        if words:
            cases = (row["case"],) if row["case"] != ALL_CASES else tuple(row["serves"])
            served.setdefault(cases, []).append((place, words))
    for cases, found in sorted(served.items()):
        words = tuple(sorted({word for _, some in found for word in some}))
        shown = ", ".join(words[:_MAX_WORDS]) + (" .." if len(words) > _MAX_WORDS else "")
        is_odd = pc.is_in(stems.indices, value_set=pa.array([place for place, _ in found], stems.indices.type))
        what = f"Names of noise are not of a known form ({shown}); this noise serves {_whom(cases)}."
        yield _oddity(noise, is_odd, "noise_name", what)


def _whom(cases: tuple[int, ...]) -> str:
    if not cases:
        return "every case without noise of its own"
    return f"case {cases[0]}" if len(cases) == 1 else f"cases {', '.join(map(str, cases[:-1]))} and {cases[-1]}"


def _lengths(table: pa.Table) -> Iterator[Oddity | None]:
    n_bytes = table["n_bytes"].to_numpy()
    for usual in usual_lengths(table):
        is_odd = is_of_kind(table, usual.kind) & (np.abs(n_bytes - usual.usual_bytes) > CHUNKS_ROOM)
        if is_odd.any():
            shortest, longest = (seconds_of(int(some)) for some in (n_bytes[is_odd].min(), n_bytes[is_odd].max()))
            what = f"{usual.kind} recordings are not {seconds_of(usual.usual_bytes):g} s long, as most are"
            yield _oddity(table, pa.array(is_odd), "length", f"{what}, but {shortest:.4g} to {longest:.4g} s.")


def is_of_kind(table: pa.Table, kind: str) -> npt.NDArray[np.bool_]:
    """Tell which recordings are of one of `KINDS_OF_LENGTH`."""
    is_noise = pc.equal(table["sound"], NOISE).to_numpy()
    if kind == NOISE:
        return np.asarray(is_noise)
    is_of: npt.NDArray[np.bool_] = pc.equal(table["recording_type"], kind).to_numpy() & ~is_noise
    return is_of


def _oddity(table: pa.Table, is_odd: pa.Array | pa.ChunkedArray, code: str, what: str) -> Oddity | None:
    n = pc.sum(is_odd).as_py() or 0
    if not n:
        return None
    members = table["member"].filter(is_odd)
    first = members.take(pc.array_sort_indices(members.combine_chunks())[:MAX_EXAMPLES])
    return Oddity(code=code, what=what, n=n, examples=tuple(first.to_pylist()))
