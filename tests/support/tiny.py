"""A corpus of a few short recordings with the real layout and names, for tests that need one to run on.

Every recording follows from its name alone: a tone of its event in noise of its own, started and stopped as
an IND clip is. Write what a test needs and no more: a recording of a quarter of a second costs 24 kB.
"""

from __future__ import annotations

import io
import wave
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import py7zr

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.toys import ALL_CASES, RecordingType, toy_named

RATE_HZ = 48_000
Filters: TypeAlias = tuple[dict[str, Any], ...]

PACKED: Filters = ({"id": py7zr.FILTER_LZMA2, "preset": 0},)
STORED: Filters = ({"id": py7zr.FILTER_COPY},)


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyCorpus:
    """Which recordings there are; `write_tree` and `write_volumes` put the same ones on the disk.

    Attributes:
        toy: ``ToyTrain``.
        cases: Cases with IND clips, and with noise where the toy's noise is not shared.
        channels: Microphones.
        n_normal: Normal IND takes a case.
        conditions: Damaged conditions, `n_anomalous` IND takes each.
        n_anomalous: Takes of each damaged condition.
        n_noise: Noise takes a case.
        clip_s: Length of the IND clips, seconds.
        noise_s: Length of the noise recordings, seconds.
    """

    toy: str = "ToyTrain"
    cases: tuple[int, ...] = (1,)
    channels: tuple[int, ...] = (1, 2, 3, 4)
    n_normal: int = 4
    conditions: tuple[str, ...] = ("ab01", "ab02")
    n_anomalous: int = 1
    n_noise: int = 3
    clip_s: float = 0.25
    noise_s: float = 0.5

    def names(self) -> list[RecordingName]:
        """Names of all recordings, by member."""
        kinds = [("normal", self.n_normal), *((one, self.n_anomalous) for one in self.conditions)]
        events: list[tuple[int, str, RecordingType, int]] = [
            (case, condition, "IND", take) for case in self.cases for condition, n in kinds for take in _takes(n)
        ]
        noise_cases = (ALL_CASES,) if toy_named(self.toy).noise_is_shared else self.cases
        events += [(case, "noise", "CNT", take) for case in noise_cases for take in _takes(self.n_noise)]
        names = [
            RecordingName(toy=self.toy, case=case, condition=condition, recording_type=kind, channel=channel, take=take)
            for case, condition, kind, take in events
            for channel in self.channels
        ]
        return sorted(names, key=lambda name: name.member)

    def members(self) -> list[str]:
        """Paths of all recordings, sorted."""
        return [name.member for name in self.names()]

    def sound(self, name: RecordingName) -> npt.NDArray[np.int16]:
        """The samples of a recording at 48 kHz, the same in every run."""
        return sound_of(name, self.noise_s if name.sound == "noise" else self.clip_s)

    def files(self) -> dict[str, bytes]:
        """Member to the bytes of its WAV file, sorted; change them before `write_tree` or `write_volumes`."""
        return {name.member: wav_bytes(self.sound(name)) for name in self.names()}


def write_tree(files: dict[str, bytes], root: Path) -> Path:
    """Write files below a folder; return the folder."""
    for member, content in files.items():
        path = root / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_volumes(
    files: dict[str, bytes],
    folder: Path,
    *,
    n_blocks: int = 3,
    n_volumes: int = 2,
    filters: Filters = PACKED,
    toy: str = "ToyTrain",
) -> Path:
    """Write files, in their order, as split volumes of a 7z archive with so many solid blocks; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{toy}.7z"
    for block in np.array_split(np.array(list(files), dtype=object), n_blocks):
        with py7zr.SevenZipFile(archive, "a", filters=list(filters)) as container:
            container.set_encoded_header_mode(False)  # py7zr writes a wrong CRC32 when it appends a packed one
            for member in block:
                container.writestr(files[member], member)
    cut(archive, n_volumes)
    return folder


def cut(archive: Path, n_volumes: int) -> list[Path]:
    """Cut an archive into volumes ``NAME.001``, ``NAME.002`` .. and remove it."""
    whole = archive.read_bytes()
    archive.unlink()
    size = -(-len(whole) // n_volumes)  # all of one size but the last
    bounds = [min(size * number, len(whole)) for number in range(n_volumes + 1)]
    volumes = [archive.with_name(f"{archive.name}.{number:03d}") for number in range(1, n_volumes + 1)]
    for volume, (start, end) in zip(volumes, pairwise(bounds), strict=True):
        volume.write_bytes(whole[start:end])
    return volumes


def sound_of(name: RecordingName, duration_s: float) -> npt.NDArray[np.int16]:
    """Return a tone of the event in noise of the recording; noise recordings have no tone."""
    n_samples = round(duration_s * RATE_HZ)
    random = np.random.default_rng(zlib.crc32(name.member.encode()))
    mono = random.normal(0, 0.02, n_samples)
    if name.sound != "noise":
        time_s = np.arange(n_samples) / RATE_HZ
        running = np.sin(np.pi * np.linspace(0, 1, n_samples)) ** 2
        tone_hz = 300 + zlib.crc32(name.event_id.encode()) % 2000
        mono += running * 0.2 / name.channel * np.sin(2 * np.pi * tone_hz * time_s)
    return np.rint(mono * 32767).astype(np.int16)


def wav_bytes(samples: npt.NDArray[np.int16], rate_hz: int = RATE_HZ) -> bytes:
    """Return a mono 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def without(files: dict[str, bytes], *parts: str) -> dict[str, bytes]:
    """Leave out the files whose path has one of these parts in it."""
    return {member: content for member, content in files.items() if not any(part in member for part in parts)}


def only(members: Iterable[str], part: str) -> str:
    """Return the one member that has `part` in its path."""
    found: Sequence[str] = [member for member in members if part in member]
    if len(found) != 1:
        raise LookupError(f"{len(found)} members have {part!r} in their path")
    return found[0]


def _takes(n: int) -> range:
    return range(1, n + 1)
