"""Every line that is printed to be typed works as it stands, for the folder that it was printed for."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import NAMES
from preparing import COMMAND, Ran, toyadmos
from small import basic
from test_plain_datasets import OLDEST, VERSIONS

from toyadmos_datasets.cli.terminal import loading_line
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.jobs.sources import require_outside, resolve_source
from toyadmos_datasets.values.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("without_surroundings")

AWKWARD = [
    "two words",
    'it\'s "so"',
    "br[x]",
    "st*r?",
    "a::b",
    "simplecache::x",
    "a#b%20c%",
    "{a,b}",
    "back\\slash$HOME`id`",
    "Größe 日本",
    "-dash",
    "train",
    "parquet",
    NAMES["escape sequence"],
    NAMES["line feed"],
    NAMES["bidirectional"],
    NAMES["undecodable"],
]

TYPED = ["-dash", 'it\'s "so" [x] *? a::b #%20 {a,b} \\$HOME`id` ~ Größe', "".join(list(NAMES.values())[:9])]
"""The same in few names, for what takes seconds."""

BEGIN = "Load it with: "

IN_DRILLS = pytest.mark.skipif(not os.environ.get("TOYADMOS_DRILLS"), reason="It takes long: `make drills` runs it")
WITH_OLDEST_IN_DRILLS = [VERSIONS[0], pytest.param(OLDEST, marks=[*VERSIONS[1].marks, IN_DRILLS])]


def line_after(ran: Ran, begin: str) -> str:
    """Return what a command printed to be typed."""
    (line,) = [one for one in ran.out.splitlines() if one.startswith(begin)]
    return line.removeprefix(begin)


def python(lines: list[str], place: Path, version: Path | None) -> list[str]:
    """Run lines of Python in a process without torchcodec, where a user would; return what they print."""
    paths = [str(version)] if version else []
    environment = os.environ | {
        "HF_DATASETS_CACHE": str(place / "hf"),
        "HF_HUB_OFFLINE": "1",
        "USE_TORCH": "0",
        "PYTHONPATH": os.pathsep.join([*paths, str(Path(__file__).parents[1])]),
    }
    code = "\n".join(["import sys; sys.modules['torchcodec'] = None", *lines])
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def typed(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Type a command into bash, with `toyadmos` the program under test."""
    program = f'toyadmos() {{ {shlex.join(COMMAND)} "$@"; }}'
    return subprocess.run(
        ["/bin/bash", "-c", f"{program}\n{command}"],
        check=False,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        cwd=place,
    )


@pytest.mark.parametrize("version", WITH_OLDEST_IN_DRILLS, ids=["newest", "oldest"])
def test_the_line_after_prepare_loads_the_folder_that_it_was_printed_for(capsys, small_tree, tmp_path, version):
    lines = []
    for name in AWKWARD:
        out = f"./{name}" if name.startswith("-") else name
        ran = toyadmos(capsys, "prepare", *basic(small_tree, "--snr", "6", "--max-events", "1", "--out", out))
        again = toyadmos(capsys, "prepare", *basic(small_tree, "--snr", "6", "--max-events", "1", "--out", out))
        line = line_after(ran, BEGIN)

        assert (name, ran.status, line) == (name, 0, line_after(again, BEGIN))
        lines += [line, "print(ds.num_rows, ds[0]['audio']['array'].dtype, ds[0]['snr_db'])"]
        n_rows = next(one.n_rows for one in read_manifest(tmp_path / name).shards if one.split == "train")
    seen = python(lines, tmp_path, version)

    assert dict(zip(AWKWARD, seen, strict=True)) == dict.fromkeys(AWKWARD, f"{n_rows} float32 None")


def test_the_line_names_the_first_of_several_configs():
    line = loading_line(Path("data/train"), "clean", "train")

    assert line.endswith('load_dataset("data/train", "clean", split="train"); ds[0]["audio"]')


@pytest.mark.parametrize("name", TYPED)
def test_commands_printed_after_an_export_and_in_errors_can_be_typed(capsys, prepared, tmp_path, name):
    file = Path(name) / "x.toyrecipe"
    (tmp_path / name).mkdir()
    exported = toyadmos(capsys, "recipe", "export", prepared, f"--out=./{file}", "--workers", "1")
    shown = line_after(exported, "Users with the recordings render it with: ")
    command = shown.replace("SRC", shlex.quote(str(prepared.parent / "source"))).replace("DIR", "rebuilt --workers 1")
    done = typed(command, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert read_manifest(tmp_path / "rebuilt").shards == read_manifest(prepared).shards


@pytest.mark.parametrize("name", TYPED)
def test_the_remedy_for_an_absent_dataset_prepares_it_there(tmp_path, name, small_tree):
    with pytest.raises(ToyAdmosError) as caught:
        read_manifest(Path(name))

    command = caught.value.remedy.partition("or prepare one: ")[2].replace("TOY", "train")
    done = typed(f"{command} --source {shlex.quote(str(small_tree))} --protocol basic --workers 1", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_manifest(tmp_path / name).toy == "ToyTrain"


@pytest.mark.parametrize("name", TYPED)
def test_the_remedy_for_an_output_inside_the_source_names_a_folder_that_can_be_typed(tmp_path, small_tree, name):
    source = Path(shutil.copytree(small_tree, tmp_path / name / "source"))
    opened = resolve_source(str(source), "ToyTrain", tmp_path / "cache", workers=1, progress=Quiet())

    with pytest.raises(ToyAdmosError) as caught:
        require_outside(opened, next(source.rglob("*.wav")).parent / "out")

    word = caught.value.remedy.partition("for instance: ")[2]
    done = typed(f"mkdir -p {word}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = [one for one in (tmp_path / name).rglob("*-out") if one.is_dir()]
    assert len(made) == 1
    require_outside(opened, *made)


@pytest.mark.skipif(not OLDEST.exists(), reason="the oldest supported datasets is not there")
@pytest.mark.parametrize("version", WITH_OLDEST_IN_DRILLS, ids=["newest", "oldest"])
def test_plain_datasets_opens_what_docs_say_it_opens(prepared, tmp_path, version):
    opened = {}
    for name in ("two words", "Größe 日本", "a#b%20c", "br[x]", "a::b"):
        shutil.copytree(prepared, tmp_path / name)
        code = [
            "import datasets",
            f"try: print(datasets.load_dataset({name!r}, 'snr_6db', split='train').num_rows)",
            "except FileNotFoundError: print('none')",
        ]
        opened[name] = python(code, tmp_path, version)[-1]

    assert {name for name, n in opened.items() if n == "none"} == {"br[x]", "a::b"}
