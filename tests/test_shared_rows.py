"""What is shared without audio can be looked at, and is filled in from the reader's own recordings."""

from __future__ import annotations

import io
import shlex
import shutil
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from preparing import hashes, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets.builder import load_dataset
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import LogMel, RenderOptions
from toyadmos_datasets.sharing import ShareOptions
from toyadmos_datasets.sharing.row_files import DIGEST_COLUMN
from toyadmos_datasets.sharing.share_job import share_dataset
from toyadmos_datasets.signal.clip_codec import decode_pcm
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.prepare_command import placeholders, prepare_commands
from toyadmos_datasets.verifying import verify_shared


@pytest.fixture(scope="module")
def place(tmp_path_factory, prepared) -> Path:
    """A folder to which a dataset was shared without audio."""
    folder = tmp_path_factory.mktemp("shared") / "toy"
    share_dataset(ShareOptions(folder=prepared, destination=f"file://{folder}", with_audio=False))
    return folder


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def front_of(folder: Path) -> dict:
    return yaml.safe_load(card_of(folder).split("---\n")[1])


@pytest.mark.parametrize("config", ["clean", "snr_6db"])
def test_plain_datasets_shows_every_column_but_the_sound(place, prepared, datasets_cache, config):
    rows = datasets.load_dataset(str(place), config)
    whole = load_dataset(prepared, config, decode=False)

    assert {*rows} == {*whole}
    assert rows["train"].features["label"].names == ["normal", "anomalous"]
    for split, there in whole.items():
        silent = there.remove_columns("audio")
        assert rows[split].column_names == [*silent.column_names, DIGEST_COLUMN]
        assert rows[split].remove_columns(DIGEST_COLUMN).to_list() == silent.to_list()
        clips = [decode_pcm(io.BytesIO(row["audio"]["bytes"]), name="clip") for row in there]
        assert rows[split][DIGEST_COLUMN] == [clip.digest.hex() for clip in clips]


def test_no_file_that_is_shared_holds_sound_or_features_of_it(tmp_path):
    tree = write_tree(TinyCorpus(n_normal=4, n_noise=2).files(), tmp_path / "source")
    made = prepare(
        options(tree, tmp_path, protocols=("basic",), snrs_db=(0.0,), stems=True, log_mel=LogMel(n_mels=8))
    ).out
    share_dataset(ShareOptions(folder=made, destination=f"file://{tmp_path}/toy", with_audio=False))
    schemas = [pq.read_schema(path) for path in (tmp_path / "toy" / "rows").rglob("*.parquet")]

    assert [one["config_name"] for one in front_of(tmp_path / "toy")["configs"]] == ["clean", "snr_0db"]
    assert schemas
    for schema in schemas:
        assert not {"audio", "target", "noise", "logmel"} & {*schema.names}
        assert not any(pa.types.is_binary(field.type) or pa.types.is_struct(field.type) for field in schema)


def test_one_call_fills_the_audio_in_and_the_next_reads_what_the_first_made(place, prepared, tmp_path, datasets_cache):
    filled = load_dataset(f"file://{place}", source=prepared.parent / "source", cache=tmp_path / "cache")
    again = load_dataset(place, "snr_6db", "test", source="/nowhere", cache=tmp_path / "cache")
    (folder,) = (tmp_path / "cache" / "datasets").glob("ToyTrain-*")

    expected = load_dataset(prepared)
    assert {split: rows["event_id"] for split, rows in filled.items()} == {
        split: rows["event_id"] for split, rows in expected.items()
    }
    assert (filled["train"][0]["audio"]["array"] == expected["train"][0]["audio"]["array"]).all()
    assert len(again) == len(load_dataset(prepared, "snr_6db", "test"))
    assert read_manifest(folder).shards == read_manifest(prepared).shards


def test_recordings_that_sound_otherwise_are_refused_when_the_audio_is_filled_in(
    place, prepared, tmp_path, datasets_cache
):
    source = tmp_path / "source"
    shutil.copytree(prepared.parent / "source", source)
    path = next(path for path in sorted(source.rglob("*.wav")) if "NormalSound_IND" in str(path))
    content = bytearray(path.read_bytes())
    content[-2000] ^= 64
    path.write_bytes(bytes(content))
    with refused(DatasetError, "source") as caught:
        load_dataset(place, source=source, cache=tmp_path / "cache")

    assert "hash of every clip" in str(caught.value.expected)


