"""What an embedding program hears of our work, by `logging`, and that nobody else hears anything."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hostile import raw_in
from loopback import Fault
from preparing import options
from transferring import fetch

from toyadmos_datasets.jobs.prepare import prepare

PACKAGE = "toyadmos_datasets"


def test_a_preparation_tells_what_it_opens_ingests_and_commits(small_tree, tmp_path, caplog):
    caplog.set_level(logging.INFO, PACKAGE)
    report = prepare(options(small_tree, tmp_path, protocols=("basic",))).ingested
    again = prepare(options(small_tree, tmp_path, protocols=("basic",), out=tmp_path / "again"))

    opened = f"Opened the source of ToyTrain: {small_tree / 'ToyTrain'}"
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        opened,
        f"Ingesting {report.n_ingested} recordings of ToyTrain; 0 are stored",
        f"Ingested {report.n_ingested} recordings of ToyTrain; 0 are bad",
        f"Committed the dataset: {tmp_path / 'out'}",
        opened,
        f"Committed the dataset: {again.out}",
    ]
    assert all(record.name.startswith(f"{PACKAGE}.") for record in caplog.records)


def test_a_dataset_that_is_committed_under_a_hostile_name_is_logged_visibly(small_tree, tmp_path, caplog):
    caplog.set_level(logging.INFO, PACKAGE)
    prepare(options(small_tree, tmp_path, protocols=("basic",), out=tmp_path / "a\x1b[2J\n"))

    assert raw_in(caplog.records[-1].getMessage()) == set()


@pytest.mark.parametrize("is_ranged", [True, False])
def test_a_retry_is_told_with_its_cause_and_its_wait(fetching, server, is_ranged, caplog):
    caplog.set_level(logging.DEBUG, f"{PACKAGE}.archives")
    server.faults = [Fault(kind="status", status=503)]
    fetch(fetching, is_ranged=is_ranged)

    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.getMessage().startswith("Try 1 of ")
    assert "503" in record.getMessage()


def test_without_a_handler_nothing_is_logged():
    code = f"import logging, {PACKAGE}; logging.getLogger('{PACKAGE}.jobs').error('heard')"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert (ran.stdout, ran.stderr) == ("", "")
