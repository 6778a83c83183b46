"""Odd headers of files whose sound is whole, and what stays an error beside them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import TruncatedWavError, UnsupportedWavError, WavError
from toyadmos_datasets.signal.wav import QUIRKS, WavStream, open_wav

NAME = "ToyTrain/case1/NormalSound_IND/3100010001_ToyTrain_case1_normal_IND_ch1_0001.wav"
SAMPLES = np.random.default_rng(0).integers(-32768, 32768, 500).astype("<i2")
FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 48_000, 96_000, 2, 16)
UNFINISHED = (0, 0xFFFFFFFF)
NO_CHUNK = (
    bytes(16),
    bytes(3),
    b"\x01junk that is no chunk",
    b"LIST\xf0\0\0\0cut off",
    b"id3 \xff\xff\xff\x7f",
    b"\xfe" * 9,
    b"ab",
)
"""Bytes behind the sound that form no whole chunk."""

proved_or_not = pytest.mark.parametrize("is_proved", [False, True], ids=["tree", "archive"])
pieces = st.lists(st.integers(1, 60), max_size=30)


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A WAV file, and what is odd about its header.

    Attributes:
        before: Chunks between the format and the data.
        data_size: The size that the header declares; None for the true one.
        n_padding: Bytes that pad the data.
        after: Chunks after the data.
        trailing: Bytes after the last chunk.
        riff: The RIFF size: a number, or the bytes that it is off from the true end of the chunks.
        is_riff_absolute: Whether `riff` is the size itself.
        sound: The samples, as bytes.
    """

    before: bytes = b""
    data_size: int | None = None
    n_padding: int = 0
    after: bytes = b""
    trailing: bytes = b""
    riff: int = 0
    is_riff_absolute: bool = False
    sound: bytes = SAMPLES.tobytes()

    @property
    def sound_end(self) -> int:
        return 12 + len(FMT) + len(self.before) + 8 + len(self.sound)

    def content(self) -> bytes:
        size = len(self.sound) if self.data_size is None else self.data_size
        data = struct.pack("<4sI", b"data", size) + self.sound + bytes(self.n_padding)
        chunks = b"WAVE" + FMT + self.before + data + self.after
        riff = self.riff if self.is_riff_absolute else len(chunks) + self.riff
        return struct.pack("<4sI", b"RIFF", riff) + chunks + self.trailing


def chunk(tag: bytes, body: bytes, *, padding: bool = True) -> bytes:
    return struct.pack("<4sI", tag, len(body)) + body + b"\0" * (padding and len(body) % 2)


def opened(content: bytes, *, is_proved: bool, sizes: list[int] | None = None) -> WavStream:
    parts, position = [], 0
    for size in sizes or []:
        parts.append(content[position : position + size])
        position += size
    return open_wav([*parts, content[position:]], name=NAME, n_bytes=len(content), is_proved=is_proved)


