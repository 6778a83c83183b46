"""The laws of every protocol, over random small sources: splits that keep them, or an error that helps."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import SEEDS, event_of, index_of
from tiny import TinyCorpus

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.planning import PROTOCOLS, EqualEvents, PlanOptions, plan
from toyadmos_datasets.values.index import ACTIVITY_SCHEMA
from toyadmos_datasets.values.recipe import Recipe

ANOMALIES_IN = {"test", "support"}
ASKED: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "waspaa2019": st.fixed_dictionaries({"as_printed": st.booleans()}),
    "basic": st.fixed_dictionaries({"snrs_db": st.just((6.0, -6.0))}),
    "leave-one-case-out": st.fixed_dictionaries({"snrs_db": st.just((0.0,)), "adapt_events": st.integers(0, 2)}),
    "noise-shift": st.fixed_dictionaries({"train_snrs_db": st.just((6.0, 12.0))}),
    "noise-aware": st.fixed_dictionaries(
        {
            "test_snrs_db": st.just((-3.0, -9.0)),
            "supplemental_events": st.sampled_from([None, 0, 1]),
            "channels": st.sampled_from([None, "1,3", "4,2,1", "stack"]),
        }
    ),
    "few-shot": st.fixed_dictionaries({"snrs_db": st.just((0.0,)), "shots": st.integers(1, 2)}),
    "cnt-to-ind": st.fixed_dictionaries({"snrs_db": st.just((0.0,)), "window_s": st.just(2.0), "hop_s": st.just(1.5)}),
    "dcase2020": st.fixed_dictionaries({"snrs_db": st.just((0.0,))}),
}
NAMES = [protocol.name for protocol in PROTOCOLS]


@st.composite
def sources(draw: st.DrawFn, toy: str) -> list[RecordingName]:
    """Names of a small source: sometimes with one case, one event, one noise recording, or missing microphones."""
    cases = draw(st.sampled_from([(1,), (1, 2), (1, 2, 3)]))
    names = TinyCorpus(
        toy=toy,
        cases=cases,
        n_normal=draw(st.integers(1, 7)),
        conditions=draw(st.sampled_from([(), ("ab01",), ("ab01", "ab03", "ab05")])),
        n_anomalous=draw(st.integers(1, 3)),
        n_noise=draw(st.integers(0, 5)),
    ).names()
    names += [
        RecordingName(toy=toy, case=case, condition="normal", recording_type="CNT", channel=channel, take=take)
        for case in cases
        for take in range(1, draw(st.integers(0, 2)) + 1)
        for channel in (1, 2, 3, 4)
    ]
    missing = draw(st.sets(st.integers(0, len(names) - 1), max_size=draw(st.sampled_from([0, 0, 3]))))
    return [name for place, name in enumerate(names) if place not in missing]


def choices(protocol: str) -> st.SearchStrategy[dict[str, Any]]:
    common = st.fixed_dictionaries(
        {
            "channels": st.sampled_from([None, "1", "mix", "3,1", "stack", "all"]),
            "n_draws": st.sampled_from([1, 3]),
            "max_events": st.sampled_from([None, None, 2]),
            "validation_share": st.sampled_from([0.0, 0.3]),
            "calibration_share": st.sampled_from([0.0, 0.0, 0.2]),
            "balanced_test": st.booleans(),
            "seed": SEEDS,
        }
    )
    return st.tuples(common, ASKED[protocol]).map(lambda both: both[0] | both[1])


def toy_of(protocol: str) -> st.SearchStrategy[str]:
    return st.sampled_from(next(one.toys for one in PROTOCOLS if one.name == protocol))


def activity_in(index: pa.Table, seed: int) -> pa.Table:
    """Make up two runs for every continuous recording, the same on all its microphones."""
    ids = sorted(one for one in index["recording_id"].to_pylist() if "_normal_CNT_" in one)
    rows = []
    for recording_id in ids:
        first, second = np.random.default_rng([seed, sum(event_of(recording_id).encode())]).integers(1, 5, 2) * 48_000
        rows += [(recording_id, 0, int(first)), (recording_id, 300_000, 300_000 + int(second))]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]
    return pa.table(columns, schema=ACTIVITY_SCHEMA)


@pytest.mark.parametrize("protocol", NAMES)
@settings(max_examples=30)
@given(st.data())
def test_a_protocol_keeps_its_laws_or_says_why_it_cannot(protocol, data):
    names = data.draw(toy_of(protocol).flatmap(sources))
    asked = {"toy": names[0].toy, "protocols": (protocol,)} | data.draw(choices(protocol))
    index = index_of(names, n_bytes=44 + 2 * 480_000)
    activity = activity_in(index, asked["seed"])
    joined = data.draw(same_sounds(names))
    recipe = planned_or_refused(index, PlanOptions(**asked), activity, joined)

    if isinstance(recipe, PlanError):
        assert recipe.where
        assert recipe.remedy
        return
    require_disjoint_splits(recipe, joined)
    require_whole(recipe, index, asked)
    require_quick_look(recipe, asked["max_events"])
    require_balance(recipe, asked)
    require_noise_of_the_same_microphones(recipe)
    order = np.random.default_rng(asked["seed"]).permutation(len(index))
    backwards = activity.take(np.arange(len(activity))[::-1])
    shuffled = plan(index.take(order), PlanOptions(**asked), activity=backwards, joined=joined)
    assert shuffled.sha256 == recipe.sha256


@st.composite
def same_sounds(draw: st.DrawFn, names: list[RecordingName]) -> EqualEvents:
    """Sometimes join a few events of machines, of any label and case, and a few of noise."""
    pairs = []
    for is_noise in (False, True):
        events = sorted({name.event_id for name in names if (name.sound == "noise") == is_noise})
        if len(events) > 1:
            one = st.sampled_from(events)
            pairs += draw(st.lists(st.tuples(one, one), max_size=draw(st.sampled_from([0, 3]))))
    return EqualEvents().with_pairs(pairs)


def planned_or_refused(
    index: pa.Table, options: PlanOptions, activity: pa.Table, joined: EqualEvents
) -> Recipe | PlanError:
    try:
        return plan(index, options, activity=activity, joined=joined)
    except PlanError as error:
        return error


def require_disjoint_splits(recipe: Recipe, joined: EqualEvents) -> None:
    """No event, no take of noise and no sound is in two splits of a config, and no split is empty."""
    group = {event: events[0] for events in joined.groups for event in events}
    sides: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in recipe.examples.select(["config", "split", "event_id", "noise_recording_ids"]).to_pylist():
        sides[row["config"], "event", group.get(row["event_id"], row["event_id"])].add(row["split"])
        for noise in map(event_of, row["noise_recording_ids"]):
            sides[row["config"], "noise", group.get(noise, noise)].add(row["split"])
            sides[row["config"], "take", noise.split("_")[-1]].add(row["split"])
    assert {key: splits for key, splits in sides.items() if len(splits) > 1} == {}
    for config in recipe.configs:
        of_config = recipe.examples.filter(pc.equal(recipe.examples["config"], config))
        assert {"train", "test"} <= set(of_config["split"].to_pylist())


def require_quick_look(recipe: Recipe, max_events: int | None) -> None:
    """No split has more events of a case and label than a quick look may have."""
    events: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in recipe.examples.to_pylist():
        events[row["config"], row["split"], row["case"], row["label"]].add(row["event_id"])
    assert max_events is None or max(map(len, events.values())) <= max_events


def require_balance(recipe: Recipe, asked: dict[str, Any]) -> None:
    """A balanced test has as many normal as anomalous events of each case; what is asked for is held out."""
    events: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    rows = recipe.examples.to_pylist()
    for row in rows:
        events[row["config"], row["case"], row["label"]].add(row["event_id"] if row["split"] == "test" else "")
    if asked["balanced_test"]:
        sizes = {key: len(found - {""}) for key, found in events.items()}
        pairs = {key[:2] for key in sizes}
        assert all(sizes.get((*pair, "normal"), 0) == sizes.get((*pair, "anomalous"), 0) for pair in pairs)
    held_out = {name for name in ("validation", "calibration") if asked[f"{name}_share"]}
    assert {row["split"] for row in rows} & {"validation", "calibration"} == held_out


def require_whole(recipe: Recipe, index: pa.Table, asked: dict[str, Any]) -> None:
    """Each event is there with as many rows as it should, anomalies are not trained on, no row stands twice."""
    rows = recipe.examples.to_pylist()
    keys = [
        tuple(row[name] for name in ("config", "split", "event_id", "target_start", "draw", "channel")) for row in rows
    ]
    assert len(set(keys)) == len(keys)
    assert {row["split"] for row in rows if row["label"] == "anomalous"} <= ANOMALIES_IN
    if asked["max_events"] is not None or asked["balanced_test"] or asked["protocols"] == ("cnt-to-ind",):
        return
    cases = {row["case"] for row in rows}
    known = index.filter(pc.is_in(index["case"], value_set=pa.array(sorted(cases), pa.int8())))
    known = known.filter(pc.and_(pc.equal(known["recording_type"], "IND"), pc.not_equal(known["sound"], "noise")))
    channels = {row["channel"] for row in rows}
    heard = (
        known
        if 0 in channels
        else known.filter(pc.is_in(known["channel"], value_set=pa.array(sorted(channels), pa.int8())))
    )
    for config in recipe.configs:
        assert {row["event_id"] for row in rows if row["config"] == config} == set(heard["event_id"].to_pylist())


def require_noise_of_the_same_microphones(recipe: Recipe) -> None:
    """Noise is of the target's microphones and case, the same stretch for all channels of an event's draw."""
    stretches: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
    for row in recipe.examples.to_pylist():
        noise = row["noise_recording_ids"]
        assert (row["noise_position"] is None) == (not noise)
        if noise:
            microphones = [[one.split("_")[-2] for one in ids] for ids in (row["recording_ids"], noise)]
            assert microphones[0] == microphones[1]
            assert f"_case{row['case']}_" in noise[0] or "_caseAll_" in noise[0]
            key = row["config"], row["event_id"], row["target_start"], row["draw"]
            stretches[key].add((event_of(noise[0]), row["noise_position"]))
    assert all(len(found) == 1 for found in stretches.values())


@pytest.mark.parametrize("protocol", NAMES)
def test_another_seed_draws_otherwise(protocol):
    toy = next(one.toys[0] for one in PROTOCOLS if one.name == protocol)
    corpus = TinyCorpus(toy=toy, cases=(1, 2), n_normal=12, n_anomalous=4, n_noise=6).names()
    corpus += [
        RecordingName(toy=toy, case=case, condition="normal", recording_type="CNT", channel=channel, take=1)
        for case in (1, 2)
        for channel in (1, 2, 3, 4)
    ]
    index = index_of(corpus, n_bytes=44 + 2 * 48_000 * 30)
    snrs = {"snrs_db": (0.0,)} if protocol in options_of(PlanOptions)["snrs_db"].protocols else {}

    recipes = [plan(index, PlanOptions(toy=toy, protocols=(protocol,), seed=seed, **snrs)) for seed in (1, 2)]

    drawn = [
        recipe.examples.select(["split", "event_id", "noise_recording_ids", "noise_position"]) for recipe in recipes
    ]
    assert not drawn[0].equals(drawn[1])
