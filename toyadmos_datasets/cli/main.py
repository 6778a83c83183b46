"""Runs a command and turns every error into text and an exit status, here and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from toyadmos_datasets.cli import recipe_commands
from toyadmos_datasets.cli.audit_command import audit
from toyadmos_datasets.cli.cache_commands import cache, download, simulate
from toyadmos_datasets.cli.export_commands import export, report
from toyadmos_datasets.cli.index_commands import index, protocols
from toyadmos_datasets.cli.interrupt import EXIT_INTERRUPTED, Interrupts
from toyadmos_datasets.cli.prepare_commands import plan, prepare
from toyadmos_datasets.cli.share_commands import fetch_recipe, share
from toyadmos_datasets.cli.training_commands import compare, evaluate, train
from toyadmos_datasets.cli.verify_command import verify
from toyadmos_datasets.errors import DiskFullError, OptionError, ToyAdmosError
from toyadmos_datasets.escaping import escaped_lines, without_secrets
from toyadmos_datasets.files.reading import shortage_of

app = typer.Typer(
    name="toyadmos",
    help="ToyADMOS as a clean, reproducible dataset for anomalous sound detection.",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("prepare")(prepare)
app.command("plan")(plan)
app.command("protocols")(protocols)
app.command("download")(download)
app.command("index")(index)
app.command("verify")(verify)
app.command("audit")(audit)
app.add_typer(recipe_commands.app, name="recipe")
app.command("simulate")(simulate)
app.command("cache")(cache)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("report")(report)
app.command("share")(share)
app.command("export")(export)
app.command("fetch-recipe")(fetch_recipe)


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
            "--version", help="Print the version, and that of liblzma.", callback=_show_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error; goes anywhere.")] = False,
) -> None:
    del version, debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


EXIT_FAILED = 1
EXIT_USAGE = 2
DEBUG = "--debug"

# typer has click inside or beside it, depending on its version; the base of its parameter errors is in both.
_WrongArguments = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def start(arguments: Sequence[str], interrupts: Interrupts | None = None) -> int:
    """Make the process ready for a command, run it and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a replaced stream may not know encodings
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status = run([one for one in arguments if one != DEBUG], is_debugging=DEBUG in arguments, interrupts=interrupts)
    for number in (signal.SIGINT, signal.SIGTERM):  # the interpreter ends by itself now, and not in a traceback
        signal.signal(number, signal.SIG_IGN)
    return status


def run(arguments: Sequence[str], *, is_debugging: bool = False, interrupts: Interrupts | None = None) -> int:
    """Run one command and return its exit status; with debugging, an error's traceback stands before its text."""
    try:
        return _command(arguments)
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter must not try to flush to it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        (interrupts or Interrupts()).say()
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last resort: a user sees text and no traceback
        if is_debugging:
            _say(traceback.format_exc())
        _say(f"error: {error if isinstance(error, ToyAdmosError) else _explained(error)}")
        return EXIT_USAGE if isinstance(error, OptionError) else EXIT_FAILED


def _command(arguments: Sequence[str]) -> int:
    try:
        status = app(list(arguments), prog_name="toyadmos", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as exit_:
        status = exit_.exit_code
    except _WrongArguments as error:
        command = error.ctx.command_path if error.ctx else "toyadmos"
        raise OptionError(error.format_message(), remedy=f"See what there is: {command} --help") from error
    if status == EXIT_INTERRUPTED:  # what typer makes of an interrupt
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


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
