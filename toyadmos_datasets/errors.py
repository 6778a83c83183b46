"""Every failure that this package raises on purpose.

    ToyAdmosError
    ├── OptionError (ValueError)              an invalid argument
    ├── NameGrammarError (ValueError)         a file name that is unknown or contradicts itself or its folder
    ├── SourceError
    │   ├── SourceNotFoundError (FileNotFoundError)
    │   ├── VolumeError                       a volume is missing, repeated or truncated
    │   ├── ArchiveError                      the 7z container itself is damaged
    │   │   ├── UnsupportedMethodError        a coder that 7-Zip knows and this package does not
    │   │   ├── UnsafeMemberError             a member name or kind that must not reach the disk
    │   │   └── CorruptMemberError            a member whose size or CRC32 is wrong
    │   ├── IndexConflictError                one identifier stands for two recordings
    │   ├── OddSourceError                    something is not as published, and that was to be an error
    │   ├── FetchError (ConnectionError)      a server does not give what it should
    │   └── LicenseError (PermissionError)    the corpus's licence has not been accepted, or forbids it
    ├── WavError (ValueError)
    │   ├── TruncatedWavError                 fewer samples than the header promises
    │   └── UnsupportedWavError               a rate, width, channel count or codec that the corpus does not have
    ├── SilentSignalError (ValueError)        no energy where a level is needed
    ├── ClippingError (ValueError)            a sum past full scale, when that is not allowed
    ├── PlanError (ValueError)                a dataset that cannot be made from the recordings at hand
    ├── LeakageError (ValueError)             what is tested was trained on
    ├── OutputError (OSError)
    │   ├── OutputConflictError               the folder holds something else
    │   ├── BusyError                         another process is writing there
    │   ├── DiskFullError                     no room, or no room to be expected
    │   └── ShareError (ConnectionError)      a place on the web does not take or give what it should
    ├── DatasetError (ValueError)             a prepared folder or store that is not what its manifest says
    │   └── StoreError                        recordings that were ingested are damaged, or gone
    ├── ResourceError (RuntimeError)          the machine has no more memory, or no more open files
    ├── MissingExtraError (ImportError)       an optional package is not installed
    ├── EngineError (RuntimeError)            a cluster does not answer, or a worker of it does not fit
    └── WorkerError (RuntimeError)            a worker process died

Each is also the natural built-in in brackets, so both ways of catching it work, and carries its facts
as attributes. A test holds this tree complete.
"""

from __future__ import annotations

from typing import ClassVar

from toyadmos_datasets.escaping import escaped, without_secrets


class ToyAdmosError(Exception):
    """Base of every error here: what failed, where, expected and actual, and what mends it.

    As text it is a line for each part, with what is not visible escaped, and addresses without passwords. The
    attributes are as they were given. Each class has a stable `code`, for programs that log errors or act on them;
    sentences may change.

    Args:
        what: One sentence that states the failure.
        where: The file, member, folder or option it is about.
        expected: What should have been there.
        actual: What was there.
        remedy: What to do, a command where there is one.
    """

    code: ClassVar[str] = "toyadmos"

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        actual: object = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = None if expected is None else str(expected)
        self.actual = None if actual is None else str(actual)
        self.remedy = remedy

    @property
    def facts(self) -> dict[str, str]:
        """The parts that are known, in the order in which they are shown."""
        named = {"where": self.where, "expected": self.expected, "actual": self.actual, "remedy": self.remedy}
        return {name: value for name, value in named.items() if value is not None}

    def __str__(self) -> str:
        lines = [f"  {name + ':':<9} {_shown(value)}" for name, value in self.facts.items()]
        return "\n".join([_shown(self.what), *lines])


CONTINUED = "\n" + " " * 12
"""Between the lines of a fact that has several: each stands under the first."""


def _shown(text: str) -> str:
    return CONTINUED.join(escaped(without_secrets(line)) for line in text.split(CONTINUED))


