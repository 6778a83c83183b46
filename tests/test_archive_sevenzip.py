"""Archives that 7-Zip itself wrote, in every way that the published ones might have been."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from crafted import noise

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import UnsupportedMethodError

SEVEN_ZIP = next((found for name in ("7zz", "7z", "7za") if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(
    SEVEN_ZIP is None,
    reason="NO 7-ZIP ON THE PATH (Debian: apt install p7zip-full): its archives are UNTESTED",
)

CALLS = b"".join(b"\xe8" + (i * 37 % 5000).to_bytes(4, "little") + b"\x8b\x45" for i in range(12_000))
DATA = {
    "ToyTrain/EnvironmentalNoise_CNT/1.wav": noise(300_000, 1),
    "ToyTrain/case1/NormalSound_IND/1.wav": b"RIFF" + noise(120_001, 2),
    "ToyTrain/case1/NormalSound_IND/2.wav": CALLS,
    "ToyTrain/case2/NormalSound_IND/3.wav": noise(90_003, 3),
    "ToyTrain/case2/NormalSound_IND/4.wav": b"",
    "ToyTrain/SIMULATED.txt": b"made up",
}
WAVS = {path: content for path, content in DATA.items() if path.endswith(".wav")}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for path, content in DATA.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def pack(tree: Path, folder: Path, *options: str) -> Path:
    folder.mkdir(exist_ok=True)
    command = [str(SEVEN_ZIP), "a", "-bd", "-mmt=2", *options, str(folder / "ToyTrain.7z"), "ToyTrain"]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    source = open_source(folder, "ToyTrain")
    assert all(member.crc32 == zlib.crc32(WAVS[member.path]) for member in source.members())
    return {
        member.path: b"".join(chunks)
        for block in source.blocks()
        for member, chunks in source.read(block.number, set(WAVS))
    }


@pytest.mark.parametrize(
    ("options", "method"),
    [
        (["-m0=LZMA2", "-mf=off"], "LZMA2:"),
        (["-m0=LZMA", "-mf=off"], "LZMA:"),
        (["-m0=LZMA:lc=4:pb=0", "-mf=off"], "LZMA:"),
        (["-m0=LZMA2", "-mx=9", "-md=64m", "-mf=off"], "LZMA2:"),
        (["-m0=Delta:2", "-m1=LZMA2"], "Delta:2 LZMA2:"),
        (["-m0=Delta:2", "-m1=LZMA"], "Delta:2 LZMA:"),
        (["-m0=Delta:4", "-m1=Copy"], "Delta:4 Copy"),
        (["-m0=BCJ", "-m1=LZMA2"], "BCJ LZMA2:"),
        (["-m0=BCJ", "-m1=LZMA"], "BCJ LZMA:"),
        (["-m0=BCJ", "-m1=Delta:2", "-m2=LZMA"], "BCJ Delta:2 LZMA:"),
        (["-m0=ARM", "-m1=LZMA"], "ARM LZMA:"),
        (["-m0=ARMT", "-m1=LZMA2"], "ARMT LZMA2:"),
        (["-m0=PPC", "-m1=LZMA"], "PPC LZMA:"),
        (["-m0=IA64", "-m1=LZMA2"], "IA64 LZMA2:"),
        (["-m0=SPARC", "-m1=LZMA"], "SPARC LZMA:"),
        (["-m0=LZMA", "-m1=LZMA2"], "LZMA:"),
        (["-m0=Copy"], "Copy"),
        (["-mx=0"], "Copy"),
        ([], ""),
    ],
)
def test_every_chain_of_coders_reads_back(tree, tmp_path, options, method):
    folder = pack(tree, tmp_path, *options)

    assert read(folder) == WAVS
    assert any(block.method.startswith(method) for block in open_source(folder, "ToyTrain").blocks())


@pytest.mark.parametrize("solid", ["off", "on", "16m", "200k", "2f"])
@pytest.mark.parametrize("packed_header", ["on", "off"])
def test_any_solid_block_size_reads_back(tree, tmp_path, solid, packed_header):
    folder = pack(tree, tmp_path, f"-ms={solid}", f"-mhc={packed_header}", "-mx=1")

    assert read(folder) == WAVS


def test_without_solid_blocks_every_recording_is_a_block(tree, tmp_path):
    source = open_source(pack(tree, tmp_path, "-ms=off"), "ToyTrain")
    blocks = [member.block for member in source.members()]

    assert len(set(blocks)) == len(WAVS)


@pytest.mark.parametrize("volume", ["1k", "4097b", "33333b", "1m"])
def test_volumes_of_any_size_read_back(tree, tmp_path, volume):
    folder = pack(tree, tmp_path, f"-v{volume}", "-mx=1")

    assert (folder / "ToyTrain.7z.001").is_file()
    assert read(folder) == WAVS


def test_the_marker_of_the_simulation_is_seen(tree, tmp_path):
    assert open_source(pack(tree, tmp_path), "ToyTrain").is_simulated


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-psecret", "-mhe=on"], "AES encryption"),
        (["-psecret"], "AES encryption"),
        (["-m0=BZip2"], "BZip2"),
        (["-m0=PPMd"], "PPMd"),
        (["-m0=Deflate"], "Deflate"),
        (["-m0=BCJ2", "-m1=LZMA", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"], "BCJ2"),
    ],
)
def test_what_cannot_be_decoded_is_refused_by_name(tree, tmp_path, options, name):
    folder = pack(tree, tmp_path, *options)

    with pytest.raises(UnsupportedMethodError, match=name):
        open_source(folder, "ToyTrain")


def test_an_archive_that_grew_by_an_update_reads_back(tree, tmp_path):
    folder = pack(tree, tmp_path, "-x!ToyTrain/case2", "-mx=1")
    pack(tree, folder, "-ms=off", "-m0=LZMA")

    assert read(folder) == WAVS
