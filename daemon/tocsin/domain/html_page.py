"""A document as one file of HTML: no script, nothing fetched, and a text is only ever a text. Pure."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape

from tocsin.domain.document import LONGEST, Blank, Block, Bullets, Chart, Document, Paragraph, Table
from tocsin.domain.drawing import svg
from tocsin.domain.message import clean

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --soft: #5b5b66; --line: #c9c9d2; --mark: #0b57d0;
  --bar: #b3261e; --tick: #146c2e; --blank: #f4f4f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6ea; --paper: #131316; --soft: #a9a9b4; --line: #44444d;
  --mark: #a8c7fa; --bar: #f2b8b5; --tick: #a6d7b1; --blank: #212126; } }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.drill { border: 2px solid var(--bar); padding: .5rem .75rem; font-weight: bold; text-transform: uppercase; }
.of { color: var(--soft); font-weight: normal; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border: 1px solid var(--line); padding: .25rem .4rem; text-align: left; vertical-align: top; height: 1.5em; }
td, th { overflow-wrap: break-word; } td:last-child { overflow-wrap: anywhere; min-width: 4em; }
.blank { background: var(--blank); border: 1px dashed var(--line); padding: .5rem .75rem 2.5rem; color: var(--soft); }
figure { margin: 1rem 0; } svg { display: block; width: 100%; max-width: 40rem; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
.mark { fill: var(--mark); } .bar { fill: var(--bar); } .tick { stroke: var(--tick); stroke-width: 1.5; fill: none; }
.axis { stroke: var(--soft); } .guide { stroke: var(--line); stroke-dasharray: 2 3; }
"""

_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()

POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""Nothing is run or fetched but this one style, whatever stands in the page."""


def html_page(document: Document) -> str:
    """The document, with its pictures; for phones and wide screens, by day and by night."""
    mark = _text(document.mark)
    title = f"{mark}: {_text(document.title)}" if mark else _text(document.title)
    of = f' <span class="of">({mark})</span>' if mark else ""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{_text(document.title)}</h1>",
    ]
    if mark:
        parts.append(f'<p class="drill">{mark}</p>')
    for chapter in document.chapters:
        parts.append(f"<section><h2>{_text(chapter.title)}{of}</h2>")
        for block in chapter.blocks:
            parts += _block(block)
        parts.append("</section>")
    return "\n".join([*parts, "</body>", "</html>"]) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"<p>{_text(block.text)}</p>"
        case Bullets():
            yield f"<ul>{''.join(f'<li>{_text(one)}</li>' for one in block.items)}</ul>"
        case Table():
            yield f'<div class="wide"><table><thead>{_row(block.head, "th")}</thead><tbody>'
            yield from (_row(row, "td") for row in block.rows)
            yield "</tbody></table></div>"
        case Blank():
            yield f'<p class="blank">{_text(block.ask)}</p>'
        case Chart():
            yield f"<figure>{svg(block)}</figure>"


def _row(cells: tuple[str, ...], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(clean(text, LONGEST))
