"""A shared recipe gives the same bytes again, and where it does not, says which stage moved."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from preparing import hashes, options, toyadmos, toyadmos_process
from rewriting import in_split, rewritten
from tiny import TinyCorpus, only, wav_bytes, write_tree, write_volumes
from wording import hold_printed, refused

import toyadmos_datasets.rendering.shard_writer as shard_module
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import DatasetError, OutputConflictError, PlanError
from toyadmos_datasets.jobs.preparation import Preparation
from toyadmos_datasets.jobs.prepare import carry_out, prepare
from toyadmos_datasets.jobs.rebuild import RebuildOptions, rebuild
from toyadmos_datasets.rendering import OutputFolder, RenderOptions
from toyadmos_datasets.sharing import diff_recipes, export_recipe, open_recipe
from toyadmos_datasets.signal import resampling
from toyadmos_datasets.signal.clip_codec import Pcm
from toyadmos_datasets.values.manifest import read_manifest, write_manifest
from toyadmos_datasets.values.shared_recipe import read_shared_recipe, write_shared_recipe

CORPUS = TinyCorpus(n_normal=6, n_noise=4)
MANIFEST = "manifest.json"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A dataset, its shared recipe, and its source as a tree and as volumes."""
    place = tmp_path_factory.mktemp("shared")
    files = CORPUS.files()
    tree = write_tree(files, place / "tree")
    write_volumes(files, place / "volumes")
    prepare(options(tree, place, protocols=("basic",), snrs_db=(3.0,), channels="all", container="flac"))
    export_recipe(place / "out", place / "mine.toyrecipe")
    return place


def asked(place, tmp_path, **changed):
    values = {"file": place / "mine.toyrecipe", "source": str(place / "tree"), "cache": place / "cache"}
    return RebuildOptions(**values | {"out": tmp_path / "again"} | changed)


def content(folder):
    """Hashes of everything but the manifest, which says where a folder came from."""
    return {path: sha256 for path, sha256 in hashes(folder).items() if path != MANIFEST}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_prepared_from_a_tree_is_rebuilt_from_volumes(place, tmp_path, workers):
    report = rebuild(asked(place, tmp_path, source=str(place / "volumes"), cache=tmp_path / "cache", workers=workers))

    assert report.is_same
    assert report.n_shards == 4
    assert content(tmp_path / "again") == content(place / "out")
    assert read_manifest(tmp_path / "again").shards == read_manifest(place / "out").shards
    again = rebuild(asked(place, tmp_path, source=str(place / "volumes"), cache=tmp_path / "cache"))
    assert again.is_same
    assert again.prepared.was_done


def test_listing_order_and_hash_seed_change_no_byte(place, tmp_path):
    files = list(CORPUS.files().items())
    backwards = write_tree(dict(files[::-1]), tmp_path / "tree")
    words = ["recipe", "rebuild", place / "mine.toyrecipe", "--source", backwards, "--workers", "1", "--json"]
    places = ["--out", tmp_path / "again", "--cache", tmp_path / "cache"]
    ran = toyadmos_process(*words, *places, env={"PYTHONHASHSEED": "1"})

    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["is_same"] is True
    assert content(tmp_path / "again") == content(place / "out")


def test_a_rebuilt_folder_exports_to_the_same_recipe(place, tmp_path):
    rebuild(asked(place, tmp_path, source=str(place / "volumes")))
    export_recipe(tmp_path / "again", tmp_path / "again.toyrecipe")
    found = diff_recipes(place / "mine.toyrecipe", tmp_path / "again.toyrecipe")

    assert found.is_same
    assert found.n_compared_samples == len(read_shared_recipe(place / "mine.toyrecipe").digests)


def test_what_was_prepared_without_bad_recordings_is_rebuilt_with_the_same_card(tmp_path):
    files = CORPUS.files()
    files[only(files, "normal_IND_ch1_0002")] = b"RIFF and no more"
    tree = write_tree(files, tmp_path / "tree")
    prepare(options(tree, tmp_path, protocols=("basic",), skip_bad=True))
    export_recipe(tmp_path / "out", tmp_path / "mine.toyrecipe")
    report = rebuild(asked(tmp_path, tmp_path, cache=tmp_path / "other"))

    assert report.is_same
    assert "1 recording could not be used and was skipped" in (tmp_path / "again" / "README.md").read_text("utf-8")
    assert content(tmp_path / "again") == content(tmp_path / "out")
    assert report.prepared.manifest.skipped == read_manifest(tmp_path / "out").skipped