def test_what_was_shared_without_audio_asks_for_the_recordings(place, datasets_cache):
    with refused(DatasetError, "source="):
        load_dataset(place)
    with refused(OptionError, "seed"):
        load_dataset(place, source="/nowhere", seed=1)


def test_a_dataset_with_its_audio_is_not_filled_in(prepared):
    with refused(DatasetError):
        load_dataset(prepared, source="/nowhere")


def test_the_card_has_what_the_hub_looks_for_and_nothing_empty(place, prepared):
    card, front = card_of(place), front_of(place)
    manifest = read_manifest(prepared)

    assert front["task_categories"] == ["audio-classification"]
    assert front["size_categories"] == ["n<1K"]
    assert "viewer" not in front
    assert [(one["config_name"], one.get("default")) for one in front["configs"]] == [
        ("clean", True),
        ("snr_6db", None),
    ]
    for one in front["configs"]:
        for files in one["data_files"]:
            assert (place / files["path"]).is_file()
    assert "None" not in card
    assert f"ab01 | {condition_text('train', 'ab01')} |" in card
    assert all(version in card for version in manifest.versions.values())
    assert card.count("@inproceedings{") == card.count("@misc{") == 1
    assert f"toyadmos recipe rebuild file://{place} --out data/rebuilt" in card
    assert f'load_dataset("file://{place}", "clean", source=' in card


def test_the_command_of_a_card_prepares_the_same_dataset(capsys, prepared, place, tmp_path):
    for card in (card_of(place), card_of(prepared)):
        (line,) = [line.strip() for line in card.splitlines() if line.startswith("    toyadmos prepare ")]
        words = shlex.split(line)[1:]
        words[words.index("--out") + 1] = str(prepared)
        ran = toyadmos(capsys, *words, "--source", prepared.parent / "source", "--cache", tmp_path, "--workers", 1)

        assert ran.status == 0
        assert "nothing" in ran.out.lower()


@pytest.mark.parametrize(
    ("plan", "render", "typed"),
    [
        ({"toy": "car"}, {}, "--toy car --protocol waspaa2019"),
        (
            {"toy": "conveyor", "protocols": ("basic", "few-shot"), "snrs_db": (6.0, -0.5), "shots": 2},
            {"stems": True, "log_mel": LogMel()},
            "--toy conveyor --protocol basic --protocol few-shot --snr 6,-0.5 --shots 2 --stems --features logmel",
        ),
        (
            {"toy": "car", "cases": (1, 3), "as_printed": True},
            {"headroom_db": 12.0, "log_mel": LogMel(n_mels=64)},
            "--toy car --protocol waspaa2019 --cases 1,3 --as-printed --headroom-db 12 --features logmel --n-mels 64",
        ),
    ],
)
def test_a_request_is_spelled_as_the_options_that_are_not_left_open(plan, render, typed):
    request = PlanOptions(**plan).as_parameters() | RenderOptions(**render).as_request()

    assert prepare_commands([request], out="o") == (f"toyadmos prepare {typed} --out o",)


def test_what_a_request_has_only_the_hash_of_is_told():
    request = {"toy": "ToyCar", "exclude": {"flags": ["silent"], "ids_sha256": "0"}, "ignored": "1", "skip_bad": True}
    (first, second) = prepare_commands([request, {"toy": "ToyCar", "headroom": "own"}])

    assert placeholders([request]) == ("NAMES.txt", "PATTERN")
    assert "--skip-bad --exclude silent --exclude NAMES.txt --ignore PATTERN" in first
    assert "--headroom own --add" in second


def test_rows_that_were_changed_are_found(place, tmp_path):
    copy = Path(shutil.copytree(place, tmp_path / "toy"))
    path = copy / "rows" / "clean" / "test.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(len(table)))[::-1]), path)
    (copy / "rows" / "snr_6db" / "test.parquet").unlink()
    problems = verify_shared(f"file://{copy}").problems

    assert [one.path.rpartition("rows/")[2] for one in problems] == ["clean/test.parquet", "snr_6db/test.parquet"]
    assert verify_shared(f"file://{place}").is_good
    assert hashes(place)