class OptionError(ToyAdmosError, ValueError):
    """An argument is invalid."""

    code = "option"


class NameGrammarError(ToyAdmosError, ValueError):
    """A file name that is unknown, or contradicts itself or its folder."""

    code = "name_grammar"


class SourceError(ToyAdmosError):
    """A source of recordings cannot be used."""

    code = "source"


class SourceNotFoundError(SourceError, FileNotFoundError):
    """Nothing of the asked-for toy is at the given place."""

    code = "source_not_found"


class VolumeError(SourceError):
    """A volume of an archive is missing, repeated or truncated."""

    code = "volume"


class ArchiveError(SourceError):
    """The 7z container itself is damaged."""

    code = "archive"


class UnsupportedMethodError(ArchiveError):
    """A block is packed with a coder that this package does not decode."""

    code = "unsupported_method"


class UnsafeMemberError(ArchiveError):
    """A member's name or kind must not reach the disk."""

    code = "unsafe_member"


class CorruptMemberError(ArchiveError):
    """A member's size or CRC32 is not what the header says."""

    code = "corrupt_member"


class IndexConflictError(SourceError):
    """One identifier stands for two recordings."""

    code = "index_conflict"


class OddSourceError(SourceError):
    """Something in a source is not as published, and the user asked for that to be an error."""

    code = "odd_source"


class FetchError(SourceError, ConnectionError):
    """A server cannot be reached, or does not give what it should."""

    code = "fetch"


class LicenseError(SourceError, PermissionError):
    """The licence of the corpus has not been accepted, or forbids what was asked for."""

    code = "license"


class WavError(ToyAdmosError, ValueError):
    """A WAV file cannot be read as the corpus has them."""

    code = "wav"


class TruncatedWavError(WavError):
    """A WAV file holds fewer samples than its header promises."""

    code = "truncated_wav"


class UnsupportedWavError(WavError):
    """A WAV file has a rate, width, channel count or codec that the corpus does not have."""

    code = "unsupported_wav"


class SilentSignalError(ToyAdmosError, ValueError):
    """A signal has no energy where a level is needed."""

    code = "silent_signal"


class ClippingError(ToyAdmosError, ValueError):
    """A sum exceeds full scale where that is not allowed."""

    code = "clipping"


class PlanError(ToyAdmosError, ValueError):
    """A dataset cannot be made from the recordings at hand."""

    code = "plan"


class LeakageError(ToyAdmosError, ValueError):
    """What is tested was trained on, or it is not known what was."""

    code = "leakage"


class OutputError(ToyAdmosError, OSError):
    """Something could not be written."""

    code = "output"


class OutputConflictError(OutputError):
    """The output folder holds something else."""

    code = "output_conflict"


class BusyError(OutputError):
    """Another process is writing to the same place."""

    code = "busy"


class DiskFullError(OutputError):
    """There is no room on the disk, or there would not be."""

    code = "disk_full"


class ShareError(OutputError, ConnectionError):
    """A place on the web cannot be reached, or does not take or give what it should."""

    code = "share"


class DatasetError(ToyAdmosError, ValueError):
    """A prepared folder or a store is not what its manifest says."""

    code = "dataset"


class StoreError(DatasetError):
    """Recordings that were ingested are damaged, or gone; ingesting them again mends it."""

    code = "store"


class ResourceError(ToyAdmosError, RuntimeError):
    """The machine ran out of memory or of open files; what it was used for may be whole.

    It is no OSError: where these are taken for a fault of a file, it passes.
    """

    code = "resource"


class MissingExtraError(ToyAdmosError, ImportError):
    """An optional package is not installed."""

    code = "missing_extra"


class EngineError(ToyAdmosError, RuntimeError):
    """A cluster does not answer, or a worker has other versions or does not see the driver's files."""

    code = "engine"


class WorkerError(ToyAdmosError, RuntimeError):
    """A worker process died."""

    code = "worker"