def read(content: bytes, *, is_proved: bool, sizes: list[int] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    stream = opened(content, is_proved=is_proved, sizes=sizes)
    return stream.read(), stream.quirks


@proved_or_not
@pytest.mark.parametrize(
    ("odd", "quirks"),
    [
        (Odd(), ()),
        (Odd(after=chunk(b"LIST", b"even")), ()),
        (Odd(riff=8), ("riff_size",)),
        (Odd(riff=-2), ("riff_size",)),
        (Odd(riff=-500), ("riff_size",)),
        (Odd(riff=100_000), ("riff_size",)),
        (Odd(riff=0, is_riff_absolute=True), ("riff_size",)),
        (Odd(riff=0xFFFFFFFF, is_riff_absolute=True), ("riff_size",)),
        *((Odd(trailing=trailing), ("trailing_bytes",)) for trailing in NO_CHUNK),
        (Odd(trailing=bytes(16), riff=16), ("trailing_bytes",)),
        (Odd(trailing=NO_CHUNK[3], riff=len(NO_CHUNK[3])), ("trailing_bytes",)),
        (Odd(after=chunk(b"LIST", b"odd", padding=False)), ("padding",)),
        (Odd(after=chunk(b"LIST", b"odd", padding=False) + chunk(b"id3 ", b"even")), ("padding",)),
        (Odd(before=chunk(b"LIST", b"odd", padding=False)), ("padding",)),
        (Odd(before=chunk(b"what", b"odd", padding=False)), ("padding",)),
        (Odd(data_size=0), ("unfinished",)),
        (Odd(data_size=0xFFFFFFFF), ("unfinished",)),
        (Odd(data_size=0, riff=0, is_riff_absolute=True), ("riff_size", "unfinished")),
        (Odd(data_size=0xFFFFFFFF, riff=0xFFFFFFFF, is_riff_absolute=True), ("riff_size", "unfinished")),
        (Odd(data_size=0xFFFFFFFF, trailing=b"\x07"), ("trailing_bytes", "unfinished")),
        (Odd(riff=8, trailing=bytes(16)), ("riff_size", "trailing_bytes")),
        (Odd(riff=0, is_riff_absolute=True, trailing=b"\x01junk that is no chunk"), ("riff_size", "trailing_bytes")),
    ],
)
def test_an_odd_header_is_read_and_told_and_the_sound_is_bit_identical(odd, quirks, is_proved):
    samples, found = read(odd.content(), is_proved=is_proved)

    assert samples.tobytes() == SAMPLES.tobytes()
    assert sorted(found) == sorted(quirks)


@pytest.mark.parametrize("n_padding", [0, 1])
def test_a_data_size_that_counts_its_padding_is_read_where_a_checksum_proves_the_bytes(n_padding):
    content = Odd(data_size=SAMPLES.nbytes + 1, n_padding=n_padding).content()

    samples, quirks = read(content, is_proved=True)

    assert samples.tobytes() == SAMPLES.tobytes()
    assert quirks == ("data_size",)
    with refused(WavError):
        read(content, is_proved=False)


def test_bytes_that_a_wrong_data_size_may_have_cut_off_need_a_proof():
    content = Odd(data_size=SAMPLES.nbytes - 100).content()  # the RIFF size is right: a flipped bit looks like this

    with refused(WavError) as caught:
        read(content, is_proved=False)

    assert "100 bytes" in caught.value.actual
    samples, quirks = read(content, is_proved=True)
    assert samples.tobytes() == SAMPLES[:-50].tobytes()
    assert quirks == ("trailing_bytes",)


sounds = st.binary(min_size=2, max_size=120).map(lambda x: x[: len(x) // 2 * 2])
even, odd, unpadded = chunk(b"LIST", b"even"), chunk(b"LIST", b"odd"), chunk(b"fact", b"odd", padding=False)
odd_files = st.builds(
    Odd,
    before=st.sampled_from([b"", even, odd, unpadded, chunk(b"bext", b"")]),
    after=st.sampled_from([b"", even, odd, chunk(b"ab_1", b"odd", padding=False)]),
    trailing=st.sampled_from([b"", *NO_CHUNK]),
    riff=st.sampled_from([0, 8, -8, 1, -1, 50, -50, 1 << 30]),
    sound=sounds,
)
unfinished_files = st.builds(
    Odd,
    before=st.sampled_from([b"", odd, unpadded]),
    data_size=st.sampled_from(UNFINISHED),
    riff=st.sampled_from([0, *UNFINISHED]),
    is_riff_absolute=st.just(True),
    trailing=st.sampled_from([b"", b"\x07"]),
    sound=sounds,
)


@given(st.one_of(odd_files, unfinished_files), st.booleans(), pieces)
def test_any_quirks_in_any_combination_leave_the_sound_bit_identical(odd, is_proved, sizes):
    content = odd.content()
    assume(is_proved or not _looks_cut(odd, len(content)))

    samples, quirks = read(content, is_proved=is_proved, sizes=sizes)

    assert samples.tobytes() == odd.sound
    assert set(quirks) == _expected_quirks(odd, len(content))


@given(st.one_of(odd_files, st.just(Odd())), st.booleans(), st.data())
@example(Odd(), True, None)
def test_a_file_that_is_cut_off_within_its_sound_is_an_error_however_odd_it_is(odd, is_proved, data):
    content = odd.content()
    n_left = odd.sound_end - 1 if data is None else data.draw(st.integers(0, odd.sound_end - 1))

    with pytest.raises(WavError) as caught:
        read(content[:n_left], is_proved=is_proved)

    assert caught.value.where == NAME
    assert "Fetch or extract this file again" in caught.value.remedy


@proved_or_not
@given(n_left=st.integers(0, Odd().sound_end - 1))
def test_a_plain_file_that_is_cut_off_is_told_to_be_truncated(is_proved, n_left):
    with pytest.raises(TruncatedWavError):
        read(Odd().content()[:n_left], is_proved=is_proved)


@given(unfinished_files, st.data())
def test_a_file_whose_size_was_never_filled_in_ends_where_its_bytes_end(odd, data):
    n_samples = data.draw(st.integers(1, len(odd.sound) // 2))
    content = odd.content()[: odd.sound_end - len(odd.sound) + 2 * n_samples]
    assume(len(content) >= 44)

    samples, quirks = read(content, is_proved=False)

    assert samples.tobytes() == odd.sound[: 2 * n_samples]
    assert "unfinished" in quirks


@proved_or_not
@pytest.mark.parametrize("size", UNFINISHED)
@pytest.mark.parametrize("rest", [b"", b"\x07"], ids=["nothing", "half a sample"])
def test_an_unfinished_header_with_no_sound_after_it_is_an_error(size, rest, is_proved):
    content = Odd(data_size=size, sound=b"", trailing=rest).content()

    with refused(WavError) as caught:
        read(content, is_proved=is_proved)

    assert str(size) in caught.value.actual


@proved_or_not
def test_a_size_of_zero_is_true_where_another_chunk_follows(is_proved):
    content = Odd(data_size=0, sound=b"", after=chunk(b"LIST", b"of an empty recording")).content()

    with refused(WavError):
        read(content, is_proved=is_proved)


def test_a_recording_cut_off_after_only_its_riff_size_was_filled_in_needs_a_proof():
    content = Odd(data_size=0xFFFFFFFF, riff=1000).content()

    with refused(TruncatedWavError):
        read(content, is_proved=False)

    assert read(content, is_proved=True)[1] == ("riff_size", "unfinished")


@proved_or_not
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (Odd(data_size=SAMPLES.nbytes + 2).content(), TruncatedWavError),
        (Odd(data_size=SAMPLES.nbytes + 3).content(), TruncatedWavError),
        (Odd(trailing=chunk(b"data", bytes(4))).content(), WavError),
        (Odd(trailing=chunk(b"fmt ", FMT[8:])).content(), WavError),
        (Odd(before=FMT).content(), WavError),
        (Odd().content().replace(b"fmt ", b"junk"), WavError),
        (Odd().content().replace(b"data", b"junk"), WavError),
        (Odd().content().replace(b"RIFF", b"RF64"), UnsupportedWavError),
        (Odd().content().replace(FMT, FMT[:-4] + struct.pack("<HH", 4, 16)), WavError),
        (Odd().content().replace(FMT, FMT[:8] + struct.pack("<H", 3) + FMT[10:]), UnsupportedWavError),
    ],
    ids=[
        "two bytes short",
        "three bytes short",
        "second data",
        "second fmt",
        "two fmt before data",
        "data before fmt",
        "no data",
        "RF64",
        "block align",
        "float",
    ],
)
def test_what_puts_the_sound_itself_in_doubt_is_an_error_with_a_proof_and_without(content, error, is_proved):
    with pytest.raises(error):
        read(content, is_proved=is_proved)


def test_quirks_are_known_when_the_sound_is_read_to_its_end():
    stream = opened(Odd(trailing=bytes(16)).content(), is_proved=False)

    before = stream.quirks
    stream.read()

    assert (before, stream.quirks) == ((), ("trailing_bytes",))


def test_every_quirk_is_stated_in_a_sentence():
    assert all(what.endswith(".") for what in QUIRKS.values())
    assert set(QUIRKS) == {"riff_size", "data_size", "padding", "trailing_bytes", "unfinished"}


def _looks_cut(odd: Odd, n_bytes: int) -> bool:
    """Whether the RIFF size is exactly the file's, and what follows the sound is no beginning of a chunk."""
    riff_end = (odd.riff if odd.is_riff_absolute else odd.sound_end - 8 + len(odd.after) + odd.riff) + 8
    is_junk = bool(odd.trailing.strip(b"\0")) and odd.trailing[:4] not in {b"LIST", b"id3 "}
    return odd.data_size is None and is_junk and riff_end == n_bytes


def _expected_quirks(odd: Odd, n_bytes: int) -> set[str]:
    end_of_chunks = odd.sound_end + len(odd.after)
    riff_end = (odd.riff if odd.is_riff_absolute else end_of_chunks - 8 + odd.riff) + 8
    is_finished = not (odd.is_riff_absolute and odd.riff in UNFINISHED)
    is_padding_left_out = odd.after[:4] == b"ab_1" and odd.trailing[:4] in {b"", b"LIST", b"id3 "}
    if odd.after[:4] == b"ab_1" and not is_padding_left_out:
        end_of_chunks += 1  # the first of the bytes that follow may as well be padding
    quirks = {
        "riff_size": not is_finished or riff_end not in {end_of_chunks, n_bytes},
        "padding": odd.before[:4] == b"fact" or is_padding_left_out,
        "trailing_bytes": bool(odd.trailing),
        "unfinished": odd.data_size is not None,
    }
    return {name for name, is_so in quirks.items() if is_so}
