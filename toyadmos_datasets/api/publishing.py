"""`share` and `export` in Python."""

from __future__ import annotations

from toyadmos_datasets.api.keywords import StrPath
from toyadmos_datasets.api.progress_bars import ProgressChoice, chosen_progress
from toyadmos_datasets.api.python_words import in_python_words
from toyadmos_datasets.engine import chosen_workers
from toyadmos_datasets.exporting import ExportOptions, ExportReport, export_dataset
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.sharing import ShareOptions, ShareReport
from toyadmos_datasets.sharing.share_job import share_dataset


@in_python_words()
def share(
    folder: StrPath,
    destination: str,
    *,
    with_audio: bool | None = None,
    i_may_share_audio: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    workers: int | None = None,
    progress: ProgressChoice = None,
) -> ShareReport:
    """Send a dataset, or only its recipe, to a bucket or the Hub, as `toyadmos share`.

    Args:
        folder: A prepared dataset.
        destination: ``hf://datasets/user/name``, ``s3://bucket/folder`` or the like.
        with_audio: True for the dataset itself, False for its recipe alone; by default the dataset to a bucket, and
            the recipe to the Hub.
        i_may_share_audio: For a bucket: your word that only people who may have the recordings can read it.
        overwrite: Replace another dataset that was shared there.
        dry_run: Only tell what would be sent.
        token: For the Hub; by default what HF_TOKEN or ``hf auth login`` has.
        workers: Number of processes; by default as many as there are processors.
        progress: As for `prepare`.

    Raises:
        LicenseError: The audio must not go there.
        ShareError: The destination does not accept the files.
    """
    options = ShareOptions(
        folder=expanded_path(folder),
        destination=destination,
        with_audio=with_audio,
        may_share_audio=i_may_share_audio,
        dry_run=dry_run,
        overwrite=overwrite,
        token=token,
    )
    return share_dataset(options, chosen_progress(progress), workers=chosen_workers(workers))


@in_python_words()
def export(
    folder: StrPath, *, layout: str, out: StrPath, config: str | None = None, progress: ProgressChoice = None
) -> ExportReport:
    """Write a config as the files that other tools expect, as `toyadmos export`.

    Args:
        folder: A prepared dataset.
        layout: ``"dcase2020"``, ``"dcase2023"``, ``"wav"``, ``"webdataset"`` or ``"lhotse"``.
        out: Folder of the export.
        config: Which config; by default the first.
        progress: As for `prepare`.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> toyadmos.export("data/train", layout="wav", out="exports/train", config="clean")
        ExportReport(out='exports/train', layout='wav', config='clean', n_clips=..., was_done=False)
    """
    options = ExportOptions(folder=expanded_path(folder), layout=layout, out=expanded_path(out), config=config)
    return export_dataset(options, chosen_progress(progress))
