"""A law: what `datasets` derives from our rows decodes as its source did, or fails loudly.

Every method of every class that gives a dataset is gone by `deriving.py`; one that a new version brings is noticed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import datasets
import pytest
from preparing import options
from test_plain_datasets import NO_OLDEST, OLDEST
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.jobs.prepare import prepare

HERE = Path(__file__).parent
IN_DRILLS = pytest.mark.skipif(not os.environ.get("TOYADMOS_DRILLS"), reason="It takes long: `make drills` runs it")

LOUD = {
    "Dataset.add_item": "datasets cannot put decoded clips beside encoded ones",
    "Dataset.flatten": "datasets does not flatten what is decoded",
    "DatasetDict.flatten": "as above",
    "Dataset.map: a copy, by plain features": "datasets encodes it, which needs torchcodec",
    "DatasetDict.map: a copy, by plain features": "as above",
    "Dataset.from_csv": "a text holds no bytes",
    "DatasetDict.from_csv": "as above",
    "IterableDataset.from_csv": "as above",
    "Dataset.from_json": "as above",
    "DatasetDict.from_json": "as above",
    "IterableDataset.from_json": "as above",
    "Dataset.from_sql": "as above",
    "Dataset.batch": "the oldest datasets would keep lists of numbers",
    "Dataset.cast_column: mono": "microphones are not averaged",
    "Dataset.map: new audio in some": "pyarrow does not mix encoded clips with decoded ones of several channels",
    "Dataset.map: halves": "they are no integers",
    "concatenate_datasets: a type and another": "they do not become one",
    "concatenate_datasets: plain and ours": "they do not become one",
    "concatenate_datasets: mapped streams": "features of several channels cannot be found in decoded rows",
}
"""What may be an error, and why; everything else must decode as its source did."""

OF_DATASETS = {"IterableDataset.map: with features, then 8 kHz"}
"""Where the newest `datasets` passes over a cast, of any audio at all, and asks nothing of ours."""

STAND_IN = {
    "__init__.py": "",
    "decoders.py": """
        class Metadata:
            path = None
        class AudioDecoder:
            def __init__(self, source, **options):
                self.source, self.metadata = source, Metadata()
        class VideoDecoder:
            pass
    """,
}
"""Where there is torchcodec, plain audio is a decoder of it: what is no array here."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> list[str]:
    """Four microphones, and one."""
    place = tmp_path_factory.mktemp("deriving")
    tree = write_tree(TinyCorpus(n_normal=8, n_noise=4).files(), place / "source")
    made = []
    for channels, decode in (("stack", "int16"), ("1", "float32")):
        out = place / f"channels-{channels}"
        prepare(options(tree, place, protocols=("basic",), snrs_db=(6.0,), channels=channels, out=out))
        made.append(f"{out}={decode}")
    return made


@pytest.mark.parametrize(
    ("version", "has_torchcodec"),
    [
        pytest.param(None, False, id="newest"),
        pytest.param(None, True, id="newest, torchcodec"),
        pytest.param(
            OLDEST,
            True,
            id="oldest, torchcodec",
            marks=[pytest.mark.skipif(not OLDEST.exists(), reason=NO_OLDEST), IN_DRILLS],
        ),
    ],
)
def test_what_is_derived_decodes_as_its_source_or_fails_loudly(asked, tmp_path, version, has_torchcodec):
    paths = [] if version is None else [str(version)]
    if has_torchcodec:
        paths.append(str(tmp_path))
        (tmp_path / "torchcodec").mkdir()
        for name, code in STAND_IN.items():
            (tmp_path / "torchcodec" / name).write_text(textwrap.dedent(code))
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "USE_TORCH": "0",
        "PYTHONPATH": os.pathsep.join([*paths, str(HERE.parent)]),
    }
    done = subprocess.run(
        [sys.executable, HERE / "support" / "deriving.py", *asked, tmp_path],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    seen = json.loads(done.stdout)
    others = {
        f"{name} of {source.rpartition('/')[2]}": became
        for source, outcomes in seen["outcomes"].items()
        for name, became in outcomes.items()
        if became != "same" and name not in OF_DATASETS and (name not in LOUD or became.startswith("WRONG"))
    }

    assert seen["version"] == ("4.0.0" if version else datasets.__version__)
    assert seen["unknown"] == []
    assert others == {}
    assert all(list(found.values()).count("same") > 150 for found in seen["outcomes"].values())
