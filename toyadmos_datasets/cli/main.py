"""Runs a command and turns every error into text and an exit status, here and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from toyadmos_datasets.cli.command_table import COMMANDS, SETTINGS, Commands, nearest_command
from toyadmos_datasets.cli.interrupt import EXIT_INTERRUPTED, Interrupts
from toyadmos_datasets.cli.terminal import Verbosity, print_json, set_verbosity
from toyadmos_datasets.errors import DiskFullError, OptionError, ToyAdmosError
from toyadmos_datasets.escaping import escaped_lines, without_secrets
from toyadmos_datasets.files.reading import shortage_of

app = typer.Typer(
    name="toyadmos",
    cls=Commands,
    help="ToyADMOS as a clean, reproducible dataset for anomalous sound detection.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)


def _show_version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        from importlib.metadata import version

        typer.echo(f"toyadmos {version('toyadmos-datasets')}")
        typer.echo(f"liblzma {liblzma_version() or 'of unknown version'}")
        raise typer.Exit


def liblzma_version() -> str | None:
    """Return the version of the library that the standard library's `lzma` runs on, which decides how fast it is.

    A preloaded one comes first, as the linker has it. None where it is hidden inside Python, as on Windows.
    """
    import _lzma
    import ctypes

    for place in (None, getattr(_lzma, "__file__", None)):
        with contextlib.suppress(AttributeError, OSError, TypeError):
            version = ctypes.CDLL(place).lzma_version_string
            version.restype = ctypes.c_char_p
            return str(version().decode())
    return None


@app.callback()
def _global(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Print the version of this package and of liblzma.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Print only errors and the output of --json. May stand anywhere in the line."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print each step and its duration. May stand anywhere in the line.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with an error. May stand anywhere in the line.")
    ] = False,
) -> None:
    del version, quiet, verbose, debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


EXIT_FAILED = 1
EXIT_USAGE = 2
DEBUG = "--debug"
_AS_JSON = "--json"
_ANYWHERE = {
    DEBUG: None,
    "--quiet": Verbosity.QUIET,
    "-q": Verbosity.QUIET,
    "--verbose": Verbosity.VERBOSE,
    "-v": Verbosity.VERBOSE,
}
"""Options that stand before or after a command, and how much is told with each."""

# typer has click inside or beside it, depending on its version; the base of its parameter errors is in both.
_WrongArguments = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def start(arguments: Sequence[str], interrupts: Interrupts | None = None) -> int:
    """Make the process ready for a command, run it and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a replaced stream may not know encodings
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status = run(arguments, interrupts=interrupts)
    for number in (signal.SIGINT, signal.SIGTERM):  # the interpreter ends by itself now, and not in a traceback
        signal.signal(number, signal.SIG_IGN)
    return status


def run(arguments: Sequence[str], *, interrupts: Interrupts | None = None) -> int:
    """Run one command and return its exit status; with debugging, an error's traceback stands before its text."""
    told = [level for one, level in _ANYWHERE.items() if one in arguments and level is not None]
    set_verbosity(told[-1] if told else Verbosity.NORMAL)
    try:
        return _command([one for one in arguments if one not in _ANYWHERE])
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter must not try to flush to it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        (interrupts or Interrupts()).say()
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last resort: a user sees text and no traceback
        if DEBUG in arguments:
            _say(traceback.format_exc())
        known = error if isinstance(error, ToyAdmosError) else _explained(error)
        if _AS_JSON in arguments:
            _print_error(known)
        _say(f"error: {known}")
        return EXIT_USAGE if isinstance(error, OptionError) else EXIT_FAILED


def _print_error(error: ToyAdmosError) -> None:
    """Print an error as the one JSON value of a command that failed."""
    facts = {name: without_secrets(text) for name, text in {"what": error.what, **error.facts}.items()}
    with contextlib.suppress(OSError):  # standard output may be what failed
        print_json({"error": {"class": type(error).__name__, "code": error.code, **facts}})


def _command(arguments: Sequence[str]) -> int:
    try:
        status = app(list(arguments), prog_name="toyadmos", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as exit_:
        status = exit_.exit_code
    except _WrongArguments as error:
        command = error.ctx.command_path if error.ctx else "toyadmos"
        remedy = _meant(arguments) or f"See what there is: {command} --help"
        raise OptionError(error.format_message(), remedy=remedy) from error
    if status == EXIT_INTERRUPTED:  # what typer makes of an interrupt
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _meant(arguments: Sequence[str]) -> str | None:
    """Return what somebody probably meant whose arguments are wrong; None where that is not plain."""
    word = next((one for one in arguments if not one.startswith("-")), None)
    if word is not None and word not in COMMANDS and (near := nearest_command(word)):
        return f"Did you mean: toyadmos {near}"
    for number, option in enumerate(arguments):
        values = list(itertools.takewhile(_NUMBER.fullmatch, arguments[number + 1 :]))
        if option.startswith("--") and len(values) > 1:
            return f"Several values of an option stand behind commas: {option} {','.join(values)}"
    return None


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        typer.echo(escaped_lines(without_secrets(text)), err=True)


def _explained(error: Exception) -> ToyAdmosError:
    """Say of an error of others what can be said of it here."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        return DiskFullError(
            "There is no room for what is printed.",
            where="standard output",
            actual="the disk that it is sent to is full",
            remedy="Make room, then run the same command again.",
        )
    shortage = shortage_of(error, getattr(error, "filename", None))
    if shortage is not None:
        return shortage
    if isinstance(error, OSError) and error.filename is not None:
        return ToyAdmosError(
            "The system refuses a file or a folder.",
            where=os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename,
            actual=f"{error.strerror} ({errno.errorcode.get(error.errno or 0, 'no errno')})",
            remedy=f"Check that it is spelled right, is there, and that you may use it. {DEBUG} shows what was done.",
        )
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return ToyAdmosError(
        "Something failed that this program did not foresee.",
        actual=f"{kind}: {error}",
        remedy=f"Run the same command with {DEBUG} and report what it prints.",
    )
