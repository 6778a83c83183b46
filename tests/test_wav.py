import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import OptionError, TruncatedWavError, UnsupportedWavError, WavError
from toyadmos_datasets.signal.wav import CORPUS_FORMAT, WavFormat, open_wav

NAME = "ToyTrain/case1/NormalSound_IND/3100010001_ToyTrain_case1_normal_IND_ch1_0001.wav"
SAMPLES = np.random.default_rng(0).integers(-32768, 32768, 500).astype(np.int16)
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")

all_samples = st.lists(st.integers(-32768, 32767), min_size=1, max_size=60).map(lambda x: np.array(x, dtype="<i2"))
cuts = st.lists(st.integers(1, 40), max_size=40)


def chunk(tag, body, *, padding=True):
    return struct.pack("<4sI", tag, len(body)) + body + b"\0" * (padding and len(body) % 2)


def fmt(*, tag=1, n_channels=1, rate_hz=48_000, width_bits=16, extra=b""):
    block = n_channels * width_bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, n_channels, rate_hz, rate_hz * block, block, width_bits) + extra)


def riff(*chunks, tag=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", tag, len(body)) + body


def wav(samples=SAMPLES, **options):
    return riff(fmt(**options), chunk(b"data", samples.tobytes()))


def extensible(guid, *, valid_bits=16):
    return fmt(tag=0xFFFE, extra=struct.pack("<HHI", 22, valid_bits, 4) + guid)


def cut_up(content, sizes):
    """The bytes in chunks of these sizes, the last one as long as it takes."""
    position, pieces = 0, []
    for size in sizes:
        pieces.append(content[position : position + size])
        position += size
    return [*pieces, content[position:]]


def read(content, *, sizes=(), n_bytes=None, expected=CORPUS_FORMAT):
    n_bytes = len(content) if n_bytes is None else n_bytes
    return open_wav(cut_up(content, sizes), name=NAME, n_bytes=n_bytes, expected=expected).read()


def written_by_soundfile(samples, rate_hz=48_000, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, **{"format": "WAV", **options})
    return file.getvalue()


def put(content, offset, replacement):
    return content[:offset] + replacement + content[offset + len(replacement) :]


@given(all_samples, cuts)
def test_however_the_bytes_are_cut_the_samples_are_the_same(samples, sizes):
    content = riff(chunk(b"LIST", b"odd"), fmt(), chunk(b"data", samples.tobytes()), chunk(b"id3 ", b"x"))

    assert np.array_equal(read(content, sizes=sizes), samples)


@given(cuts)
def test_pieces_arrive_as_aligned_int16_and_add_up(sizes):
    stream = open_wav(cut_up(wav(), sizes), name=NAME, n_bytes=len(wav()))
    pieces = list(stream.chunks)

    assert all(piece.dtype == np.int16 and piece.flags.aligned and piece.size for piece in pieces)
    assert stream.n_samples == sum(piece.size for piece in pieces) == SAMPLES.size
    assert stream.wav_format == WavFormat(rate_hz=48_000, n_channels=1, width_bits=16)


def test_what_soundfile_writes_is_read_bit_for_bit():
    content = written_by_soundfile(SAMPLES)

    assert np.array_equal(read(content), soundfile.read(io.BytesIO(content), dtype="int16")[0])


@pytest.mark.parametrize(
    "chunks",
    [
        (chunk(b"LIST", b"INFO even"), fmt()),
        (chunk(b"LIST", b"INFO odd"), fmt()),
        (fmt(), chunk(b"fact", b"1234"), chunk(b"bext", bytes(603))),
        (fmt(extra=b"\0\0"),),
        (extensible(PCM_GUID),),
        (extensible(PCM_GUID, valid_bits=0),),
    ],
    ids=["LIST", "odd LIST", "two after fmt", "fmt of 18 bytes", "extensible", "extensible without valid bits"],
)
@pytest.mark.parametrize(
    "after",
    [b"", chunk(b"LIST", b"even"), chunk(b"LIST", b"odd"), chunk(b"LIST", b"odd", padding=False)],
    ids=["nothing", "LIST", "odd LIST", "odd LIST without padding"],
)
def test_other_chunks_and_an_extensible_format_change_nothing(chunks, after):
    content = riff(*chunks, chunk(b"data", SAMPLES.tobytes()), after)

    assert np.array_equal(read(content, sizes=[1] * 60), SAMPLES)


def test_memory_does_not_grow_with_the_file():
    silence = bytes(1 << 16)
    n_chunks = 1000  # 65 MB, more than ten minutes
    header = struct.pack("<4sI4s", b"RIFF", 36 + n_chunks * len(silence), b"WAVE") + fmt()
    header += struct.pack("<4sI", b"data", n_chunks * len(silence))

    def chunks():
        yield header
        for _ in range(n_chunks):
            yield bytes(1 << 16)

    tracemalloc.start()
    stream = open_wav(chunks(), name=NAME, n_bytes=len(header) + n_chunks * len(silence))
    n_samples = sum(piece.size for piece in stream.chunks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert n_samples == stream.n_samples == n_chunks * len(silence) // 2
    assert peak < 1_000_000


@given(st.integers(0, len(wav()) - 1))
@example(43)
@example(44)
def test_a_file_that_is_cut_off_anywhere_is_an_error(n_left):
    with pytest.raises(TruncatedWavError) as caught:
        read(wav()[:n_left])

    assert caught.value.where == NAME
    assert caught.value.expected
    assert str(n_left) in caught.value.actual
    assert "Fetch or extract this file again" in caught.value.remedy


@given(st.integers(0, len(wav()) - 1))
def test_a_stream_that_ends_before_its_announced_size_is_an_error(n_left):
    with pytest.raises(TruncatedWavError) as caught:
        read(wav()[:n_left], n_bytes=len(wav()))

    assert (caught.value.expected, caught.value.actual) == (f"{len(wav())} bytes", f"{n_left} bytes")


def test_a_stream_that_goes_on_after_its_announced_size_is_an_error():
    with refused(WavError):
        read(wav() + b"\0", n_bytes=len(wav()))
    with refused(WavError):
        read(wav() + b"\0", n_bytes=len(wav()), sizes=[len(wav())])


def test_a_data_chunk_larger_than_the_file_is_found_before_any_sample():
    content = put(wav(), 40, struct.pack("<I", SAMPLES.nbytes + 2))

    with refused(TruncatedWavError) as caught:
        open_wav([content], name=NAME, n_bytes=len(content))

    assert caught.value.expected == f"{SAMPLES.nbytes + 2} bytes of data"
    assert caught.value.actual == f"{SAMPLES.nbytes} bytes"


@pytest.mark.parametrize("content", [b"", b"RIFF", wav()[:43]])
def test_a_file_too_small_for_a_header_is_an_error(content):
    with refused(WavError) as caught:
        read(content)

    assert caught.value.expected == "at least 44 bytes"


@pytest.mark.parametrize(
    "content",
    [bytes(1000), b"ID3\x04" + bytes(1000), b"<!DOCTYPE html>" * 10, b"RIFF" + wav()[4:8] + b"AVI " + wav()[12:]],
)
def test_what_is_not_wav_is_an_error(content):
    with refused(WavError) as caught:
        read(content)

    assert caught.value.expected == "RIFF .... WAVE"


@pytest.mark.parametrize(
    ("options", "described"),
    [
        ({"rate_hz": 44_100}, "44100 Hz, 1 channel(s), 16-bit PCM"),
        ({"rate_hz": 16_000}, "16000 Hz, 1 channel(s), 16-bit PCM"),
        ({"n_channels": 2}, "48000 Hz, 2 channel(s), 16-bit PCM"),
        ({"width_bits": 24}, "48000 Hz, 1 channel(s), 24-bit PCM"),
        ({"width_bits": 8}, "48000 Hz, 1 channel(s), 8-bit PCM"),
        ({"n_channels": 0}, "48000 Hz, 0 channel(s), 16-bit PCM"),
    ],
)
def test_another_format_is_refused_not_converted(options, described):
    with refused(UnsupportedWavError) as caught:
        read(wav(**options))

    assert (caught.value.expected, caught.value.actual) == ("48000 Hz, 1 channel(s), 16-bit PCM", described)


def test_another_format_is_read_where_it_is_expected():
    content = wav(rate_hz=16_000, n_channels=2)
    samples = read(content, expected=WavFormat(rate_hz=16_000, n_channels=2))

    assert np.array_equal(samples, SAMPLES)
    with pytest.raises(UnsupportedWavError):
        read(wav(), expected=WavFormat(rate_hz=16_000))
    with refused(OptionError):
        WavFormat(width_bits=24)


@pytest.mark.parametrize(
    ("subtype", "codec"),
    [
        ("MS_ADPCM", "Microsoft ADPCM"),
        ("IMA_ADPCM", "IMA ADPCM"),
        ("FLOAT", "IEEE float"),
        ("ULAW", "mu-law"),
        ("ALAW", "A-law"),
    ],
)
def test_another_codec_is_refused_before_any_of_it_is_decoded(subtype, codec):
    content = written_by_soundfile(SAMPLES.astype(np.float32) / 32768, subtype=subtype)

    with refused(UnsupportedWavError) as caught:
        open_wav(iter([content]), name=NAME, n_bytes=len(content))

    assert (caught.value.where, caught.value.expected, caught.value.actual) == (NAME, "PCM", codec)


@pytest.mark.parametrize(
    "content",
    [
        riff(extensible(FLOAT_GUID), chunk(b"data", bytes(40))),
        riff(extensible(bytes(16)), chunk(b"data", bytes(40))),
        riff(extensible(PCM_GUID, valid_bits=12), chunk(b"data", bytes(40))),
        wav(tag=0x1234),
    ],
)
def test_an_extensible_format_that_hides_another_codec_is_refused(content):
    with refused(UnsupportedWavError):
        read(content)


def test_relatives_of_riff_are_refused():
    big = written_by_soundfile(SAMPLES, format="RF64")
    other_end = written_by_soundfile(SAMPLES, endian="BIG")

    assert (big[:4], other_end[:4]) == (b"RF64", b"RIFX")
    for content in (big, other_end):
        with refused(UnsupportedWavError) as caught:
            read(content)
        assert caught.value.actual == content[:4].decode()


@pytest.mark.parametrize(
    "content",
    [
        riff(chunk(b"data", bytes(40)), fmt()),
        riff(fmt(), fmt(), chunk(b"data", bytes(40))),
        riff(fmt(), chunk(b"LIST", bytes(40))),
        riff(fmt(), chunk(b"data", bytes(40)), chunk(b"data", bytes(40))),
        riff(fmt(), chunk(b"data", bytes(40)), b"rest"),
        riff(fmt(), chunk(b"data", bytes(41))),
        riff(chunk(b"fmt ", b"short"), chunk(b"data", bytes(40))),
        riff(fmt(tag=0xFFFE), chunk(b"data", bytes(40))),
        put(wav(), 32, struct.pack("<H", 4)),
    ],
)
def test_a_header_that_contradicts_itself_is_an_error(content):
    with refused(WavError) as caught:
        read(content)

    assert caught.value.where == NAME


@given(st.integers(0, 43), st.integers(1, 255))
def test_a_flipped_byte_in_the_header_is_an_error_or_harmless(offset, mask):
    content = wav()
    flipped = put(content, offset, bytes([content[offset] ^ mask]))

    try:
        samples = read(flipped)
    except WavError:
        return

    assert np.array_equal(samples, SAMPLES)
    assert 4 <= offset < 8 or 28 <= offset < 32  # the RIFF size and the bytes a second, which no sound depends on


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_anything_but_a_wav_error(content, looks_right):
    content = riff(fmt(), content) if looks_right else content
    try:
        samples = read(content)
    except WavError:
        return

    assert samples.size
