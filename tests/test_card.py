"""The card says what is in the folder: to programs in its front matter, to people below it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from preparing import options
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.corpus.facts import LICENSE_LIMITS, LICENSE_URL
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.manifest import read_manifest


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A dataset of two cases, four channels and three configs."""
    place = tmp_path_factory.mktemp("card")
    tree = write_tree(
        TinyCorpus(cases=(1, 2), n_normal=6, n_noise=3, clip_s=0.1, noise_s=0.2).files(), place / "source"
    )
    return prepare(options(tree, place, protocols=("basic", "waspaa2019"), snrs_db=(6.0,), channels="all")).out


@pytest.fixture(scope="module")
def make_believe(tmp_path_factory, simulated) -> Path:
    """A dataset of a simulated corpus."""
    place = tmp_path_factory.mktemp("make_believe")
    request = options(simulated / "tree", place, protocols=("basic",), max_events=1)
    return prepare(request).out


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def front_matter(folder: Path) -> dict[str, Any]:
    _, front, _ = card(folder).split("---\n", 2)
    parsed: dict[str, Any] = yaml.safe_load(front)
    return parsed


def rows(folder: Path) -> list[dict[str, Any]]:
    """Every example without its audio, with its config and split."""
    found = []
    for shard in read_manifest(folder).shards:
        table: pa.Table = pq.read_table(folder / shard.path).drop_columns("audio")
        found += [row | {"config": shard.config, "split": shard.split} for row in table.to_pylist()]
    return found


def table_after(text: str, heading: str) -> list[dict[str, str]]:
    """Read the Markdown table that follows a heading."""
    lines = text.split(heading, 1)[1].strip().split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def test_the_configs_name_the_files_of_each_split_and_one_default(out):
    configs = front_matter(out)["configs"]
    manifest = read_manifest(out)
    found = {
        config["config_name"]: {
            files["split"]: sorted(path.relative_to(out).as_posix() for path in out.glob(files["path"]))
            for files in config["data_files"]
        }
        for config in configs
    }

    assert found == {
        config: {split: [shard.path for shard in shards] for split, shards in splits.items()}
        for config, splits in manifest.configs.items()
    }
    assert [config["config_name"] for config in configs if config.get("default")] == [next(iter(manifest.configs))]


def test_the_front_matter_counts_rows_and_bytes_as_they_are(out):
    manifest = read_manifest(out)
    for info in front_matter(out)["dataset_info"]:
        shards = manifest.configs[info["config_name"]]

        assert info["splits"] == [
            {
                "name": split,
                "num_bytes": sum(shard.n_bytes for shard in of_split),
                "num_examples": sum(shard.n_rows for shard in of_split),
            }
            for split, of_split in shards.items()
        ]
        assert info["download_size"] == sum(split["num_bytes"] for split in info["splits"])


def test_the_features_that_the_card_spells_are_those_of_the_shards(out):
    manifest = read_manifest(out)
    spelled = datasets.Features._from_yaml_list(front_matter(out)["dataset_info"][0]["features"])

    assert spelled == datasets.Features.from_arrow_schema(pq.read_schema(out / manifest.shards[0].path))


def test_plain_datasets_takes_the_first_config_by_default(tmp_path, out):
    opened = datasets.load_dataset(str(out), cache_dir=str(tmp_path))

    assert len(opened["train"]) == sum(row["config"] == "clean" and row["split"] == "train" for row in rows(out))


def test_the_counts_are_those_of_the_data(out):
    clips = Counter(_key(row) for row in rows(out))
    events: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in rows(out):
        events[_key(row)].add(row["event_id"])
    table = table_after(card(out), "## Counts\n")
    keys = [(row["config"], row["split"], row["label"], row["case"]) for row in table]

    assert {key: int(row["clips"]) for key, row in zip(keys, table, strict=True)} == clips
    assert {key: int(row["events"]) for key, row in zip(keys, table, strict=True)} == {
        key: len(of_key) for key, of_key in events.items()
    }
    assert len(keys) == len(set(keys))


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["config"], row["split"], ("normal", "anomalous")[row["label"]], str(row["case"])


