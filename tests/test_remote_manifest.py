"""A table of volumes that a user names: read strictly, whatever file that is."""

from __future__ import annotations

import pytest
from wording import refused

from toyadmos_datasets.archives.remote.volume_list import read_manifest
from toyadmos_datasets.errors import OptionError

HEADER = "name,bytes,md5\n"
MD5 = "0" * 32


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"shards": "' + "x" * 200_000 + '"}',
        f"{HEADER}ToyTrain.7z.001,10\n",
        f"{HEADER}ToyTrain.7z.001,ten,{MD5}\n",
        f"{HEADER}ToyTrain.7z.001,{'9' * 5000},{MD5}\n",
        f"{HEADER}../ToyTrain.7z.001,10,{MD5}\n",
        f"{HEADER}ToyTrain.7z.001,10,{MD5[1:]}\n",
    ],
    ids=["empty", "JSON", "one long line", "no md5", "no number", "no size", "a path", "a short md5"],
)
def test_what_is_no_table_of_volumes_is_an_error_that_says_how_to_make_one(tmp_path, content):
    path = tmp_path / "volumes.csv"
    path.write_text(content)

    with refused(OptionError) as caught:
        read_manifest(path, "ToyTrain")

    assert caught.value.where == str(path)
    assert "--write-manifest" in caught.value.remedy
