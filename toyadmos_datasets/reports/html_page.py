"""The frame of a report: one file, no script, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toyadmos_datasets.escaping import html_text

STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --dim: #5b6875; --paper: #fff; --panel: #f4f6f8; --grid: #dfe4e9;
  --normal: #2b6cb0; --anomalous: #c2410c; --accent: #0b7a75; --warn: #8a4b00; --warn-paper: #fff4e0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --dim: #9aa7b4; --paper: #11161c; --panel: #1a2129;
  --grid: #2c3641; --normal: #6db3f2; --anomalous: #f59a5b; --accent: #4fd1c5; --warn: #ffd08a;
  --warn-paper: #33260f } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 1rem 0 .3rem } .clip h3 { margin-top: 0 }
  p { margin: .4rem 0; max-width: 44rem } .dim, small { color: var(--dim) }
.note { background: var(--warn-paper); color: var(--warn); padding: .5rem .8rem; border-radius: .4rem; max-width: none }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem;
  margin-top: .8rem }
.grid-of { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: .8rem }
figure, .clip { margin: 0; padding: .7rem; background: var(--panel); border-radius: .5rem; break-inside: avoid }
figcaption { font-size: .85rem; color: var(--dim) }
svg { display: block; width: 100%; height: auto } svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
.grid { stroke: var(--grid); stroke-width: 1 } .axis { stroke: var(--dim); fill: none }
.line { stroke: var(--accent); fill: none; stroke-width: 2; vector-effect: non-scaling-stroke }
.dot { fill: var(--accent) } .band { fill: var(--accent); opacity: .2 }
.chance { stroke: var(--dim); stroke-dasharray: 4 4; fill: none }
.mark { stroke: var(--ink); stroke-dasharray: 5 3; vector-effect: non-scaling-stroke }
.normal { fill: var(--normal); fill-opacity: .45; stroke: var(--normal) }
.anomalous { fill: var(--anomalous); fill-opacity: .4; stroke: var(--anomalous) }
table { border-collapse: collapse; font-size: .92rem } .wide { overflow-x: auto }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--grid); vertical-align: middle }
.facts th { white-space: nowrap } .facts td { overflow-wrap: anywhere }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.figures th { font-weight: 500 } .figures small { display: block; font-weight: 400 }
.bars { width: 100% } .bars th { font-weight: 500 }
td.bar { position: relative; width: 45%; min-width: 6rem; height: 1.6rem }
.bar span { position: absolute; top: 50% } .half { left: 50%; height: 100%; transform: translateY(-50%);
  border-left: 1px dashed var(--dim) } .whisker { height: 2px; background: var(--accent); opacity: .6 }
.point { width: 10px; height: 10px; margin: -5px 0 0 -5px; border-radius: 50%; background: var(--accent) }
.spectrogram { display: block; width: 100%; height: 8.5rem; border-radius: .3rem }
.grid-of .spectrogram { height: 6rem } .trace { height: 3.2rem; margin: .2rem 0 } audio { width: 100%; height: 2.4rem }
@media (max-width: 36rem) { .bars thead { display: none }
  .bars tr { display: grid; grid-template-columns: 1fr auto auto; column-gap: .6rem;
    border-bottom: 1px solid var(--grid) }
  .bars th { grid-column: 1 / -1 } .bars th, .bars td { border: 0; padding: .1rem 0 } td.bar { width: auto } }
@media print { :root { --ink: #000; --dim: #444; --paper: #fff; --panel: #fff; --grid: #ccc; --normal: #2b6cb0;
  --anomalous: #c2410c; --accent: #0b7a75; --warn: #000; --warn-paper: #eee } audio { display: none }
  body { max-width: none; font-size: 10pt; padding: 0 } h2 { break-after: avoid } * { print-color-adjust: exact } }
"""

POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
"""What the page may load: what is in it."""


def whole_page(title: str, sections: Sequence[str]) -> str:
    """Return a page of HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{html_text(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{html_text(title)}</h1>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def section(heading: str, *content: str) -> str:
    """Return a section under a heading."""
    return f"<section><h2>{html_text(heading)}</h2>{''.join(content)}</section>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{kind}">{html_text(text)}</p>' if kind else f"<p>{html_text(text)}</p>"


def figure(content: str, caption: str) -> str:
    """Return a picture with its caption."""
    return f"<figure>{content}<figcaption>{html_text(caption)}</figcaption></figure>"


def facts_table(facts: Mapping[str, str]) -> str:
    """Return a table of names and values."""
    rows = "".join(
        f"<tr><th scope=row>{html_text(name)}</th><td>{html_text(value)}</td></tr>" for name, value in facts.items()
    )
    return f'<div class="wide facts"><table>{rows}</table></div>'


def rows_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a heading for each column."""
    head = "".join(f"<th scope=col>{html_text(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{html_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
