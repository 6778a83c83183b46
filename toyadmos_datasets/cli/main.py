"""The entry point: runs a command and turns every error into text and an exit status, here and nowhere else."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click
import typer

from toyadmos_datasets.cli.app import app
from toyadmos_datasets.errors import OptionError, ToyAdmosError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `toyadmos` with the process's arguments and exit: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_debugging = DEBUG in given
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # a replaced stream may not know encodings
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run([one for one in given if one != DEBUG], is_debugging=is_debugging))


def run(arguments: Sequence[str], *, is_debugging: bool = False) -> int:
    """Run one command and return its exit status; with debugging, errors keep their traceback."""
    try:
        return _command(arguments)
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter must not try to flush to it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        _say("Interrupted. What was finished is kept; the same command goes on from there.")
        return EXIT_INTERRUPTED
    except ToyAdmosError as error:
        if is_debugging:
            raise
        _say(f"error: {error}")
        return EXIT_USAGE if isinstance(error, OptionError) else EXIT_FAILED
    except Exception as error:
        if is_debugging:
            raise
        _say(_unforeseen(error))
        return EXIT_FAILED


def _command(arguments: Sequence[str]) -> int:
    try:
        status = app(list(arguments), prog_name="toyadmos", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:  # wrong arguments, as click words them
        error.show()
        return EXIT_USAGE
    return status if isinstance(status, int) else 0


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        typer.echo(text, err=True)


def _unforeseen(error: Exception) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return (
        "error: Something failed that this program did not foresee.\n"
        f"  actual:   {kind}: {error}\n"
        f"  remedy:   Run the same command with {DEBUG} and report what it prints."
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
