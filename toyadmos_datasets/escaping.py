"""Escaping of texts that come from outside: for people, for a shell, for Python, and without secrets.

A file name, a config, a server's answer or another library's message may hold anything: escape sequences that move a
terminal's cursor, line feeds that fake a line of ours, characters that turn the direction of writing. Whatever shows
such a text shows it through here. What is shown stays readable: letters of all languages are left as they are.
"""

from __future__ import annotations

import os
import re
import shlex
from html import escape

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters, marks and a symbol that Unicode takes for printable, and that show nothing."""

_SECRETS = (
    re.compile(r"(?<=://)[^\s/@:?#]*:\S*@"),  # user:password, which may have a slash or an @ in it
    re.compile(r"""(?<=://)[^\s/@:?#"'<>]*:[^/\n"'<>]*@"""),  # the same with blanks, in an address that is none
    re.compile(r"(?<=://)[^\s/@?#]*@"),
)
_SECRET_PARAMETER = re.compile(
    r"([?&;][^\s=&;#]*(?:sig|token|key|secret|pass|pwd|auth|cred|jwt|session)[^\s=&;#]*=)[^\s&;#'\"<>]*", re.IGNORECASE
)
_MARKUP = re.compile(r"[\\`*\[\]<|&]|__+|~~+")
"""What Markdown, and HTML in it, may take for more than text; a single underscore within a word is none."""

_LATEX = {one: f"\\{one}" for one in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "*": r"$^{*}$",
    "<": r"$<$",
    ">": r"$>$",
}
"""What LaTeX takes for more than text, or prints as something else."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escaped(text: object) -> str:
    r"""Return a text as one line of visible characters.

    Control characters, line feeds included, characters of format (bidirectional ones, zero width), odd blanks, bytes of
    a file name that are no UTF-8 and unassigned characters become escapes, as Python writes them.

    Example:
        >>> print(escaped("a\x1b[31m\u202eb"))
        a\x1b[31m\u202eb
    """
    written = str(text)
    if written.isascii() and written.isprintable():
        return written
    return "".join(one if _is_visible(one) else _escape(one) for one in written)


def escaped_lines(text: object) -> str:
    """Return a text of several lines of ours, each of them escaped."""
    return "\n".join(map(escaped, str(text).split("\n")))


def without_secrets(text: object) -> str:
    """Return a text whose addresses have no user, no password and no signature, also where they cannot be parsed.

    Example:
        >>> without_secrets("s3://key:sec/ret@bucket/a?X-Amz-Signature=1f&part=2")
        's3://bucket/a?X-Amz-Signature=***&part=2'
    """
    written = str(text)
    if "://" in written:
        for pattern in _SECRETS:
            written = pattern.sub("", written)
    return _SECRET_PARAMETER.sub(r"\1***", written) if "=" in written else written


def html_text(text: object) -> str:
    """Write a text for HTML and SVG, also inside an attribute."""
    return escape(escaped(text))


def markdown_text(text: object) -> str:
    r"""Write a text for a line or a cell of Markdown, where it stays text: no link, no markup, no code, no column.

    Example:
        >>> print(markdown_text("a <b> [c](d) | `e`\n---"))
        a \<b> \[c\](d) \| \`e\`\\n---
    """
    return _MARKUP.sub(r"\\\g<0>", escaped(text))


def markdown_code(text: object) -> str:
    r"""Write a text as code in a cell of a table of Markdown.

    Example:
        >>> print(markdown_code("a|b`c"))
        `` a\|b`c ``
    """
    written = escaped(text).replace("|", r"\|")
    runs = re.findall("`+", written)
    if not runs:
        return f"`{written}`"
    fence = "`" * (max(map(len, runs)) + 1)
    return f"{fence} {written} {fence}"


def latex_text(text: object) -> str:
    r"""Write a text for a cell of a LaTeX table, where it stays text; what is not visible is left out.

    Example:
        >>> print(latex_text("paper* at 6 dB: 12 %"))
        paper$^{*}$ at 6 dB: 12 \%
    """
    return "".join(_LATEX.get(one, one) for one in str(text) if one.isprintable())


def shell_word(text: str | os.PathLike[str]) -> str:
    r"""Quote a word for a shell; what is not visible in the form ``$'..'``, which bash, zsh and ksh read.

    A path that begins with a dash gets ``./`` before it, so that no command takes it for an option.

    Example:
        >>> print(shell_word("it's"), shell_word("a\x1bb"))
        'it'"'"'s' $'a\x1bb'
    """
    word = os.fspath(text)
    if isinstance(text, os.PathLike) and word.startswith("-"):
        word = f"./{word}"
    if all(map(_is_visible, word)):
        return shlex.quote(word)
    return "$'" + "".join(map(_in_shell, word)) + "'"


def shell_line(*words: str | os.PathLike[str]) -> str:
    """Quote the words of a command, and join them."""
    return " ".join(map(shell_word, words))


def python_text(text: str | os.PathLike[str]) -> str:
    r"""Write a text as Python does in double quotes.

    Example:
        >>> print(python_text('a "b"\x1b'))
        "a \"b\"\x1b"
    """
    quoted = os.fspath(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped(quoted)}"'


def _is_visible(one: str) -> bool:
    return one.isprintable() and one not in _INVISIBLE


def _escape(one: str) -> str:
    return _SHORT.get(one) or one.encode("unicode_escape").decode() if one not in _INVISIBLE else f"\\u{ord(one):04x}"


def _in_shell(one: str) -> str:
    if one in {"'", "\\"}:
        return f"\\{one}"
    if _is_visible(one):
        return one
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(one))
