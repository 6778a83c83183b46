"""Options that several commands have: typed one by one, and handed to the command as the one value that they make."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, get_type_hints

Command: TypeAlias = Callable[..., Any]


def with_options(
    name: str, options: Sequence[inspect.Parameter], gather: Callable[..., Any]
) -> Callable[[Command], Command]:
    """Put options in the place of one of a command's parameters, and call the command with what they make.

    Args:
        name: The parameter.
        options: What stands in its place, as typer sees it.
        gather: Makes its value of what was typed.
    """

    def replacing(command: Command) -> Command:
        """Return the command with the options."""
        own = parameters_of(command)
        at = [one.name for one in own].index(name)
        shown = [*own[:at], *options, *own[at + 1 :]]

        @functools.wraps(command)
        def run(**typed: Any) -> Any:  # noqa: ANN401  # typer passes each option by its own type
            """Gather the options, and run the command."""
            made = gather(**{one.name: typed.pop(one.name) for one in options})
            return command(**{name: made}, **typed)

        del run.__wrapped__  # typer would look through to the command
        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in shown}
        return run

    return replacing


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return a function's parameters with their annotations evaluated; what only types need stands for any object."""
    unknown = dict.fromkeys(("PrepareOptions", "RenderOptions", "FetchChoices"), object)
    hints = get_type_hints(function, localns=unknown, include_extras=True)
    return [one.replace(annotation=hints[one.name]) for one in inspect.signature(function).parameters.values()]
