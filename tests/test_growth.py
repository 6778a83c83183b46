"""Configs are added to a prepared dataset: only they are rendered, and what is there keeps its bytes."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from preparing import hashes, listing, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.errors import ClippingError, DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.jobs.prepare import PrepareReport, prepare
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.jobs.rebuild import RebuildOptions, rebuild
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.sharing import ShareOptions, diff_recipes
from toyadmos_datasets.sharing.recipe_export import export_recipe
from toyadmos_datasets.sharing.share_job import share_dataset
from toyadmos_datasets.values.health import Exclusion
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import AddedConfigs, read_recipe, write_recipe
from toyadmos_datasets.values.shared_recipe import read_shared_recipe, write_shared_recipe
from toyadmos_datasets.verifying import verify_dataset, verify_shared

FIRST: dict[str, Any] = {"protocols": ("basic",), "channels": "1", "snrs_db": (6.0, 0.0), "headroom_db": 20.0}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    corpus = TinyCorpus(channels=(1, 2), n_normal=4, n_noise=3)
    return write_tree(corpus.files(), tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def first(tree, tmp_path_factory) -> Path:
    """A dataset of three configs, with its cache beside it."""
    place = tmp_path_factory.mktemp("first")
    prepare(options(tree, place, **FIRST))
    return place


@pytest.fixture
def place(first, tmp_path) -> Path:
    shutil.copytree(first, tmp_path / "place")
    return tmp_path / "place"


def add(tree: Path, place: Path, **changed: Any) -> PrepareReport:
    return prepare(options(tree, place, **({"protocols": ("basic",), "channels": "1", "add": True} | changed)))


@pytest.fixture(scope="module")
def grown(tree, first, tmp_path_factory) -> Path:
    """A dataset that was added to in every way."""
    place = tmp_path_factory.mktemp("grown") / "place"
    shutil.copytree(first, place)
    add(tree, place, snrs_db=(-12.0,))
    add(tree, place, protocols=("waspaa2019",), channels="2", headroom="own")
    add(tree, place, snrs_db=(6.0,), stems=True)
    add(tree, place, snrs_db=(-6.0,), log_mel=LogMel())
    return place


def shards(folder: Path) -> dict[str, str]:
    return {path: sha256 for path, sha256 in hashes(folder).items() if path.startswith("data/")}


def test_an_addition_renders_the_new_config_alone_and_touches_no_other_shard(tree, place):
    before = listing(place / "out" / "data" / "clean") | listing(place / "out" / "data" / "snr_6db")
    report = add(tree, place, snrs_db=(-12.0,))
    after = listing(place / "out" / "data" / "clean") | listing(place / "out" / "data" / "snr_6db")

    assert list(report.manifest.configs) == ["clean", "snr_6db", "snr_0db", "snr_minus_12db"]
    assert [one.configs for one in report.manifest.additions] == [("snr_minus_12db",)]
    assert after == before


def test_what_is_added_has_the_bytes_that_it_has_when_all_is_prepared_at_once(tree, place, tmp_path):
    add(tree, place, snrs_db=(-12.0,))
    add(tree, place, log_mel=LogMel(), snrs_db=(6.0, 0.0, -12.0))
    whole = FIRST | {"snrs_db": (6.0, 0.0, -12.0), "log_mel": LogMel()}
    prepare(options(tree, place, **whole, out=tmp_path / "whole"))

    assert shards(place / "out") == shards(tmp_path / "whole")


@pytest.mark.parametrize(
    "again",
    [
        FIRST,
        {"snrs_db": (-12.0,), "add": True},
        {"snrs_db": (-12.0,), "headroom_db": 20.0, "add": True},
        {"snrs_db": (6.0, 0.0, -12.0), "add": True},
        {"snrs_db": (0.0,), "add": True},
        FIRST | {"snrs_db": (6.0, 0.0, -12.0)},
        FIRST | {"snrs_db": (6.0, 0.0, -12.0), "protocols": ("basic", "waspaa2019")},
    ],
    ids=["the first", "the second", "with its headroom", "all, added", "a part, added", "all", "all protocols"],
)
def test_each_request_again_or_all_in_one_finds_it_done(tree, place, again):
    add(tree, place, snrs_db=(-12.0,))
    add(tree, place, protocols=("waspaa2019",))
    before = listing(place / "out" / "data"), hashes(place / "out")
    report = prepare(options(tree, place, **({"protocols": ("basic",), "channels": "1"} | again)))

    assert report.was_done
    assert (listing(place / "out" / "data"), hashes(place / "out")) == before


def test_a_part_of_what_is_there_is_another_dataset_and_the_error_names_the_option_that_adds(tree, place):
    with pytest.raises(OutputConflictError) as caught:
        prepare(options(tree, place, **FIRST | {"snrs_db": (6.0,)}))

    assert "--add" in caught.value.remedy


def test_stems_are_added_beside_configs_that_lack_them_under_a_name_of_their_own(tree, place):
    report = add(tree, place, snrs_db=(6.0,), stems=True)
    without, with_stems = (
        load_dataset(place / "out", config, split="test", decode=False, cache_dir=place / "hf")
        for config in ("snr_6db", "snr_6db_stems")
    )

    assert report.manifest.additions[0].configs == ("clean_stems", "snr_6db_stems")
    assert without["audio"][:] == with_stems["audio"][:]
    assert set(with_stems.column_names) - set(without.column_names) == {"target", "noise"}


def test_features_are_added_to_configs_that_are_there(tree, place):
    report = add(tree, place, log_mel=LogMel())

    assert report.manifest.additions[0].configs == ()
    assert report.manifest.additions[0].feature_configs == ("clean_logmel",)
    assert report.manifest.has_features("clean_logmel")
    assert read_recipe(place / "out" / "recipe.parquet").added == ()
    assert "logmel" in load_dataset(place / "out", "clean_logmel", split="test", cache_dir=place / "hf").column_names


@pytest.mark.parametrize(
    ("changed", "config"),
    [
        ({"snrs_db": (-12.0,), "seed": 1}, "clean"),
        ({"snrs_db": (-12.0,), "channels": "2"}, "clean"),
        ({"snrs_db": (6.0,), "snr_reference": "clip"}, "snr_6db"),
        ({"snrs_db": (-12.0,), "exclude": Exclusion(ids=("ToyTrain_case1_normal_IND_0001",))}, "clean"),
    ],
    ids=["seed", "channel", "reference", "left out"],
)
def test_a_config_of_the_same_name_that_is_another_one_is_an_error_that_names_it(tree, place, changed, config):
    before = hashes(place / "out")
    with pytest.raises(OutputConflictError) as caught:
        add(tree, place, **changed)

    assert str(caught.value.where).endswith(f"config {config}")
    assert "--out" in caught.value.remedy
    assert hashes(place / "out") == before


def test_features_of_other_settings_are_an_error_that_names_their_config(tree, place):
    add(tree, place, log_mel=LogMel())
    with pytest.raises(OutputConflictError) as caught:
        add(tree, place, log_mel=LogMel(n_mels=64))

    assert str(caught.value.where).endswith("config clean_logmel")


def test_an_snr_relative_to_another_level_does_not_clash_with_clips_that_have_no_noise(tree, place):
    report = add(tree, place, snrs_db=(-12.0,), snr_reference="clip")

    assert report.manifest.additions[0].configs == ("snr_minus_12db",)


@pytest.mark.parametrize(
    ("changed", "flag"),
    [({"container": "flac"}, "--encoding"), ({"bit_depth": 24}, "--bit-depth"), ({"rate_hz": 48_000}, "--rate")],
)
def test_what_all_configs_of_a_folder_have_in_common_cannot_be_changed(tree, place, changed, flag):
    with pytest.raises(OutputConflictError) as caught:
        add(tree, place, snrs_db=(-12.0,), **changed)

    assert flag in caught.value.remedy


@pytest.fixture
def tight(tree, tmp_path) -> PrepareReport:
    """A dataset with no more headroom than its configs need."""
    return prepare(options(tree, tmp_path / "tight", protocols=("basic",), snrs_db=(6.0,), channels="1"))


def test_a_config_that_needs_more_headroom_is_an_error_with_both_and_leaves_the_folder_free(tree, tight, tmp_path):
    before = hashes(tight.out)
    with pytest.raises(ClippingError) as caught:
        add(tree, tmp_path / "tight", snrs_db=(-40.0,))
    has_db, needs_db = (_decibels(one) for one in (caught.value.expected, caught.value.actual))

    assert has_db == tight.manifest.headroom_db
    assert needs_db > has_db
    assert "--headroom own" in caught.value.remedy
    assert f"--headroom-db {needs_db:g}" in caught.value.remedy
    assert hashes(tight.out) == before
    assert not (tight.out / ".partial").exists()


def _decibels(fact: str | None) -> float:
    return float(re.findall(r"([\d.]+) dB", str(fact))[0])


def test_a_headroom_of_its_own_stands_in_column_card_and_manifest(tree, tight, tmp_path):
    report = add(tree, tmp_path / "tight", snrs_db=(-40.0,), headroom="own")
    own_db = report.manifest.additions[0].headroom_db
    columns = {
        config: set(load_dataset(tight.out, config, split="test", decode=False, cache_dir=tmp_path)["headroom_db"])
        for config in ("snr_6db", "snr_minus_40db")
    }
    card = (tight.out / "README.md").read_text()

    assert own_db > tight.manifest.headroom_db
    assert columns == {"snr_6db": {tight.manifest.headroom_db}, "snr_minus_40db": {own_db}}
    assert f"`snr_minus_40db` by {own_db:g} dB" in card
    assert "by the same headroom" not in card


def test_clips_that_exceed_full_scale_in_a_shared_headroom_are_counted_where_that_is_asked_for(tree, tight, tmp_path):
    report = add(tree, tmp_path / "tight", snrs_db=(-40.0,), on_clip="count")

    assert report.manifest.headroom_of("snr_minus_40db") == tight.manifest.headroom_db
    assert sum(one.n_clipped for one in report.manifest.configs["snr_minus_40db"]["test"]) > 0


def test_another_headroom_than_the_folders_is_an_error(tree, place):
    with pytest.raises(OutputConflictError) as caught:
        add(tree, place, snrs_db=(-12.0,), headroom_db=12.0)

    assert (caught.value.expected.split(",")[0], caught.value.actual) == ("20 dB", "12 dB")


def test_nothing_is_added_where_no_dataset_is(tree, tmp_path):
    with refused(OutputConflictError):
        add(tree, tmp_path)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changed", [{"overwrite": True}, {"headroom": "mine"}, {"add": False, "headroom": "own"}])
def test_options_that_contradict_an_addition_are_refused(tree, place, changed):
    with pytest.raises(OptionError):
        add(tree, place, **changed)


def test_overwriting_replaces_what_was_added_too(tree, place):
    add(tree, place, snrs_db=(-12.0,))
    report = prepare(options(tree, place, **FIRST | {"snrs_db": (6.0,)}, overwrite=True))

    assert list(report.manifest.configs) == ["clean", "snr_6db"]
    assert not (place / "out" / "data" / "snr_minus_12db").exists()


def test_a_preview_of_an_addition_counts_what_is_new_alone(tree, place):
    asked = options(tree, place, protocols=("basic",), channels="1", snrs_db=(6.0, -12.0), add=True)
    found = preview(asked)

    assert found.state == "add"
    assert {one.config for one in found.counts} == {"snr_minus_12db"}


def test_a_grown_dataset_is_verified_and_audited_by_the_rules_of_each_config(grown):
    report = audit(grown / "out")

    assert verify_dataset(grown / "out").is_good
    assert {one.severity for one in report.findings} <= {"note"}
    assert {one.config for one in report.snrs} == {
        "snr_6db",
        "snr_0db",
        "snr_minus_12db",
        "snr_6db_stems",
        "snr_minus_6db",
    }


def test_a_grown_recipe_is_rebuilt_to_the_same_folder(tree, grown, tmp_path):
    export_recipe(grown / "out", tmp_path / "grown.toyrecipe")
    asked = RebuildOptions(
        file=tmp_path / "grown.toyrecipe", source=str(tree), out=tmp_path / "again", cache=grown / "cache"
    )
    report, once_more = rebuild(asked), rebuild(asked)
    then, now = hashes(grown / "out"), hashes(tmp_path / "again")

    assert report.is_same
    assert once_more.prepared.was_done
    assert {path for path in then.keys() | now.keys() if then.get(path) != now.get(path)} == {"manifest.json"}
    assert diff_recipes(tmp_path / "grown.toyrecipe", tmp_path / "again").is_same


def test_a_rebuilt_dataset_can_be_added_to(tree, grown, tmp_path):
    export_recipe(grown / "out", tmp_path / "grown.toyrecipe")
    place = {"out": tmp_path / "again", "cache": grown / "cache"}
    rebuild(RebuildOptions(file=tmp_path / "grown.toyrecipe", source=str(tree), **place))
    report = prepare(options(tree, tmp_path, protocols=("basic",), channels="1", snrs_db=(-3.0,), add=True, **place))

    assert report.manifest.additions[-1].configs == ("snr_minus_3db",)


def test_the_hash_of_a_recipe_changes_when_it_grows_and_those_of_its_parts_do_not(grown, first):
    before, after = (read_recipe(one / "out" / "recipe.parquet") for one in (first, grown))

    assert after.sha256 != before.sha256
    assert after.parts[0].sha256 == before.sha256
    assert [tuple(part.configs) for part in after.parts[1:]] == [one.configs for one in after.added]


def test_a_recipe_whose_additions_are_not_those_of_its_rows_is_refused(grown, tmp_path):
    recipe = read_recipe(grown / "out" / "recipe.parquet")
    strange = AddedConfigs(configs=("strange",), parameters=recipe.parameters)
    write_recipe(replace(recipe, added=(*recipe.added, strange)), tmp_path / "recipe.parquet")
    export_recipe(grown / "out", tmp_path / "grown.toyrecipe")
    shared = read_shared_recipe(tmp_path / "grown.toyrecipe")
    forged = replace(shared, recipe=replace(shared.recipe, added=(*recipe.added, strange)))
    write_shared_recipe(forged, tmp_path / "forged.toyrecipe")

    for read, name in ((read_recipe, "recipe.parquet"), (read_shared_recipe, "forged.toyrecipe")):
        with pytest.raises(DatasetError):
            read(tmp_path / name)


def test_additions_that_the_recipe_lacks_are_not_rebuilt(tree, grown, tmp_path):
    export_recipe(grown / "out", tmp_path / "grown.toyrecipe")
    shared = read_shared_recipe(tmp_path / "grown.toyrecipe")
    other = replace(shared.additions[0], configs=("snr_3db",))
    write_shared_recipe(replace(shared, additions=(other, *shared.additions[1:])), tmp_path / "other.toyrecipe")
    with pytest.raises(DatasetError, match="disagree"):
        rebuild(
            RebuildOptions(
                file=tmp_path / "other.toyrecipe", source=str(tree), out=tmp_path / "again", cache=grown / "cache"
            )
        )


def test_a_grown_recipe_is_no_recipe_of_ones_own(tree, grown, tmp_path):
    with refused(OptionError):
        prepare(options(tree, tmp_path, recipe=grown / "out" / "recipe.parquet", cache=grown / "cache"))


def test_the_card_tells_of_all_configs_as_one_that_was_prepared_at_once(tree, place, tmp_path):
    add(tree, place, snrs_db=(-12.0,))
    prepare(options(tree, place, **FIRST | {"snrs_db": (6.0, 0.0, -12.0)}, out=tmp_path / "whole"))
    cards = [(one / "README.md").read_text() for one in (place / "out", tmp_path / "whole")]
    told = [re.sub("Recipe `[0-9a-f]+`|^ {4}toyadmos prepare .*\n", "", card, flags=re.MULTILINE) for card in cards]

    assert told[0] == told[1]
    assert read_manifest(place / "out").health == read_manifest(tmp_path / "whole").health


def test_a_damaged_shard_of_what_is_there_stops_an_addition(tree, place):
    path = place / "out" / "data" / "clean" / "test-00000-of-00001.parquet"
    content = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(0).column(2).data_page_offset
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    before = hashes(place / "out")
    with pytest.raises(DatasetError):
        add(tree, place, log_mel=LogMel())

    assert hashes(place / "out") == before


def test_a_dataset_that_has_grown_is_shared_again_by_sending_what_is_new(tree, place):
    address = f"memory://grown/{place.parent.name}"
    share_dataset(ShareOptions(folder=place / "out", destination=address, may_share_audio=True))
    add(tree, place, snrs_db=(-12.0,))
    again = ShareOptions(folder=place / "out", destination=address, may_share_audio=True, overwrite=True)
    report = share_dataset(again)

    assert {path for path in report.sent if path.startswith("data/")} == {
        one.path for one in read_manifest(place / "out").shards if one.config == "snr_minus_12db"
    }
    assert report.removed == ()
    assert verify_shared(address).is_good


def test_the_command_adds_and_says_so(tree, place, capsys):
    arguments = [
        "--toy",
        "train",
        "--source",
        tree,
        "--protocol",
        "basic",
        "--workers",
        "1",
        "--cache",
        place / "cache",
    ]
    arguments += ["--out", place / "out", "--snr=-12", "--channels", "1", "--add"]
    foreseen = toyadmos(capsys, "plan", *arguments)
    ran = toyadmos(capsys, "prepare", *arguments)
    shown = toyadmos(capsys, "recipe", "show", place / "out")

    assert "beside what is there" in foreseen.out
    assert (ran.status, ran.err) == (0, "")
    assert "snr_minus_12db" in ran.out
    assert "added       snr_minus_12db: " in shown.out
