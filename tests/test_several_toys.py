"""A dataset of several toys is several preparations in one folder: each toy is as it is alone, all have one schema."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from preparing import hashes, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.exporting.export_job import ExportOptions, export_dataset
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.preview import previews
from toyadmos_datasets.jobs.rebuild import RebuildOptions, rebuild
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.sharing import ShareOptions
from toyadmos_datasets.sharing.recipe_export import export_recipe
from toyadmos_datasets.sharing.share_job import share_dataset
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.prepare_command import prepare_commands
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.values.shards import open_split
from toyadmos_datasets.verifying import verify_dataset, verify_shared

BOTH: dict[str, Any] = {"toy": "car,train", "protocols": ("basic",), "channels": "1", "snrs_db": (6.0,)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the folders of two toys, as the corpus does."""
    place = tmp_path_factory.mktemp("corpus")
    for toy in ("ToyCar", "ToyTrain"):
        write_tree(TinyCorpus(toy=toy, channels=(1, 2), n_normal=4, n_noise=3).files(), place)
    return place


@pytest.fixture(scope="module")
def both(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(options(source, tmp_path_factory.mktemp("both"), **BOTH)).out


def rows(folder: Path, config: str, split: str) -> list[dict[str, Any]]:
    return list(load_dataset(folder, config, split, decode=False))


def test_each_toy_has_the_clips_that_it_has_alone(source, both, tmp_path):
    for toy in ("car", "train"):
        alone = prepare(options(source, tmp_path / toy, **BOTH | {"toy": toy})).out
        for config in ("clean", "snr_6db"):
            for split in ("train", "test"):
                mine, theirs = rows(both, f"{toy}_{config}", split), rows(alone, config, split)

                assert [{name: one[name] for name in two} for one, two in zip(mine, theirs, strict=True)] == theirs


def test_all_configs_share_one_schema_with_the_parts_of_every_toy(both):
    schemas = [load_dataset(both, config, "test").features for config in read_manifest(both).configs]

    assert all(one == schemas[0] for one in schemas)
    assert {part for toy in TOYS for part in toy.parts} < set(schemas[0])


@pytest.mark.parametrize("toy", ["car", "train"])
def test_damage_lists_the_parts_that_are_not_normal_with_their_states(both, toy):
    for row in rows(both, f"{toy}_clean", "test"):
        known = damage_of(row["toy"], row["condition"])

        assert {one["part"]: one["state"] for one in row["damage"]} == {
            part: known.by_part[part] for part in known.damaged_parts
        }
        assert {part: row[part] for part in known.by_part} == known.by_part
        others = {part for one in TOYS for part in one.parts} - set(known.by_part)
        assert {row[part] for part in others} == {None}


def test_joint_configs_join_the_toys_here_and_in_plain_datasets(both, tmp_path):
    plain = datasets.load_dataset(str(both), "all_snr_6db", split="test", cache_dir=str(tmp_path))
    joined = load_dataset(both, "all_snr_6db", "test")
    parts = [load_dataset(both, f"{toy}_snr_6db", "test") for toy in ("car", "train")]

    assert joined["event_id"] == [name for part in parts for name in part["event_id"]]
    assert plain.select_columns(["event_id"])[:] == joined.select_columns(["event_id"])[:]
    assert load_dataset(both, "all")["train"]["event_id"] == load_dataset(both, "all_clean")["train"]["event_id"]
    streamed = load_dataset(both, "all", "train", streaming=True)
    assert [one["toy"] for one in streamed] == load_dataset(both, "all", "train")["toy"]


def test_the_same_again_is_done_and_another_toy_can_be_added(source, both, tmp_path):
    place = tmp_path / "place"
    shutil.copytree(both, place / "out")
    before = hashes(place / "out" / "data")
    assert prepare(options(source, place, **BOTH)).was_done
    write_tree(TinyCorpus(toy="ToyConveyor", n_normal=4, n_noise=3).files(), tmp_path / "belt")
    report = prepare(options(tmp_path / "belt", place, **BOTH | {"toy": "conveyor", "add": True}))
    more = prepare(options(source, place, **BOTH | {"snrs_db": (0.0,), "add": True}))

    assert report.manifest.toys == ("ToyCar", "ToyTrain", "ToyConveyor")
    assert [*more.manifest.configs][-2:] == ["car_snr_0db", "train_snr_0db"]
    assert more.manifest.headroom_of("car_snr_0db") == more.manifest.headroom_of("car_clean")
    assert before.items() <= hashes(place / "out" / "data").items()
    assert {*load_dataset(place / "out", "all", "train")["toy"]} == {*more.manifest.toys}
    assert verify_dataset(place / "out").is_good


def test_a_run_that_was_cut_goes_on_and_the_folder_shows_nothing_before_all_toys_are_there(
    source, both, tmp_path, monkeypatch
):
    with monkeypatch.context() as cut:
        cut.setattr("toyadmos_datasets.rendering.render_job.content_of", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(options(source, tmp_path, **BOTH))
    finished = sorted((tmp_path / "out" / ".partial" / "data").rglob("*.parquet"))
    before = [path.stat().st_mtime_ns for path in finished]
    shown = [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    with pytest.raises(OutputConflictError):
        prepare(options(source, tmp_path, **BOTH | {"toy": "car"}))
    report = prepare(options(source, tmp_path, **BOTH))

    assert (len(finished), shown) == (8, [])
    assert [(report.out / "data" / path.parent.name / path.name).stat().st_mtime_ns for path in finished] == before
    assert hashes(report.out / "data") == hashes(both / "data")


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_of_one_toy_takes_no_other(source, tmp_path):
    prepare(options(source, tmp_path, **BOTH | {"toy": "car"}))
    with refused(OutputConflictError, "toy", "ToyCar", "ToyTrain"):
        prepare(options(source, tmp_path, **BOTH | {"toy": "train", "add": True}))
    with refused(OutputConflictError, "ToyCar alone"):
        prepare(options(source, tmp_path, **BOTH | {"add": True}))


def test_verify_and_audit_take_the_folder_as_a_whole(both):
    verdict = verify_dataset(both)
    report = audit(both)

    assert (verdict.is_good, verdict.toy) == (True, "ToyCar, ToyTrain")
    assert report.toys == ("ToyCar", "ToyTrain")
    assert [one.what for one in report.findings if one.severity == "error"] == []


def test_a_shared_recipe_of_several_toys_gives_the_same_bytes(source, both, tmp_path):
    shared = export_recipe(both, tmp_path / "both.toyrecipe")
    report = rebuild(
        RebuildOptions(
            file=tmp_path / "both.toyrecipe", source=str(source), out=tmp_path / "again", cache=tmp_path / "cache"
        )
    )

    assert report.is_same
    assert shared.toys == ("ToyCar", "ToyTrain")
    assert hashes(tmp_path / "again" / "data") == hashes(both / "data")
    assert read_recipe(tmp_path / "again" / "recipe.parquet").sha256 == shared.recipe.sha256


def test_what_several_toys_share_without_audio_is_joined_too_and_filled_in(source, both, tmp_path, datasets_cache):
    shared = tmp_path / "shared"
    share_dataset(ShareOptions(folder=both, destination=f"file://{shared}", with_audio=False))
    front = yaml.safe_load((shared / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    manifest = read_manifest(both)
    plain = datasets.load_dataset(str(shared), "all_snr_6db", split="test")
    filled = load_dataset(shared, "all_snr_6db", "test", decode=False, source=source, cache=tmp_path / "cache")

    assert [one["config_name"] for one in front["configs"]] == [*manifest.configs, *manifest.joint_configs]
    assert plain["event_id"] == filled["event_id"]
    assert filled.to_list() == rows(both, "all_snr_6db", "test")
    assert verify_shared(f"file://{shared}").is_good


def test_one_command_repeats_what_one_command_made_of_several_toys(both):
    (command,) = prepare_commands(read_manifest(both).requests)

    assert "--toy car,train" in command


def test_a_recipe_of_several_toys_has_its_own_version_and_its_parts_do_not(both):
    recipe = read_recipe(both / "recipe.parquet")

    assert recipe.toys == ("ToyCar", "ToyTrain")
    assert recipe.version > max(part.version for part in recipe.parts)


def test_an_export_of_all_toys_puts_each_into_its_own_folder(both, tmp_path):
    report = export_dataset(ExportOptions(folder=both, layout="dcase2023", out=tmp_path / "out", config="all"))

    assert report.n_clips == {split: len(load_dataset(both, "all", split)) for split in ("train", "test")}
    for toy in ("ToyCar", "ToyTrain"):
        attributes = (tmp_path / "out" / "dev_data" / "raw" / toy / "attributes_00.csv").read_text().splitlines()
        assert all(line.startswith(f"{toy}/") for line in attributes[1:])


def test_systems_take_a_config_of_one_toy(both):
    assert open_split(both, "train_clean", "train").toy == "ToyTrain"
    with refused(OptionError, "car_clean", "all"):
        open_split(both, "all", "train")


def test_the_plan_tells_of_each_toy(source, tmp_path, capsys):
    found = previews(options(source, tmp_path, **BOTH))
    asked = (
        "--toy",
        "car,train",
        "--protocol",
        "basic",
        "--source",
        source,
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
    )
    told = json.loads(toyadmos(capsys, "plan", *asked, "--json").out)

    assert [(one.toy, one.counts[0].config) for one in found] == [
        ("ToyCar", "car_clean"),
        ("ToyTrain", "train_clean"),
    ]
    assert [one["toy"] for one in told] == ["ToyCar", "ToyTrain"]


def test_the_index_of_several_toys_is_one_table(source, tmp_path, capsys):
    told = json.loads(toyadmos(capsys, "index", source, "--toy", "car,train", "--json").out)

    assert {one["toy"] for one in told["recordings"]} == {"ToyCar", "ToyTrain"}
    assert [one["toy"] for one in told["as_found"]] == ["ToyCar", "ToyTrain"]
    words = {(one["toy"], one["condition_text"]) for one in told["recordings"] if one["condition"] == "ab01"}
    assert len(words) == 2


def test_features_of_several_toys_are_joined_too(source, tmp_path):
    report = prepare(options(source, tmp_path, **BOTH | {"snrs_db": (), "log_mel": LogMel()}))
    features = load_dataset(report.out, "all_clean_logmel", "train")

    assert [*report.manifest.joint_configs] == ["all", "all_clean", "all_clean_logmel"]
    assert {*features["toy"]} == {"ToyCar", "ToyTrain"}


@pytest.mark.parametrize(
    ("toy", "changed", "told"),
    [
        ("car,car", {}, "car,car"),
        ("car,boat", {}, "boat"),
        ("car,conveyor", {"cases": (4,)}, "4"),
        ("car,train", {"unseen_parts": ("shaft",), "protocols": ("few-shot",)}, "shaft"),
    ],
)
def test_toys_that_cannot_be_asked_for_together_are_refused(toy, changed, told):
    with refused(OptionError, told):
        PlanOptions(toy=toy, **changed)


def test_all_is_every_toy():
    assert [one.toy for one in PlanOptions(toy="all").each_toy()] == [toy.name for toy in TOYS]


def test_a_recipe_of_ones_own_is_of_one_toy(source, tmp_path):
    (tmp_path / "mine.csv").write_text("config,split,recording_ids\n")
    with refused(OptionError, "ToyCar,ToyTrain"):
        prepare(options(source, tmp_path, toy="car,train", recipe=tmp_path / "mine.csv"))


def test_a_manifest_of_the_version_before_is_refused(both, tmp_path):
    shutil.copytree(both, tmp_path / "old")
    path = tmp_path / "old" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 3}))
    with refused(DatasetError, "schema_version 4", "3"):
        read_manifest(tmp_path / "old")