def moved_by(place, tmp_path, **changed):
    return rebuild(asked(place, tmp_path, **changed)).moved


def test_recordings_that_differ_are_told_as_the_source(place, tmp_path):
    files = CORPUS.files()
    one = only(files, "normal_IND_ch1_0001")
    files[one] = wav_bytes(np.roll(CORPUS.sound(next(n for n in CORPUS.names() if n.member == one)), 5))
    moved = moved_by(place, tmp_path, source=str(write_tree(files, tmp_path / "tree")))

    assert moved.stage == "source"
    assert moved.n_examples >= 2
    assert any("ToyTrain_case1_normal_IND_0001, channel 1" in example for example in moved.examples)


def test_another_resampler_is_told_with_its_versions(place, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "QUALITY", "LQ")
    moved = moved_by(place, tmp_path)

    assert moved.stage == "resampling"
    assert [name for name, _, _ in moved.versions] == ["soxr"]
    assert moved.n_examples > 0


def test_another_sum_is_told_as_mixing(place, tmp_path, monkeypatch):
    mix = shard_module.mix
    monkeypatch.setattr(shard_module, "mix", lambda stems, headroom_db: mix(stems, headroom_db) + 2**-15)
    moved = moved_by(place, tmp_path)

    assert moved.stage == "mixing"
    assert "numpy" in [name for name, _, _ in moved.versions]


def test_another_flac_is_told_as_encoding(place, tmp_path, monkeypatch):
    encode = shard_module.encode_stored

    def packed_less(samples, encoding):
        with monkeypatch.context() as patch:
            write = soundfile.write
            patch.setattr(soundfile, "write", lambda *given, **named: write(*given, **named, compression_level=0.0))
            return encode(samples, encoding)

    monkeypatch.setattr(shard_module, "encode_stored", packed_less)
    moved = moved_by(place, tmp_path)

    assert moved.stage == "encoding"
    assert moved.n_examples == 0
    assert [name for name, _, _ in moved.versions] == ["libsndfile"]


def test_other_columns_are_told(place, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_module, "SNR_DECIMALS", 2)
    moved = moved_by(place, tmp_path)

    assert moved.stage == "columns"
    assert all("snr_3db" in path for path in moved.shards)


def test_another_layout_of_the_shards_is_told_as_writing(place, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_module, "ROWS_A_GROUP", 2)
    moved = moved_by(place, tmp_path)

    assert moved.stage == "writing"
    assert "pyarrow" in [name for name, _, _ in moved.versions]


def test_where_the_file_does_not_know_its_recordings_the_message_says_so(place, tmp_path, monkeypatch):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    source = {name: value for name, value in shared.source.items() if not name.endswith("_sha256")}
    write_shared_recipe(replace(shared, source=source), tmp_path / "old.toyrecipe")
    monkeypatch.setattr(resampling, "QUALITY", "LQ")

    assert moved_by(place, tmp_path, file=tmp_path / "old.toyrecipe").stage == "sound"


def test_the_command_says_which_stage_moved_with_versions_then_and_now(capsys, place, tmp_path, monkeypatch):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    then = replace(shared, versions=shared.versions | {"soxr": "0.0.1"})
    write_shared_recipe(then, tmp_path / "then.toyrecipe")
    monkeypatch.setattr(resampling, "QUALITY", "LQ")
    words = ["recipe", "rebuild", tmp_path / "then.toyrecipe", "--source", place / "tree", "--out", tmp_path / "out"]
    ran = toyadmos(capsys, *words, "--cache", tmp_path / "cache", "--workers", "1")

    assert ran.status == 1
    assert "4 of 4 shards differ from what the recipe promises." in ran.out
    assert "Resampling moved: the same recordings became other samples." in ran.out
    assert f"  soxr: 0.0.1 then, {shared.versions['soxr']} now" in ran.out


