"""Prepared folders in plain `datasets`, the newest that is installed and the oldest that is supported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from loading import first_shard

from toyadmos_datasets.values.manifest import read_manifest

OLDEST = Path(sys.prefix) / "datasets-oldest"
"""Where `make` puts the oldest supported version, alone: its dependencies are those of the newest."""

NO_OLDEST = f"the oldest supported datasets is not in {OLDEST}: make test puts it there"

VERSIONS = [
    None,
    pytest.param(OLDEST, marks=pytest.mark.skipif(not OLDEST.exists(), reason=NO_OLDEST)),
]


def run(code: str, *arguments: object, place: Path, version: Path | None) -> dict[str, object]:
    """Run code in a process of its own with a version of datasets; return what it prints, as JSON."""
    paths = [] if version is None else [str(version)]
    environment = os.environ | {
        "HF_DATASETS_CACHE": str(place),
        "HF_HUB_OFFLINE": "1",
        "USE_TORCH": "0",  # as if there were none: it would be loaded wherever it is installed
        "PYTHONPATH": os.pathsep.join([*paths, str(Path(__file__).parents[1])]),
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    return json.loads(done.stdout)


PLAIN = """
    import json, logging, sys, warnings
    for absent in ("toyadmos_datasets", "soundfile", "soxr", "librosa"):
        sys.modules[absent] = None
    warnings.simplefilter("error")
    records = []
    logging.Handler.emit = lambda self, record: records.append(record.getMessage())
    logging.getLogger().addHandler(logging.Handler())
    import datasets
    from datasets import Audio, get_dataset_config_names, load_dataset
    from huggingface_hub import DatasetCard
    folder = sys.argv[1]
    default, snr = load_dataset(folder), load_dataset(folder, "snr_6db")
    row = snr["test"].cast_column("audio", Audio(decode=False))[0]
    card = DatasetCard.load(folder + "/README.md").data
    print(json.dumps({
        "version": datasets.__version__,
        "configs": get_dataset_config_names(folder),
        "rows": default.num_rows,
        "features": repr(snr["train"].features["audio"]),
        "label": snr["train"].features["label"].names,
        "columns": snr["train"].column_names,
        "snrs": [sorted(set(snr["train"]["snr_db"])), sorted(set(default["train"]["snr_db"]))],
        "starts": row["audio"]["bytes"][:4].decode(),
        "license": [card.license, card.license_name, card.license_link],
        "infos": [info["config_name"] for info in card.dataset_info],
        "records": records,
        "decoders": sorted({"torch", "torchcodec"} & set(sys.modules)),
    }))
"""


@pytest.mark.parametrize("version", VERSIONS, ids=["newest", "oldest"])
def test_plain_readers_need_nothing_but_datasets(prepared, tmp_path, version):
    seen = run(PLAIN, prepared, place=tmp_path, version=version)
    shards = read_manifest(prepared).shards

    assert seen["version"] == ("4.0.0" if version else datasets.__version__)
    assert seen["configs"] == seen["infos"] == ["clean", "snr_6db"]
    assert seen["rows"] == {shard.split: shard.n_rows for shard in shards if shard.config == "clean"}
    assert seen["features"].startswith("Audio(sampling_rate=16000, decode=True")
    assert seen["label"] == ["normal", "anomalous"]
    assert seen["columns"] == pq.read_schema(prepared / shards[0].path).names
    assert seen["snrs"] == [[6.0], [None]]
    assert seen["starts"] == "RIFF"
    assert seen["license"][0] == "other"
    assert seen["records"] == seen["decoders"] == []


OURS = """
    import json, sys
    import datasets
    datasets.disable_progress_bars()
    from toyadmos_datasets import load_dataset
    def measure(row):
        return {"loudest": float(abs(row["audio"]["array"]).max())}
    if __name__ == "__main__":
        folder, source, cache = sys.argv[1:]
        rows = load_dataset(folder, split="train[1:3]+test[:1]")
        streamed = list(load_dataset(folder, split="train", streaming=True))
        built = load_dataset("train", "basic", source=source, cache=cache, max_events=2)
        built_streaming = load_dataset("train", "basic", split="test", streaming=True, source=source, cache=cache)
        print(json.dumps({
            "version": datasets.__version__,
            "peaks": [[row["peak"], row["loudest"]] for row in rows.map(measure)],
            "types": sorted({str(row["audio"]["array"].dtype) for row in [*rows, *streamed, *built["test"]]}),
            "built": built["train"].num_rows,
            "streamed": [len(streamed), next(iter(built_streaming))["audio"]["sampling_rate"]],
            "decoders": sorted({"torch", "torchcodec"} & set(sys.modules)),
        }))
"""


@pytest.mark.parametrize("version", VERSIONS, ids=["newest", "oldest"])
def test_this_package_works_with_it_and_without_torch(prepared, tmp_path, version):
    seen = run(OURS, prepared, prepared.parent / "source", tmp_path / "store", place=tmp_path / "hf", version=version)

    assert seen["version"] == ("4.0.0" if version else datasets.__version__)
    assert [loudest for _, loudest in seen["peaks"]] == pytest.approx([peak for peak, _ in seen["peaks"]])
    assert len(seen["peaks"]) == 3
    assert seen["types"] == ["float32"]
    assert seen["built"] == 2
    assert seen["streamed"] == [5, 16000]
    assert seen["decoders"] == []


def test_the_card_spells_the_features_as_datasets_does(prepared):
    card = (prepared / "README.md").read_text()
    infos = datasets.info.DatasetInfosDict.from_directory(str(prepared))
    shard, path = first_shard(prepared)
    features = datasets.Features.from_arrow_schema(pq.read_schema(path))

    assert card.startswith("---\n")
    assert infos["clean"].features == features
    assert infos["clean"].splits["train"].num_examples == shard.n_rows
