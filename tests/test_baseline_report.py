"""Reports and comparisons: what stands in them, that nothing is fetched, and that Chromium has no complaint."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baselines import EVALUATION, NO_TORCH
from chromium import CHROMIUM, NO_CHROMIUM, PLAY_ALL, Tab, chromium
from preparing import options, toyadmos
from wording import hold_printed, refused

pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.baseline.band_errors import band_errors
from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.reports.audit_page import write_audit_page
from toyadmos_datasets.reports.band_section import band_section
from toyadmos_datasets.reports.dataset_report import report_dataset
from toyadmos_datasets.reports.reported_run import read_evaluated
from toyadmos_datasets.reports.run_report import report_run
from toyadmos_datasets.reports.runs_page import report_runs
from toyadmos_datasets.runs.comparison import compare
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import read_scores
from toyadmos_datasets.runs.run_folder import read_run
from toyadmos_datasets.runs.trainer import load_detector
from toyadmos_datasets.values.manifest import read_manifest, write_manifest

PNG, PDF = b"\x89PNG", b"%PDF"
OF_PAGE = {"run": "trained", "dataset": "simulated_train"}


class Page(HTMLParser):
    """Collects what a page consists of."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += f"{data}\n"

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def run_page(trained, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report") / "run.html"
    report_run(trained, out)
    return out


@pytest.fixture(scope="module")
def dataset_page(simulated_train, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("report") / "dataset.html"
    report_dataset(simulated_train, out)
    return out


@pytest.fixture(params=["run_page", "dataset_page"])
def page(request) -> Path:
    return request.getfixturevalue(request.param)


def test_a_page_fetches_nothing_and_runs_nothing(page):
    found = Page(page)

    assert not found.all("script")
    links = [
        value
        for _, attributes in found.tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "poster", "action"}
    ]
    assert links
    ids = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    assert all(link.startswith("data:") or link.removeprefix("#") in ids for link in links)
    assert "url(" not in page.read_text(encoding="utf-8")
    assert "default-src 'none'" in page.read_text(encoding="utf-8")


def test_every_picture_and_player_has_a_text(page):
    found = Page(page)

    assert all(one["alt"] for one in found.all("img"))
    assert all(one["aria-label"] and one["role"] == "img" for one in found.all("svg"))
    assert found.all("audio")
    assert all(one["aria-label"] for one in found.all("audio"))


def test_a_runs_page_says_what_was_trained_and_how_well_it_does(run_page, trained):
    text = Page(run_page).text
    run = json.loads((trained / "run.json").read_text())
    metrics = json.loads((trained / EVALUATION / "metrics.json").read_text())

    assert run["recipe_sha256"] in text
    assert f"{metrics['auc']['value']:.3f} [{metrics['auc']['low']:.3f}, {metrics['auc']['high']:.3f}]" in text
    assert "SIMULATED" in text
    assert f"torch {run['versions']['torch']}" in text
    assert "epochs = 60" in text


def test_the_worst_clips_of_a_runs_page_are_the_worst(run_page, trained):
    rows = read_scores(trained).to_pylist()
    lowest = min((row for row in rows if row["label"] == 1), key=lambda row: row["score"])
    alternatives = [one["alt"] for one in Page(run_page).all("img")]

    assert lowest["event_id"] in alternatives[0]
    assert len(Page(run_page).all("audio")) == len(alternatives) == 16


def test_a_clip_of_a_page_stands_beside_one_of_the_other_label_and_the_same_case(run_page, dataset_page):
    for page in (run_page, dataset_page):
        told = [
            (attributes["alt"].partition("_IND_")[0].rpartition("_")[0], "_normal_" in attributes["alt"])
            for attributes in Page(page).all("img")
        ]

        assert len(told) % 2 == 0
        assert all(
            (case, is_normal) == (other, not is_other)
            for (case, is_normal), (other, is_other) in zip(told[::2], told[1::2], strict=True)
        )


def test_a_page_begins_with_verdict_totals_date_commands_and_contents(page, request):
    found, html = Page(page), page.read_text(encoding="utf-8")
    top = html.partition("<section")[0]

    assert 'class="verdict"' in top
    assert re.search(r"Made \d{4}-\d\d-\d\d \d\d:\d\d UTC by toyadmos-datasets \d", top)
    assert f"toyadmos report {request.getfixturevalue(OF_PAGE[page.stem])}" in top
    contents = [one["href"].removeprefix("#") for one in found.all("a") if one["href"].startswith("#")]
    assert contents == [one["id"] for one in found.all("section")]


def test_every_spectrogram_has_axes_and_a_bar_of_colours(page):
    found, html = Page(page), page.read_text(encoding="utf-8")
    n_pictures = len(found.all("img"))

    assert n_pictures > 0
    assert html.count(">time, s</text>") == html.count(">mel bands, kHz</text>") == n_pictures
    assert html.count("linear-gradient(to top, #000003") == n_pictures
    assert html.count(">dB</text>") == n_pictures


def test_the_tables_of_a_page_are_files_for_papers_on_it_and_by_the_command_line(trained, tmp_path, capsys):
    ran = toyadmos(capsys, "report", trained, "-o", tmp_path / "r.html", "--no-audio", "--tables", tmp_path / "tables")
    links = {one["download"]: one["href"] for one in Page(tmp_path / "r.html").all("a") if "download" in one}
    written = {path.name: path.read_bytes() for path in (tmp_path / "tables").iterdir()}

    assert ran.status == 0, ran.err
    assert {name: base64.b64decode(address.partition(",")[2]) for name, address in links.items()} == written
    rows = list(csv.DictReader(written["thresholds.csv"].decode().splitlines()))
    assert [row["FPR at most"] for row in rows] == ["1%", "5%", "10%"]
    metrics = json.loads((trained / EVALUATION / "metrics.json").read_text())
    assert float(rows[2]["F1, low"]) == metrics["f1"]["low"] == metrics["operating_points"][2]["f1"]["low"]
    assert written["by-condition.tex"].startswith(rb"\begin{tabular}{llrrrrr}")


def test_the_residual_by_band_is_where_the_damage_sounds(trained):
    found = band_section(read_evaluated(trained))
    ratios_db = [float(row[-1]) for row in found.table.rows]

    assert [row[0] for row in found.table.rows] == ["ab01", "ab02", "ab12", "ab42"]
    assert min(ratios_db) > 3


def test_the_errors_of_the_bands_add_up_to_those_of_the_frames(trained):
    detector = load_detector(trained, device="cpu")
    clips = [
        decoded(row["audio"], 16_000) for row, _ in zip(read_run(trained).split("test").rows(), "ab", strict=False)
    ]
    by_band = band_errors(detector, clips)
    by_frame = detector.scored(frames_of(clips, detector.preset)).frame_scores

    # The paper's error of a frame is the sum over its bands, a mean over the stacked frames.
    assert by_band.sum(axis=1) == pytest.approx([one.mean() for one in by_frame], rel=1e-4)


def test_pages_say_in_words_what_each_condition_is(run_page, dataset_page):
    words = [condition_text("train", condition) for condition in ("ab01", "ab02", "ab12", "ab42")]

    assert all(one in Page(run_page).text and one in Page(dataset_page).text for one in words)


def test_frame_scores_stand_under_their_frames_whatever_the_datasets_rate(trained, tmp_path):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    shutil.rmtree(run / EVALUATION)
    other = prepare(options("simulate:tiny", tmp_path, protocols=("basic",), channels="1", rate_hz=8000)).out
    evaluate(EvaluateOptions(run=run, dataset=other, device="cpu"))
    report_run(run, tmp_path / "run.html")
    traces = re.findall(
        r'<svg class="trace".*?<polyline class="line" points="(.*?)"', (tmp_path / "run.html").read_text()
    )
    first, last = ([float(points.split()[at].partition(",")[0]) for points in traces] for at in (0, -1))
    duration_s = read_scores(run)["duration_s"][0].as_py()

    # The first input stands around the eleventh frame of 512 samples, and the last ends as far from the clip's end.
    assert first == pytest.approx([1000 * (10 * 256 + 256) / 16_000 / duration_s] * 16, abs=0.1)
    assert last == pytest.approx([1000 - one for one in first], abs=1000 * 256 / 16_000 / duration_s)


def test_a_dataset_that_was_prepared_anew_is_not_taken_for_the_one_that_was_scored(trained, simulated_train, tmp_path):
    run, copy = (Path(shutil.copytree(one, tmp_path / one.name)) for one in (trained, simulated_train))
    metrics = json.loads((run / EVALUATION / "metrics.json").read_text())
    metrics["evaluated"]["dataset"] = str(copy)
    (run / EVALUATION / "metrics.json").write_text(json.dumps(metrics))
    write_manifest(copy, replace(read_manifest(copy), recipe_sha256="0" * 64))

    with refused(DatasetError) as caught:
        report_run(run, tmp_path / "run.html")

    assert f"toyadmos evaluate {run}" in caught.value.remedy
    assert not (tmp_path / "run.html").exists()


def test_a_run_is_reported_on_no_config_that_it_was_not_scored_on(trained, tmp_path, capsys):
    ran = toyadmos(capsys, "report", trained, "-o", tmp_path / "run.html", "--config", "snr_6db")

    assert ran.status == 2
    assert "expected: clean" in ran.err
    assert f"toyadmos evaluate {trained} --config NAME" in ran.err
    assert not (tmp_path / "run.html").exists()


def test_a_datasets_page_has_spectrograms_of_each_condition_and_the_audits_level_check(dataset_page, simulated_train):
    found = Page(dataset_page)
    conditions = re.findall(r"<h3>(normal|ab\d\d): ", dataset_page.read_text(encoding="utf-8"))

    assert conditions == ["ab01", "ab02", "ab12", "ab42"]
    shown = [re.search(r"_(normal|ab\d\d)_", one["alt"])[1] for one in found.all("img")]
    assert Counter(shown) == {"normal": 12, "ab01": 3, "ab02": 3, "ab12": 3, "ab42": 3}
    assert len(found.all("audio")) == len(shown)
    check = next(one for one in audit(simulated_train).levels if one.split == "test")
    assert f"{check.auc:.3f}" in found.text
    assert f"{check.normal_db:.1f}" in found.text


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def test_in_chromium_a_page_complains_of_nothing_asks_for_nothing_and_its_players_play(page, tab):
    tab.open(page)
    played = tab.run(PLAY_ALL)

    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith("data:")] == [page.as_uri()]
    assert len(played) == len(Page(page).all("audio")) > 0
    assert all(length_s == pytest.approx(2.2, abs=0.01) and error is None for length_s, error in played)


