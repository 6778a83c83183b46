"""The front matter of cards: YAML between two lines of dashes, which no value of it can break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
    """Writes texts with anything but ASCII, or with a line feed, as one quoted line of escapes."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if text.isascii() and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def front_matter(values: Mapping[str, Any]) -> str:
    r"""Return the front matter of a card, with its dashes; it reads as the same values.

    Example:
        >>> print(front_matter({"pretty_name": "a\n---\nb"}), end="")
        ---
        pretty_name: "a\n---\nb"
        ---
    """
    spelled = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, width=120)
    return f"---\n{spelled}---\n"
