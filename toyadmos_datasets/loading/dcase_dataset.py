"""A folder in a layout of DCASE task 2, as a dataset with the columns that it can fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toyadmos_datasets.loading.choices import check_decode, check_split, part_of
from toyadmos_datasets.loading.saved_datasets import UNKNOWN_DEPTH
from toyadmos_datasets.values.columns import LABELS
from toyadmos_datasets.values.dcase_folder import DcaseClip, chosen_machine, dcase_clips, dcase_root

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def load_dcase(
    place: str,
    machine: str | None = None,
    split: str | None = None,
    *,
    decode: bool | str = True,
) -> Dataset | DatasetDict:
    """Open the clips of a machine where they lie; each is read when it is asked for.

    The columns are `audio`, `label` (None where nobody tells it), `toy`, `case` (section or id),
    `domain`, `attributes`, `take`, `event_id` and `file_name`. There are no stems, damage or levels: the layout does
    not tell them.

    Args:
        place: ``dcase:DIR``.
        machine: ``ToyCar``; None for the first.
        split: ``train``, ``test`` or an expression of them; None for all.
        decode: As `load_dataset` has it.

    Raises:
        DatasetError: There are no clips of the challenge.
        OptionError: There is no such machine, split or decoding.
    """
    import datasets  # noqa: PLC0415  (takes a second)

    check_decode(decode, UNKNOWN_DEPTH)
    chosen, splits = chosen_machine(dcase_clips(dcase_root(place)), machine)
    asked = check_split(split, splits)
    wanted = splits if asked is None else {one.partition("[")[0]: [] for one in asked.split("+")}
    opened = {name: _opened(chosen, name, splits[name], decode) for name in wanted}
    return datasets.DatasetDict(opened) if asked is None else part_of(opened, asked)


def _opened(machine: str, split: str, clips: list[DcaseClip], decode: bool | str) -> Dataset:  # noqa: FBT001  # of four
    import datasets  # noqa: PLC0415  (as above)

    from toyadmos_datasets.loading.audio_feature import Audio  # noqa: PLC0415  (as above)
    from toyadmos_datasets.loading.derived_features import decoding  # noqa: PLC0415  (as above)

    text = datasets.Value("string")
    features = datasets.Features(
        {
            "audio": Audio(),
            "label": datasets.ClassLabel(names=list(LABELS)),
            "toy": text,
            "case": datasets.Value("int8"),
            "domain": text,
            "attributes": datasets.Sequence(text),
            "take": datasets.Value("int32"),
            "event_id": text,
            "file_name": text,
        }
    )
    rows = [{"audio": {"bytes": None, "path": str(clip.path)}} | clip.columns() for clip in clips]
    columns = {name: [row[name] for row in rows] for name in features}
    made = datasets.Dataset.from_dict(columns, features=features, split=datasets.NamedSplit(split))
    made.info.config_name = machine
    return decoding(made, decode)