def test_a_page_fits_a_phone_and_is_dark_where_the_reader_is_and_prints(page, tab):
    ink = "getComputedStyle(document.body).color"
    tab.open(page, width=390)
    width, light = tab.run("document.documentElement.scrollWidth"), tab.run(ink)
    tab.open(page, width=390, is_dark=True)

    assert width <= 390
    assert tab.run(ink) != light
    assert tab.printed().startswith(PDF)


def test_the_pages_of_an_audit_and_of_several_runs_fit_a_phone_and_link_each_other(
    trained, simulated_train, tmp_path, tab
):
    same = other_run(trained, tmp_path / "same", read_scores(trained)["score"].to_pylist())
    write_audit_page(audit(simulated_train), tmp_path / "audit.html")
    report_runs([trained, same], tmp_path / "runs.html")

    for name, other in (("audit.html", "runs.html"), ("runs.html", "audit.html")):
        tab.open(tmp_path / name, width=390)
        assert tab.run("document.documentElement.scrollWidth") <= 390
        assert tab.run("document.querySelector('nav.pages a').href") == (tmp_path / other).as_uri()
        assert tab.complaints == []


def test_a_page_that_complains_or_fetches_would_be_noticed(tmp_path, tab):
    (tmp_path / "bad.html").write_text('<img src="missing.png"><script>console.error("no")</script>')
    tab.open(tmp_path / "bad.html")

    assert any("console" in one or "no" in one for one in tab.complaints)
    assert (tmp_path / "missing.png").as_uri() in tab.requests