def test_a_source_that_lacks_recordings_is_an_error_that_names_them(place, tmp_path):
    files = {member: some for member, some in CORPUS.files().items() if "normal_IND_ch2_0003" not in member}

    with refused(PlanError) as lacking:
        rebuild(asked(place, tmp_path, source=str(write_tree(files, tmp_path / "tree"))))
    assert "normal_IND_ch2_0003" in lacking.value.expected
    assert not (tmp_path / "again").exists()


def test_a_recipe_of_a_simulated_corpus_is_not_rendered_from_recordings(place, tmp_path):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    simulated = replace(shared, source=shared.source | {"is_simulated": True})
    write_shared_recipe(simulated, tmp_path / "simulated.toyrecipe")

    with refused(PlanError) as mixed:
        rebuild(asked(place, tmp_path, file=tmp_path / "simulated.toyrecipe"))
    assert mixed.value.actual == f"recordings at {place / 'tree' / 'ToyTrain'}"


@pytest.mark.parametrize("config", ["../../outside", "/outside", ".hidden", ""])
def test_no_recipe_writes_outside_of_its_folder(place, tmp_path, config):
    recipe = read_shared_recipe(place / "mine.toyrecipe").recipe
    rows = [row | {"config": config} for row in recipe.examples.to_pylist()]
    leading_out = replace(recipe, examples=pa.Table.from_pylist(rows, schema=recipe.examples.schema))
    preparation = Preparation(
        source=open_source(str(place / "tree"), "ToyTrain"),
        output=OutputFolder(path=tmp_path / "deep" / "out", request={}),
        cache=place / "cache",
        render=RenderOptions(),
        examples=lambda _index, _joined: leading_out,
    )

    with refused(PlanError):
        carry_out([preparation], Quiet())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(place, tmp_path):
    shutil.copytree(place / "out", tmp_path / "again")
    before = hashes(tmp_path / "again")

    with refused(OutputConflictError):
        rebuild(asked(place, tmp_path))
    assert hashes(tmp_path / "again") == before


def test_a_rendering_that_this_version_does_not_know_is_refused(place, tmp_path):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    odd = replace(shared, request=shared.request | {"encoding": "opus"})
    write_shared_recipe(odd, tmp_path / "odd.toyrecipe")

    with refused(DatasetError):
        rebuild(asked(place, tmp_path, file=tmp_path / "odd.toyrecipe"))


def test_a_folder_whose_shards_are_not_its_manifests_is_not_exported(place, tmp_path):
    copy = rewritten(place / "out", tmp_path / "copy", in_split("clean/train", lambda rows: rows[::-1]))

    with refused(DatasetError):
        export_recipe(copy, tmp_path / "no.toyrecipe")
    manifest = read_manifest(copy)
    write_manifest(copy, replace(manifest, shards=read_manifest(place / "out").shards))
    os.utime(copy)
    with refused(DatasetError):
        export_recipe(copy, tmp_path / "no.toyrecipe")
    assert not (tmp_path / "no.toyrecipe").exists()


def test_a_shared_recipe_is_audited_and_its_hashes_find_identical_audio(place, tmp_path):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    rows = shared.recipe.examples.to_pylist()
    pair = [next(n for n, row in enumerate(rows) if row["split"] == split) for split in ("train", "test")]
    digests = shared.digests.to_pylist()
    digests[pair[0]] = digests[pair[1]]
    same = replace(shared, digests=pa.array(digests, pa.binary(16)))
    write_shared_recipe(same, tmp_path / "same.toyrecipe")

    assert audit(place / "mine.toyrecipe").is_clean
    (leak,) = [one for one in audit(tmp_path / "same.toyrecipe").findings if one.severity == "leak"]
    assert leak.what == "Identical audio stands on two sides."


def test_equal_zeros_in_a_shared_recipe_are_no_leak(place, tmp_path):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    zeros = Pcm(samples=np.zeros((11 * 16_000, 1), np.int16), rate_hz=16_000, bit_depth=16).digest
    parameters = shared.recipe.parameters | {"channels": "1"}
    silent = replace(
        shared,
        digests=pa.array([zeros] * len(shared.digests), pa.binary(16)),
        recipe=replace(shared.recipe, parameters=parameters),
    )
    write_shared_recipe(silent, tmp_path / "silent.toyrecipe")

    assert not audit(tmp_path / "silent.toyrecipe").has_leak


