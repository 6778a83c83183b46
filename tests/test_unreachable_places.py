"""Places that the system does not let us look at: an error that names the place, whatever it was for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.jobs.cache import list_cache
from toyadmos_datasets.rendering import OutputFolder
from toyadmos_datasets.sharing import open_recipe
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recording_store import read_catalogue
from toyadmos_datasets.verifying import is_prepared, verify_dataset

LOOKS: dict[str, Callable[[Path], object]] = {
    "a source": lambda place: open_source(place, "ToyTrain"),
    "a dataset": read_manifest,
    "a dataset to verify": verify_dataset,
    "a dataset or a source": is_prepared,
    "a recipe": open_recipe,
    "a folder to prepare": lambda place: OutputFolder(path=place, request={}).state(overwrite=False),
    "a store": read_catalogue,
    "a cache": list_cache,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_place_that_cannot_be_looked_at_is_an_error_that_names_it_and_says_what_to_do(tmp_path, look):
    place = tmp_path / ("long" * 100)  # root may look everywhere but there

    with pytest.raises(ToyAdmosError) as caught:
        look(place)

    assert str(place) in caught.value.where
    assert "ENAMETOOLONG" in caught.value.actual
    assert caught.value.remedy.startswith("Check that")
