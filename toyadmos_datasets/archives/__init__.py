"""Sources of recordings: a tree of WAV files, or split 7z volumes that are never unpacked to one."""

from toyadmos_datasets.archives.opening import open_source

__all__ = ["open_source"]