def test_diff_tells_settings_rows_and_splits(place, tmp_path):
    other = options(place / "tree", tmp_path, protocols=("basic",), snrs_db=(3.0,), channels="1", seed=1)
    prepare(replace(other, cache=place / "cache"))
    export_recipe(tmp_path / "out", tmp_path / "other.toyrecipe")
    found = diff_recipes(place / "mine.toyrecipe", tmp_path / "other.toyrecipe")
    plain = diff_recipes(place / "out", tmp_path / "out" / "recipe.parquet")

    assert not found.is_same
    assert {one.name: (one.a, one.b) for one in found.settings if one.name.startswith("parameters")} == {
        "parameters.channels": ("all", "1"),
        "parameters.seed": (0, 1),
    }
    assert not found.added
    assert len(found.removed) == 2 * 3 * 8
    assert found.moved
    assert all(" -> " in one for one in found.moved)
    assert set(found.changed) == {"noise_recording_ids", "noise_position"}
    assert found.n_compared_samples == 2 * 8
    assert all(one.startswith("snr_3db: ") for one in found.other_samples)
    assert (plain.moved, plain.removed, plain.n_compared_samples) == (found.moved, found.removed, 0)


def test_diff_tells_an_snr_that_was_changed(place, tmp_path):
    shared = read_shared_recipe(place / "mine.toyrecipe")
    rows = shared.recipe.examples.to_pylist()
    changed = [row | {"snr_db": 4.0} if row["snr_db"] is not None else row for row in rows]
    table = type(shared.recipe.examples).from_pylist(changed, schema=shared.recipe.examples.schema)
    write_shared_recipe(replace(shared, recipe=replace(shared.recipe, examples=table)), tmp_path / "b.toyrecipe")
    found = diff_recipes(place / "mine.toyrecipe", tmp_path / "b.toyrecipe")

    assert found.changed == {"snr_db": len(rows) // 2}
    assert found.changed_examples[0].endswith(": snr_db 3.0 -> 4.0")


def test_the_commands_explain_and_compare(capsys, place, tmp_path):
    file = place / "mine.toyrecipe"
    exported = toyadmos(capsys, "recipe", "export", place / "out", "-o", tmp_path / "b.toyrecipe", "--workers", "1")
    shown = toyadmos(capsys, "recipe", "show", file)
    as_json = json.loads(toyadmos(capsys, "recipe", "show", file, "--json").out)
    plain = toyadmos(capsys, "recipe", "show", place / "out" / "recipe.parquet")
    same = toyadmos(capsys, "recipe", "diff", file, tmp_path / "b.toyrecipe")
    foreign = toyadmos(capsys, "recipe", "rebuild", place / "out" / "recipe.parquet", "--out", tmp_path / "no")

    assert (exported.status, shown.status, plain.status, same.status) == (0, 0, 0, 0)
    assert "no audio" in exported.out
    assert file.read_bytes() == (tmp_path / "b.toyrecipe").read_bytes()
    assert "protocols=['basic']" in shown.out
    assert f"Render it with: toyadmos recipe rebuild {file} --source SRC --out DIR" in shown.out
    assert as_json["n_rows"] == sum(one["n_rows"] for one in as_json["counts"]) == 64
    assert "Render it with" not in plain.out
    assert same.out == "The recipes are the same, 64 examples by their samples.\n"
    assert foreign.status == 1
    hold_printed(foreign.err)
    assert not (tmp_path / "no").exists()


def test_wrong_arguments_end_with_status_2(capsys, tmp_path):
    for words in (["recipe"], ["recipe", "rebuild"], ["recipe", "export", tmp_path], ["recipe", "nothing"]):
        assert toyadmos(capsys, *words).status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_is_not_there_is_not_called_one_of_another_version(tmp_path):
    with refused(DatasetError) as caught:
        open_recipe(tmp_path / "nowhere.toyrecipe")

    assert (caught.value.where, caught.value.actual) == (str(tmp_path / "nowhere.toyrecipe"), "nothing there")
