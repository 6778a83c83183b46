"""Every option of `prepare` and `plan` means one thing, and without options there is a default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from preparing import toyadmos

from toyadmos_datasets.engine import processors
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions

TRAIN = PrepareOptions(
    plan=PlanOptions(
        toy="ToyTrain",
        protocols=("waspaa2019",),
        cases=None,
        channels=None,
        snrs_db=(),
        snr_reference="corpus",
        weighting=None,
        n_draws=1,
        as_printed=False,
        faithful=False,
        validation_share=0.0,
        calibration_share=0.0,
        balanced_test=False,
        shared_noise=False,
        max_events=None,
        seed=0,
    ),
    render=RenderOptions(
        encoding=Encoding(container="wav", bit_depth=16, rate_hz=16_000),
        headroom_db=None,
        on_clip="error",
        stems=False,
        log_mel=None,
        workers=processors(),
    ),
    source="record",
    out=Path("data/train"),
    cache=Path("the/cache"),
    skip_bad=False,
    overwrite=False,
    fetch=FetchChoices(),
    recipe=None,
)
"""What `--toy train` asks for and nothing else."""

PARTS = ("plan", "render", "fetch")

CASES: list[tuple[str, dict[str, dict[str, Any]]]] = [
    ("--toy conveyor", {"plan": {"toy": "ToyConveyor"}, "": {"out": Path("data/conveyor")}}),
    ("--source /corpus", {"": {"source": "/corpus"}}),
    ("--ignore backup --ignore *_copy.wav", {"": {"ignore": ("backup", "*_copy.wav")}}),
    ("--out here", {"": {"out": Path("here")}}),
    ("--cache there", {"": {"cache": Path("there")}}),
    ("--recipe table.csv", {"": {"recipe": Path("table.csv")}}),
    ("--skip-bad", {"": {"skip_bad": True}}),
    ("--strict", {"": {"strict": True}}),
    ("--overwrite", {"": {"overwrite": True}}),
    ("--protocol waspaa2019,basic", {"plan": {"protocols": ("waspaa2019", "basic")}}),
    ("--cases 1,3", {"plan": {"cases": (1, 3)}}),
    ("--channels all", {"plan": {"channels": "all"}}),
    ("--protocol basic --snr 6,0 --snr -6", {"plan": {"protocols": ("basic",), "snrs_db": (6.0, 0.0, -6.0)}}),
    ("--snr-reference active", {"plan": {"snr_reference": "active"}}),
    ("--weighting A", {"plan": {"weighting": "A"}}),
    ("--draws 3", {"plan": {"n_draws": 3}}),
    ("--as-printed", {"plan": {"as_printed": True}}),
    ("--faithful", {"plan": {"faithful": True}}),
    ("--validation 0.2", {"plan": {"validation_share": 0.2}}),
    ("--calibration 0.1", {"plan": {"calibration_share": 0.1}}),
    ("--balanced-test", {"plan": {"balanced_test": True}}),
    (
        "--protocol leave-one-case-out --adapt-events 2",
        {"plan": {"protocols": ("leave-one-case-out",), "adapt_events": 2}},
    ),
    (
        "--protocol noise-shift --train-snr 12 --test-snr 3,-3",
        {"plan": {"protocols": ("noise-shift",), "train_snrs_db": (12.0,), "test_snrs_db": (3.0, -3.0)}},
    ),
    ("--channels 3,1", {"plan": {"channels": "3,1"}}),
    (
        "--protocol noise-aware --supplemental-events 5",
        {"plan": {"protocols": ("noise-aware",), "supplemental_events": 5}},
    ),
    (
        "--protocol few-shot --shots 2 --unseen-parts last_carriage",
        {"plan": {"protocols": ("few-shot",), "shots": 2, "unseen_parts": ("last_carriage",)}},
    ),
    (
        "--protocol cnt-to-ind --window-s 5 --hop-s 2.5",
        {"plan": {"protocols": ("cnt-to-ind",), "window_s": 5.0, "hop_s": 2.5}},
    ),
    ("--shared-noise", {"plan": {"shared_noise": True}}),
    ("--max-events 7", {"plan": {"max_events": 7}}),
    ("--seed 9", {"plan": {"seed": 9}}),
    ("--rate 48000", {"render": {"encoding": Encoding(rate_hz=48_000)}}),
    ("--encoding flac", {"render": {"encoding": Encoding(container="flac")}}),
    ("--bit-depth 24", {"render": {"encoding": Encoding(bit_depth=24)}}),
    ("--headroom-db 12.5", {"render": {"headroom_db": 12.5}}),
    ("--on-clip count", {"render": {"on_clip": "count"}}),
    ("--stems", {"render": {"stems": True}}),
    ("--workers 3", {"render": {"workers": 3}}),
    ("--features logmel", {"render": {"log_mel": LogMel()}}),
    (
        "--features logmel --logmel-scale ln --n-fft 512 --hop 256 --n-mels 64 --fmin 50 --fmax 7000 --power 1",
        {"render": {"log_mel": LogMel(scale="ln", n_fft=512, n_hop=256, n_mels=64, fmin_hz=50, fmax_hz=7000, power=1)}},
    ),
    ("--manifest table.csv", {"fetch": {"manifest": Path("table.csv")}}),
    ("--whole", {"fetch": {"whole": True}}),
    ("--parallel 4", {"fetch": {"parallel": 4}}),
    ("--limit-rate 5M", {"fetch": {"bytes_per_s": 5_000_000}}),
    ("--no-keep-archives", {"fetch": {"keep_archives": False}}),
    ("--netrc", {"fetch": {"netrc": True}}),
    ("--no-wait", {"fetch": {"wait": False}}),
    ("--accept-license", {"fetch": {"accept_license": True}}),
]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").touch()
    monkeypatch.setenv("TOYADMOS_CACHE", "the/cache")
    for name in ("TOYADMOS_SOURCE", "TOYADMOS_MANIFEST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["prepare", "plan"])
def asked(request, capsys, monkeypatch):
    """Run a command and return what it asks for; nothing of it is done."""
    requests: list[PrepareOptions] = []

    def take(one: PrepareOptions, *_: object) -> None:
        requests.append(one)
        raise InterruptedError

    monkeypatch.setattr("toyadmos_datasets.jobs.prepare.prepare", take)
    monkeypatch.setattr("toyadmos_datasets.jobs.preview.previews", take)

    def asked_by(words: str) -> PrepareOptions:
        toy = "" if "--toy" in words else "--toy train"
        ran = toyadmos(capsys, request.param, *toy.split(), *words.split())
        assert len(requests) == 1, ran.err
        return requests[0]

    return asked_by


def test_without_options_it_is_the_papers_experiment_in_16_bit_wav_at_16_khz(asked):
    assert asked("") == TRAIN


@pytest.mark.parametrize(("words", "changes"), CASES, ids=[words for words, _ in CASES])
def test_an_option_changes_what_it_says_and_nothing_else(asked, words, changes):
    others = changes.get("plan", {}).get("protocols", ())
    expected = replace(TRAIN, **{"out": Path("data") / "-".join(["train", *others])} | changes.get("", {}))
    for part in PARTS:
        if part in changes:
            expected = replace(expected, **{part: replace(getattr(expected, part), **changes[part])})

    assert asked(words) == expected


def test_the_environment_stands_in_for_source_and_cache(asked, monkeypatch):
    monkeypatch.setenv("TOYADMOS_SOURCE", "/corpus")
    monkeypatch.setenv("TOYADMOS_CACHE", "~/kept")

    assert asked("") == replace(TRAIN, source="/corpus", cache=Path.home() / "kept")


def test_the_cache_is_by_default_in_the_cache_folder_of_the_platform(monkeypatch):
    monkeypatch.delenv("TOYADMOS_CACHE")

    assert default_cache() == Path(platformdirs.user_cache_dir("toyadmos"))