def test_report_and_figures_by_the_command_line(trained, tmp_path, capsys):
    ran = toyadmos(
        capsys, "report", trained, "-o", tmp_path / "r.html", "--no-audio", "--figures", tmp_path / "figures"
    )

    assert ran.status == 0, ran.err
    assert not Page(tmp_path / "r.html").all("audio")
    written = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    names = ("roc", "precision-recall", "det", "scores", "loss", "auc-by-part", "auc-by-condition")
    assert set(written) == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    assert all(content.startswith(PNG if name.endswith("png") else PDF) for name, content in written.items())
    width_px = int.from_bytes(written["roc.png"][16:20])
    assert width_px == 1020  # 3.4 inches at 300 dpi


def test_a_report_of_a_dataset_by_the_command_line(simulated_train, tmp_path, capsys):
    ran = toyadmos(capsys, "report", simulated_train, "-o", tmp_path / "d.html", "--tables", tmp_path / "tables")
    refused = toyadmos(capsys, "report", simulated_train, "-o", tmp_path / "e.html", "--figures", tmp_path / "figures")

    assert ran.status == 0, ran.err
    names = [f"{name}.{kind}" for name in ("conditions", "counts", "loudness") for kind in ("csv", "tex")]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == names
    assert refused.status == 2
    hold_printed(refused.err)


