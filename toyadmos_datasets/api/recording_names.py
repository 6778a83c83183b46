"""`parse_name` in Python: parses a file name, a recording's id, or a path."""

from __future__ import annotations

import os
import re

from toyadmos_datasets.api.python_words import in_python_words
from toyadmos_datasets.corpus.names import NOISE, SUFFIX, RecordingName
from toyadmos_datasets.corpus.names import parse_name as parse_file_name
from toyadmos_datasets.corpus.noise_names import NOISE_FOLDER
from toyadmos_datasets.corpus.toys import TOYS


@in_python_words()
def parse_name(name: str | os.PathLike[str]) -> RecordingName:
    """Read what the name of a recording says.

    Args:
        name: A file name, a `recording_id`, or a path; folders of the corpus in a path are checked against the name.

    Raises:
        NameGrammarError: The name is unknown, or contradicts itself or its folder.

    Examples:
        >>> parse_name("3101010001_ToyTrain_case1_ab01_IND_ch1_0001").condition
        'ab01'
        >>> parse_name("/data/ToyTrain/case1/NormalSound_IND/3100010007_ToyTrain_case1_normal_IND_ch1_0007.wav").take
        7
    """
    *places, file_name = re.split(r"[/\\]", os.fspath(name))
    if not file_name.lower().endswith(SUFFIX):
        file_name += SUFFIX
    return parse_file_name(file_name, folder=_folder_in(places) or _noise_folder(file_name))


def _folder_in(places: list[str]) -> str | None:
    """Return the corpus's folders at the end of a path, from the toy's folder on; None if there are none."""
    toys = {toy.name.lower() for toy in TOYS}
    starts = [number for number, place in enumerate(places) if place.lower() in toys]
    return "/".join(places[starts[-1] :]) if starts and len(places) - starts[-1] > 1 else None


def _noise_folder(file_name: str) -> str | None:
    """Return the folder that a noise recording's name belongs into; None for another recording."""
    words = re.split(r"[_.]", file_name)
    toys = [toy.name for toy in TOYS if toy.name in words]
    return f"{toys[0]}/{NOISE_FOLDER}" if NOISE in words and toys else None
