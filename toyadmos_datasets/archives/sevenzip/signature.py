"""The first 32 bytes of a 7z archive, which give the position of its header and so its length."""

from __future__ import annotations

import struct
import zlib

from toyadmos_datasets.archives.sevenzip.volume_set import VolumeSet, VolumeStream, read_exactly
from toyadmos_datasets.errors import ArchiveError, VolumeError
from toyadmos_datasets.units import Bytes, format_bytes

SIGNATURE_BYTES = 32
"""Size of the signature header; packed streams follow it.

Source:
    7-Zip, DOC/7zFormat.txt, "SignatureHeader".
"""
_MAGIC = b"7z\xbc\xaf\x27\x1c"
_MAX_TOLD_BYTES = 1 << 28


def read_next_header(volumes: VolumeSet, stream: VolumeStream) -> bytes:
    """Read the raw header at the archive's end, after checking that the volumes hold all of it.

    Raises:
        VolumeError: The volumes are shorter than the archive says it is.
        ArchiveError: They are longer, do not begin as an archive, or a checksum is wrong.
    """
    stream.seek(0)
    start = read_exactly(stream, SIGNATURE_BYTES)
    if len(start) < SIGNATURE_BYTES or not start.startswith(_MAGIC):
        raise ArchiveError(
            "This is not the beginning of a 7z archive.",
            where=volumes.paths[0],
            expected=f"{SIGNATURE_BYTES} bytes that begin with {_MAGIC.hex(' ')}",
            actual=f"{start[: len(_MAGIC)].hex(' ') or 'nothing'} in a file of {volumes.sizes[0]} bytes",
            remedy=f"Check that the volumes are numbered in their order and that this is no saved web page: "
            f"head -c 6 {volumes.paths[0]} | xxd. Else fetch {volumes.paths[0].name} again.",
        )
    promised_crc, offset, size, header_crc = struct.unpack("<IQQI", start[8:])
    if zlib.crc32(start[12:]) != promised_crc:
        raise _wrong_checksum(volumes, "start header", (promised_crc, zlib.crc32(start[12:])), at=0)
    stop = SIGNATURE_BYTES + offset + size
    _require_length(volumes, stop)
    if size > _MAX_TOLD_BYTES:
        raise ArchiveError(
            "The archive's header cannot be as large as it says.",
            where=volumes.location,
            expected=f"at most {format_bytes(_MAX_TOLD_BYTES)}",
            actual=f"{size} bytes",
            remedy="Fetch the archive again from where it was published.",
        )
    stream.seek(SIGNATURE_BYTES + offset)
    header = read_exactly(stream, size)
    if zlib.crc32(header) != header_crc:
        raise _wrong_checksum(volumes, "header", (header_crc, zlib.crc32(header)), at=SIGNATURE_BYTES + offset)
    return header


def _require_length(volumes: VolumeSet, expected: Bytes) -> None:
    actual = volumes.n_bytes
    if actual < expected:
        raise _too_short(volumes, expected)
    if actual > expected:
        last = volumes.spanning(actual - 1, actual)[-1]
        raise ArchiveError(
            "There is something after the end of the archive.",
            where=last,
            expected=f"{expected} bytes in all",
            actual=f"{actual} bytes, {actual - expected} too many",
            remedy=f"Fetch {last.name} again, or move it away if it belongs to another archive.",
        )


def _too_short(volumes: VolumeSet, expected: Bytes) -> VolumeError:
    missing = expected - volumes.n_bytes
    last = volumes.paths[-1]
    if volumes.is_split and volumes.sizes[-1] == volumes.sizes[0]:
        n_volumes = -(-expected // volumes.sizes[0])
        base = last.name.rpartition(".")[0]
        names = f"{base}.{len(volumes.paths) + 1:03d}"
        if n_volumes > len(volumes.paths) + 1:
            names += f" to {base}.{n_volumes:03d}"
        what, remedy = "The last volumes are missing.", f"Fetch {names} into {last.parent}"
        if len(volumes.paths) == 1:
            remedy += f" (or {last.name} again, if it is the only one)"
    else:
        what, remedy = "The last volume is truncated.", f"Fetch {last.name} again"
    return VolumeError(
        what if volumes.is_split else "The archive is truncated.",
        where=last,
        expected=f"{expected} bytes in all",
        actual=f"{volumes.n_bytes} bytes in {len(volumes.paths)} file(s): {missing} missing",
        remedy=f"{remedy}, then run the same command again.",
    )


def _wrong_checksum(volumes: VolumeSet, part: str, crcs: tuple[int, int], *, at: Bytes) -> ArchiveError:
    volume = volumes.spanning(at, at + 1)[0]
    return ArchiveError(
        f"The archive's {part} is damaged.",
        where=volume,
        expected=f"CRC32 {crcs[0]:08x}",
        actual=f"CRC32 {crcs[1]:08x}",
        remedy=f"Check that the volumes are numbered in their order and compare md5sum {volume} with what was "
        f"published; if it differs, fetch {volume.name} again.",
    )
