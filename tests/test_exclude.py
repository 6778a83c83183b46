"""Events that are left out after the splits are drawn: by flag, by name, and because they cannot be mixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from preparing import hashes, options, toyadmos
from rewriting import rewritten
from tiny import TinyCorpus, only, sound_of, wav_bytes, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.corpus.names import parse_name
from toyadmos_datasets.errors import OptionError, OutputConflictError, PlanError, SilentSignalError
from toyadmos_datasets.jobs.prepare import PrepareReport, prepare
from toyadmos_datasets.jobs.rebuild import RebuildOptions, rebuild
from toyadmos_datasets.sharing import diff_recipes, export_recipe
from toyadmos_datasets.values.health import Exclusion, exclusion_of
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import read_recipe

CORPUS = TinyCorpus(n_normal=9, conditions=("ab01", "ab02"), n_anomalous=3, n_noise=4)
FILES = CORPUS.files()
ZEROS = wav_bytes(np.zeros(12_000, dtype=np.int16))

SILENT = ("normal_IND_ch{}_0002", "ab01_IND_ch{}_0001")
NEAR_SILENT = ("normal_IND_ch{}_0003", "ab02_IND_ch{}_0002")
EVENTS = {
    "silent": ["ToyTrain_case1_ab01_IND_0001", "ToyTrain_case1_normal_IND_0002"],
    "near_silent": ["ToyTrain_case1_ab02_IND_0002", "ToyTrain_case1_normal_IND_0003"],
}


def faint(seed: int) -> bytes:
    return wav_bytes(np.random.default_rng(seed).integers(-2, 3, 12_000).astype(np.int16))


def spoilt(files: dict[str, bytes] = FILES, *, channels: tuple[int, ...] = (1, 2, 3, 4)) -> dict[str, bytes]:
    """The corpus with two silent and two near-silent events, on some microphones."""
    changed = dict(files)
    for channel in channels:
        changed |= {only(files, one.format(channel)): ZEROS for one in SILENT}
        changed |= {only(files, one.format(channel)): faint(channel + 10 * n) for n, one in enumerate(NEAR_SILENT)}
    return changed


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(spoilt(), tmp_path_factory.mktemp("spoilt"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def rows(report: PrepareReport) -> dict[tuple[object, ...], dict[str, object]]:
    """All of each row, audio included, but for `health`, by config, event, draw and channel."""
    found = {}
    for shard in report.manifest.audio_shards:
        for row in pq.read_table(report.out / shard.path).to_pylist():
            key = (shard.config, row["event_id"], row["draw"], row["channel"], row["target_start"])
            found[key] = row | {"split": shard.split}
    return found


def events(report: PrepareReport) -> set[str]:
    return {str(event_id) for _, event_id, *_ in rows(report)}


NOISY = {"protocols": ("basic",), "snrs_db": (6.0, 0.0), "n_draws": 2}


@pytest.mark.parametrize("channels", ["1", "all", "mix"])
def test_what_is_left_out_is_gone_and_every_other_row_keeps_every_byte(tmp_path, tree, cache, channels):
    asked = NOISY | {"channels": channels, "cache": cache}
    whole = prepare(options(tree, tmp_path, out=tmp_path / "whole", **asked))

    less = prepare(options(tree, tmp_path, exclude=exclusion_of(["near_silent", "silent"]), **asked))

    gone = {*EVENTS["silent"], *EVENTS["near_silent"]}
    assert rows(less) == {key: row for key, row in rows(whole).items() if key[1] not in gone}
    assert events(whole) - events(less) == gone
    assert less.manifest.headroom_db == whole.manifest.headroom_db


def test_an_event_is_left_out_for_any_microphone_that_is_used(tmp_path, cache):
    tree = write_tree(spoilt(channels=(3,)), tmp_path / "tree")
    asked = {"protocols": ("basic",), "exclude": Exclusion(flags=("near_silent",)), "cache": cache}

    of_all = prepare(options(tree, tmp_path, channels="all", out=tmp_path / "all", **asked))
    of_one = prepare(options(tree, tmp_path, channels="1", out=tmp_path / "one", **asked))

    assert not events(of_all) & set(EVENTS["near_silent"])
    assert events(of_one) >= set(EVENTS["near_silent"])


def test_windows_of_a_continuous_recording_are_left_out_one_by_one(tmp_path, cache):
    name = parse_name("3100010001_ToyTrain_case1_normal_CNT_ch1_0001.wav")
    sound = np.tile(sound_of(name, 2.0), 4)
    sound[2 * 96_000 : 3 * 96_000] = 0
    files = FILES | {name.member: wav_bytes(sound)}
    asked = {"protocols": ("cnt-to-ind",), "channels": "1", "window_s": 1.0, "cache": cache}
    tree = write_tree(files, tmp_path / "tree")
    whole = prepare(options(tree, tmp_path, out=tmp_path / "whole", **asked))

    less = prepare(options(tree, tmp_path, exclude=Exclusion(flags=("silent",)), **asked))

    gone = set(rows(whole)) - set(rows(less))
    assert gone == {key for key, row in rows(whole).items() if row["health"] == ["silent"]}
    assert rows(less) == {key: row for key, row in rows(whole).items() if key not in gone}


@pytest.mark.parametrize(
    "line",
    [
        "ToyTrain_case1_normal_IND_0004",
        "3100014004_ToyTrain_case1_normal_IND_ch4_0004  # a knock",
        "/data/x/3100011004_ToyTrain_case1_normal_IND_ch1_0004.wav",
    ],
)
def test_a_file_names_events_or_recordings(tmp_path, tree, cache, line):
    (member,) = [one for one in FILES if "normal_IND_ch1_0004" in one]
    recording = Path(member).stem
    text = line.replace("3100011004", recording[:10]).replace("3100014004", recording[:5] + "4" + recording[6:10])
    (tmp_path / "bad.txt").write_text(f"# heard by ear\n\n{text}\n", "utf-8")
    exclusion = exclusion_of([str(tmp_path / "bad.txt")])
    channels = "all"

    report = prepare(options(tree, tmp_path, protocols=("basic",), channels=channels, exclude=exclusion, cache=cache))

    assert "ToyTrain_case1_normal_IND_0004" not in events(report)
    assert len(events(report)) == 9 + 6 - 1


def test_a_name_that_is_not_in_the_dataset_is_a_note(tmp_path, tree, cache):
    exclusion = Exclusion(ids=("ToyTrain_case3_normal_IND_0004", "ToyTrain_case1_normal_IND_0004"))

    report = prepare(options(tree, tmp_path, protocols=("basic",), exclude=exclusion, cache=cache))

    said = "1 of the 2 names of --exclude are not in this dataset: ToyTrain_case3_normal_IND_0004"
    assert said in (report.out / "README.md").read_text("utf-8")
    assert said in read_recipe(report.out / "recipe.parquet").notes


def test_a_noise_recording_that_a_file_names_takes_the_events_that_hear_it(tmp_path, tree, cache):
    plain = prepare(options(tree, tmp_path, out=tmp_path / "whole", cache=cache, channels="1"))
    noise = next(row["noise_recording_ids"][0] for row in rows(plain).values() if row["split"] == "train")

    report = prepare(options(tree, tmp_path, exclude=Exclusion(ids=(noise,)), cache=cache, channels="1"))

    hear_it = {key[1] for key, row in rows(plain).items() if noise in row["noise_recording_ids"]}
    assert events(report) == events(plain) - hear_it


# --- what is written down


@pytest.fixture(scope="module")
def excluded(tmp_path_factory, tree, cache) -> PrepareReport:
    place = tmp_path_factory.mktemp("excluded")
    return prepare(options(tree, place, exclude=exclusion_of(["near_silent,silent"]), cache=cache, **NOISY))


def test_the_recipe_marks_what_was_left_out_and_hashes_it(excluded):
    recipe = read_recipe(excluded.out / "recipe.parquet")
    table = pq.read_table(excluded.out / "recipe.parquet")

    marked = table.filter(table["is_excluded"])
    assert set(recipe.excluded["event_id"].to_pylist()) == {*EVENTS["silent"], *EVENTS["near_silent"]}
    assert marked["event_id"].to_pylist() == recipe.excluded["event_id"].to_pylist()
    assert len(table) == len(recipe.examples) + len(recipe.excluded) == len(recipe.planned)
    without = type(recipe)(examples=recipe.examples, parameters=recipe.parameters)
    assert recipe.sha256 != without.sha256
    assert "4 events (20 clips) were left out after the splits were drawn: silent 2, near_silent 2." in recipe.notes


def test_the_manifest_says_what_was_asked_for_and_how_many_are_left_out(excluded):
    manifest = read_manifest(excluded.out)

    assert manifest.request["exclude"] == {"flags": ["silent", "near_silent"]}
    assert (manifest.health.n_left_out_events, manifest.health.n_left_out_clips) == (4, 20)
    assert manifest.health.counts == ()


def test_other_exclusions_into_the_same_folder_are_refused_and_names_count_by_their_content(tmp_path, tree, cache):
    asked = {"protocols": ("basic",), "cache": cache}
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("ToyTrain_case1_normal_IND_0004\n")
    prepare(options(tree, tmp_path, exclude=exclusion_of([str(tmp_path / "a.txt")]), **asked))

    again = prepare(options(tree, tmp_path, exclude=exclusion_of([str(tmp_path / "b.txt")]), **asked))
    with pytest.raises(OutputConflictError):
        prepare(options(tree, tmp_path, **asked))

    assert again.was_done


def test_a_shared_recipe_gives_the_same_bytes_again(tmp_path, excluded, tree, cache):
    shared = export_recipe(excluded.out, tmp_path / "a.toyrecipe")

    report = rebuild(
        RebuildOptions(file=tmp_path / "a.toyrecipe", source=str(tree), out=tmp_path / "again", cache=cache)
    )

    assert report.is_same
    assert report.prepared.manifest.recipe_sha256 == shared.recipe.sha256
    assert report.prepared.manifest.health == excluded.manifest.health
    data = [
        {name: one for name, one in hashes(out).items() if name.startswith("data/")}
        for out in (tmp_path / "again", excluded.out)
    ]
    assert data[0] == data[1]
    assert diff_recipes(tmp_path / "a.toyrecipe", excluded.out).is_same


def test_a_recipe_of_ones_own_can_have_more_left_out(tmp_path, excluded, tree, cache):
    report = prepare(
        options(
            tree,
            tmp_path,
            recipe=excluded.out / "recipe.parquet",
            exclude=Exclusion(ids=("ToyTrain_case1_normal_IND_0004",)),
            cache=cache,
        )
    )

    before = rows(excluded)
    assert rows(report) == {key: row for key, row in before.items() if key[1] != "ToyTrain_case1_normal_IND_0004"}
    assert report.manifest.health.n_left_out_events == 5


def test_a_table_of_ones_own_says_itself_what_is_left_out(tmp_path, excluded, tree, cache):
    table = pq.read_table(excluded.out / "recipe.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "mine.parquet")

    report = prepare(options(tree, tmp_path, recipe=tmp_path / "mine.parquet", cache=cache))

    assert rows(report) == rows(excluded)
    pq.write_table(table.filter(table["is_excluded"]), tmp_path / "mine.parquet")
    with refused(PlanError):
        prepare(options(tree, tmp_path, out=tmp_path / "none", recipe=tmp_path / "mine.parquet", cache=cache))


def test_a_tree_and_volumes_have_the_same_shards_and_recipe(tmp_path, excluded):
    volumes = write_volumes(spoilt(), tmp_path / "volumes")

    report = prepare(options(volumes, tmp_path, exclude=exclusion_of(["near_silent,silent"]), **NOISY))

    assert report.manifest.recipe_sha256 == excluded.manifest.recipe_sha256
    assert [one.sha256 for one in report.manifest.shards] == [one.sha256 for one in excluded.manifest.shards]


@pytest.mark.parametrize("stems", [False, True])
@pytest.mark.parametrize("flags", ["near_silent,silent", "near_silent"])
def test_an_audit_finds_the_snr_that_was_asked_for_beside_what_is_left_out_or_silent(
    tmp_path, tree, cache, stems, flags
):
    asked = options(tree, tmp_path, exclude=exclusion_of([flags]), stems=stems, cache=cache, **NOISY)

    report = audit(prepare(asked).out)

    assert {one.requested_db for one in report.snrs} == {0.0, 6.0}
    assert all(one.largest_error_db < 0.01 for one in report.snrs)
    assert not [one.what for one in report.findings if "SNR" in one.what]


def test_an_snr_that_is_not_there_is_found_beside_what_is_left_out(tmp_path, excluded):
    def change(here, some):
        return [one | {"snr_achieved_db": one["snr_achieved_db"] + 0.03} if one["snr_db"] else one for one in some]

    report = audit(rewritten(excluded.out, tmp_path / "copy", change))

    assert any("The achieved SNR is not what was asked for" in one.what for one in report.findings)


# --- what cannot be left out


def test_a_class_of_which_nothing_is_left_is_an_error_that_says_what_took_it(tmp_path, cache):
    zeros = {one: ZEROS for one in FILES if "_ab0" in one}
    tree = write_tree(FILES | zeros, tmp_path / "tree")

    with refused(PlanError) as caught:
        prepare(options(tree, tmp_path, protocols=("basic",), exclude=Exclusion(flags=("silent",)), cache=cache))

    assert caught.value.where == "config clean, split test"
    assert caught.value.expected == "at least one of 6 clips"
    assert caught.value.actual == "all left out, by events: silent 6"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("near-silent", "Did you mean: --exclude near_silent"),
        ("clipping", "Did you mean: --exclude clipped"),
        ("nothing.txt", "For instance: --exclude near_silent,clipped"),
    ],
)
def test_an_unknown_flag_is_an_error_that_lists_the_known_ones(capsys, tmp_path, typed, remedy):
    with refused(OptionError) as caught:
        exclusion_of(["silent", typed])
    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", tmp_path, "--exclude", typed)

    assert caught.value.remedy == remedy
    assert "silent, near_silent, clipped, dc, dropout, duplicate, short, long" in caught.value.expected
    assert ran.status == 2
    assert remedy in ran.err


@pytest.mark.parametrize(
    ("text", "actual"), [("near_silent\n", "'near_silent'"), ("# nobody\n", "no line with a name")]
)
def test_a_file_that_names_nothing_is_an_error(tmp_path, text, actual):
    (tmp_path / "bad.txt").write_text(text)

    with refused(OptionError) as caught:
        exclusion_of([str(tmp_path / "bad.txt")])

    assert caught.value.actual == actual


def test_flags_and_files_can_be_mixed_in_any_order():
    assert exclusion_of(["clipped, silent", "near_silent"]) == exclusion_of(["near_silent,silent,clipped"])
    assert exclusion_of([]) == Exclusion()
    assert not Exclusion()


# --- silence


ALL_FIXED = [
    {"protocols": ("waspaa2019",)},
    {"protocols": ("waspaa2019",), "as_printed": True},
    {"protocols": ("basic",), "snrs_db": (6.0,)},
    {"protocols": ("few-shot",)},
    {"protocols": ("noise-shift",)},
]


@pytest.mark.parametrize("asked", ALL_FIXED, ids=lambda asked: "-".join(map(str, asked.values())))
def test_zeros_stop_no_protocol_whose_ratios_exist(tmp_path, tree, cache, asked):
    report = prepare(options(tree, tmp_path, cache=cache, **asked))

    assert events(report) >= set(EVENTS["silent"])
    silent = [row for row in rows(report).values() if "silent" in row["health"]]
    assert {row["snr_achieved_db"] for row in silent} == {None}
    assert not [one.what for one in audit(report.out).findings if one.severity == "leak" or "SNR" in one.what]


RATIOS = [("clip", None), ("active", None), ("clip", "A"), ("active", "A")]


@pytest.mark.parametrize(("reference", "weighting"), RATIOS)
def test_where_a_ratio_does_not_exist_the_error_names_what_leaves_it_out_and_both_do(
    tmp_path, tree, cache, reference, weighting
):
    asked = {"protocols": ("basic",), "snrs_db": (6.0,), "snr_reference": reference, "weighting": weighting}
    asked |= {"cache": cache, "channels": "mix"}

    with pytest.raises(SilentSignalError) as caught:
        prepare(options(tree, tmp_path, **asked))
    excluded = prepare(options(tree, tmp_path, out=tmp_path / "a", exclude=Exclusion(flags=("silent",)), **asked))
    skipped = prepare(options(tree, tmp_path, out=tmp_path / "b", skip_bad=True, **asked))

    assert "--exclude silent" in caught.value.remedy
    assert "--skip-bad" in caught.value.remedy
    assert rows(excluded) == rows(skipped)
    assert events(excluded).isdisjoint(EVENTS["silent"])
    assert excluded.manifest.skipped == ()
    reasons = {one.member: one.reason for one in skipped.manifest.skipped}
    assert set(reasons) == {only(FILES, one.format(1)) for one in SILENT}
    assert all(reason.startswith("The target of a mixture is digital silence. (") for reason in reasons.values())


@pytest.mark.parametrize("reference", ["corpus", "clip", "active"])
def test_a_noise_of_zeros_is_left_out_with_the_events_that_hear_it(tmp_path, reference):
    noises = [one for one in FILES if "noise_CNT_ch1" in one]
    tree = write_tree(FILES | {noises[0]: wav_bytes(np.zeros(24_000, dtype=np.int16))}, tmp_path / "tree")
    asked = {"protocols": ("basic",), "snrs_db": (6.0,), "snr_reference": reference, "channels": "1", "n_draws": 2}

    with refused(SilentSignalError) as caught:
        prepare(options(tree, tmp_path, **asked))
    excluded = prepare(options(tree, tmp_path, out=tmp_path / "a", exclude=Exclusion(flags=("silent",)), **asked))
    skipped = prepare(options(tree, tmp_path, out=tmp_path / "b", skip_bad=True, **asked))

    assert "--exclude silent" in caught.value.remedy
    assert rows(excluded) == rows(skipped)
    heard = {one for row in rows(excluded).values() for one in row["noise_recording_ids"]}
    assert Path(noises[0]).stem not in heard
    assert heard
    assert all(Path(noises[0]).stem in one.reason for one in skipped.manifest.skipped)


def test_normal_clips_of_zeros_leave_no_level_to_be_relative_to(tmp_path):
    corpus = TinyCorpus(cases=(1, 2), n_normal=4, conditions=("ab01",), n_noise=4)
    files = corpus.files()
    zeros = {one: ZEROS for one in files if "case1_normal_IND" in one}
    tree = write_tree(files | zeros, tmp_path / "tree")
    asked = {"protocols": ("basic",), "snrs_db": (6.0,), "channels": "1"}

    with refused(SilentSignalError) as caught:
        prepare(options(tree, tmp_path, **asked))
    for out, more in (("a", {"exclude": Exclusion(flags=("silent",))}), ("b", {"skip_bad": True})):
        report = prepare(options(tree, tmp_path, out=tmp_path / out, **asked, **more))
        assert {row["case"] for row in rows(report).values()} == {2}

    assert caught.value.where == "config snr_6db, case 1, channel 1"


def test_features_of_silence_are_made_like_any_other(tmp_path, tree, cache, capsys):
    arguments = [
        "--toy",
        "train",
        "--source",
        tree,
        "--cache",
        cache,
        "--out",
        tmp_path / "out",
        "--features",
        "logmel",
    ]

    ran = toyadmos(capsys, "prepare", *arguments, "--protocol", "basic", "--rate", "48000")

    assert ran.status == 0, ran.err
    manifest = read_manifest(tmp_path / "out")
    tables = [pq.read_table(tmp_path / "out" / one.path) for one in manifest.shards if one.config == "clean_logmel"]
    found = pa.concat_tables(tables)
    silent = found.filter(pa.array(["silent" in one for one in found["health"].to_pylist()]))
    assert len(silent) == 2
    assert np.isfinite(np.concatenate([np.ravel(one) for one in silent["logmel"].to_pylist()])).all()


# --- what is told


def test_prepare_tells_what_there_is_and_what_would_leave_it_out(tmp_path, tree, cache, capsys):
    arguments = ["--toy", "train", "--source", tree, "--cache", cache, "--protocol", "basic", "--snr", "6"]

    ran = toyadmos(capsys, "prepare", *arguments, "--out", tmp_path / "a")
    again = toyadmos(capsys, "prepare", *arguments, "--out", tmp_path / "a")
    option = "--exclude silent,near_silent"
    less = toyadmos(capsys, "prepare", *arguments, "--out", tmp_path / "b", *option.split())
    as_json = json.loads(
        toyadmos(capsys, "prepare", *arguments, "--out", tmp_path / "b", *option.split(), "--json").out
    )

    lines = [
        "Health: 2 events silent (normal 1, ab01 1); 2 events near_silent (normal 1, ab02 1).",
        f"        {option} would leave out 4 events, 8 of 30 clips, and change no other.",
    ]
    assert "\n".join(lines) in ran.out
    assert "\n".join(lines) in again.out
    assert "Health: nothing is odd about any clip.\n        4 events (8 clips) left out." in less.out
    assert as_json["manifest"]["health"]["n_left_out_events"] == 4


def test_plan_tells_what_the_cache_knows_and_that_it_does_not_know_the_rest(tmp_path, tree, cache, capsys):
    arguments = ["--toy", "train", "--source", tree, "--protocol", "basic", "--out", tmp_path / "out"]
    asked = {"protocols": ("basic",), "channels": "1"}
    prepare(options(tree, tmp_path, out=tmp_path / "a", max_events=2, cache=tmp_path / "some", **asked))
    prepare(options(tree, tmp_path, out=tmp_path / "b", cache=cache, **asked))

    unknown = toyadmos(capsys, "plan", *arguments, "--cache", tmp_path / "none")
    some = toyadmos(capsys, "plan", *arguments, "--cache", tmp_path / "some")
    known = toyadmos(capsys, "plan", *arguments, "--cache", cache)
    less = toyadmos(capsys, "plan", *arguments, "--cache", cache, "--exclude", "silent")

    assert "health      not measured: their recordings are not in the cache" in unknown.out
    assert "of 15 clips not measured" in some.out
    assert "health      2 events silent (normal 1, ab01 1); 2 events near_silent (normal 1, ab02 1)." in known.out
    assert "--exclude silent,near_silent would leave out 4 events, 4 of 15 clips" in known.out
    assert "not measured" not in known.out
    assert "2 events (2 clips) left out." in less.out
    assert "Adding near_silent to --exclude would leave out 2 events, 2 of 13 clips" in less.out
    assert not (tmp_path / "none").exists()


def test_the_card_counts_flags_by_label_and_condition(tmp_path, tree, cache):
    report = prepare(options(tree, tmp_path, protocols=("basic",), cache=cache))
    text = (report.out / "README.md").read_text("utf-8").split("## Health\n")[1].split("\n## ")[0]

    assert "| silent | normal | normal | 1 | 1 |" in text
    assert "| near_silent | anomalous | ab02 | 1 | 1 |" in text
    assert "`--exclude silent,near_silent` leaves them out, 4 of 15 clips, and changes no other clip." in text


def test_the_card_says_what_is_left_out(excluded):
    text = (excluded.out / "README.md").read_text("utf-8")

    assert "Nothing is odd about any clip" in text
    assert "Left out already: 20 clips of 4 events" in text
    assert "4 events (20 clips) were left out after the splits were drawn: silent 2, near_silent 2." in text