def test_a_run_that_was_not_evaluated_says_what_to_type(trained, tmp_path, capsys):
    shutil.copy(trained / "run.json", tmp_path)
    ran = toyadmos(capsys, "report", tmp_path, "-o", tmp_path / "r.html")

    assert ran.status == 1
    assert f"toyadmos evaluate {tmp_path}" in ran.err
    assert not (tmp_path / "r.html").exists()


def other_run(trained, folder, scores):
    """A run with the same clips and other scores, in the opposite order."""
    table = read_scores(trained)
    changed = table.set_column(table.schema.get_field_index("score"), "score", pa.array(scores))
    shutil.copytree(trained, folder)
    pq.write_table(changed.take(list(range(len(table)))[::-1]), folder / EVALUATION / "scores.parquet")
    return folder


def test_a_run_compared_with_itself_differs_by_nothing(trained, tmp_path):
    same = other_run(trained, tmp_path / "same", read_scores(trained)["score"].to_pylist())

    whole = compare(trained, same).differences[0]
    assert (whole.difference.value, whole.difference.low, whole.difference.high) == (0.0, 0.0, 0.0)
    assert not whole.is_clear


def test_a_run_compared_with_its_opposite_is_clearly_worse(trained, tmp_path, capsys):
    opposite = other_run(trained, tmp_path / "opposite", [-one for one in read_scores(trained)["score"].to_pylist()])
    ran = toyadmos(capsys, "compare", trained, opposite, "--json")

    first = json.loads(ran.out)["pairs"][0]["differences"][0]
    assert first["auc_b"] == pytest.approx(1 - first["auc_a"])
    assert first["difference"]["high"] < 0
    assert first["is_clear"]


def test_runs_of_different_clips_are_not_compared(trained, tmp_path, capsys):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    pq.write_table(read_scores(trained).slice(1), run / EVALUATION / "scores.parquet")
    ran = toyadmos(capsys, "compare", trained, run)

    assert ran.status == 2
    hold_printed(ran.err)
    assert "toyadmos evaluate RUN --dataset DIR --config NAME" in ran.err