def test_the_anomalous_clips_are_counted_by_condition(out):
    expected = Counter((row["config"], row["split"], row["condition"]) for row in rows(out) if row["label"])
    table = table_after(card(out), "<summary>Anomalous clips by condition</summary>\n")

    assert {(row["config"], row["split"], row["condition"]): int(row["clips"]) for row in table} == expected


def test_every_column_is_explained(out):
    manifest = read_manifest(out)
    explained = card(out).split("## Columns")[1].split("## Licence")[0]
    names = pq.read_schema(out / manifest.shards[0].path).names

    assert [name for name in names if f"`{name}`" not in explained] == []


def test_the_mixing_of_every_config_is_told(out):
    text = card(out).split("## How it is mixed")[1].split("##")[0]

    assert "- `clean`: no noise." in text
    assert "- `snr_6db`: noise at 6 dB SNR relative to the mean level of the normal clips" in text
    assert "- `waspaa2019`: target +10 dB, noise +0 dB." in text
    assert f"the same headroom, {read_manifest(out).headroom_db:g} dB" in text


def test_a_real_corpus_comes_with_the_limits_of_its_licence(out):
    text = card(out)
    front = front_matter(out)

    assert front["license"] == "other"
    assert front["license_name"] == "toyadmos-evaluation"
    assert front["license_link"] == LICENSE_URL
    assert LICENSE_URL in text.split("## Licence")[1]
    assert [limit for limit in LICENSE_LIMITS if f"- {limit}\n" not in text] == []
    assert "**Do not publish this folder.**" in text
    assert "SIMULATED" not in text


def test_a_simulated_corpus_is_called_one_loudly_and_has_no_licence_of_ntt(make_believe):
    text = card(make_believe)
    front = front_matter(make_believe)

    assert text.split("---\n", 2)[2].lstrip().splitlines()[2].startswith("> **This is a SIMULATED corpus.**")
    assert "simulated" in front["tags"]
    assert "(simulated)" in front["pretty_name"]
    assert front["license_name"] == "simulated-audio"
    assert LICENSE_URL not in text
    assert "Do not publish" not in text


def test_what_a_reader_must_know_of_the_plan_stands_in_the_card(out):
    text = card(out)

    assert "so the same fraction (1000/1350) is for training" in text
    assert "waspaa2019 was asked for with other cases or channels than the paper's" in text


def test_the_code_of_the_card_opens_the_folder(out, tmp_path):
    block = re.search(r"```python\n(from datasets import .*?)```", card(out), re.DOTALL)
    assert block is not None
    code = block[1].replace("path/to/this/folder", str(out)).replace('"clean")', f'"clean", cache_dir="{tmp_path}")')
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102  # the code is our own card's

    assert sorted(found["ds"]) == ["test", "train"]


def test_the_paper_and_the_package_are_cited(out):
    cited = card(out).split("## Citation")[1]

    assert re.findall(r"^@(\w+)\{(\w+),", cited, re.MULTILINE) == [
        ("inproceedings", "koizumi2019toyadmos"),
        ("software", "toyadmosdatasets"),
    ]


def test_conditions_are_listed_by_meaning(out):
    table = table_after(card(out), "Anomalous clips by condition</summary>\n")
    told = {row["condition"]: row["what it is"] for row in table}

    assert told == {
        "ab01": "last carriage with chipped wheel axle",
        "ab02": "first carriage with chipped wheel axle",
    }
    assert {row["condition"]: row["condition_text"] for row in rows(out)} == told | {"normal": "normal"}


def test_what_is_odd_about_the_corpus_is_told_of_true_recordings_alone(out, make_believe):
    heading = "## What is odd about the corpus"

    assert "1152 noise files" in card(out).split(heading)[1].split("##")[0]
    assert "spectra" in card(out).split(heading)[1].split("##")[0]
    assert heading not in card(make_believe)
