"""Texts that a stranger may choose, and what of them must not reach a terminal, a card or a page."""

from __future__ import annotations

import os
import unicodedata

NAMES = {
    "escape sequence": "a\x1b[2Jb",
    "C1": "a\x9b31mb",
    "delete": "a\x7fb",
    "line feed": "a\nerror: all is well",
    "carriage return": "a\rb",
    "bidirectional": "a\u202eb\u2066c\u200fd\u061ce",
    "line separator": "a\u2028b\u2029c",
    "zero width": "a\u200bb\ufeffc\u3164d",
    "undecodable": "a" + os.fsdecode(b"\xff\xfe") + "b",
    "unassigned": "a\U000e01f0b\u0378",
}

MARKUP = "<script>alert(1)</script> [x](javascript:1) | `code` ``two`` --- *b* &#x202e; <!-- \n---\nlicense: mit\n# top"


def raw_in(text: str) -> set[str]:
    """Return the characters of a text that are not visible, but for the line feeds between its lines."""
    return {one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}}
