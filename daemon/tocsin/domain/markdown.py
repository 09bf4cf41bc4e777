"""A document as Markdown, in which a text is only ever a text. Pure."""

import re
from collections.abc import Iterator

from tocsin.domain.document import LONGEST, Blank, Block, Bullets, Document, Paragraph, Table
from tocsin.domain.message import clean

_SIGNS = re.compile(r"[\\`*_{}\[\]<>|~#@&$^]")
_BEGINS = re.compile(r"^(?P<sign>[-+=:])|^(?P<number>\d+)(?P<dot>[.)])(?=\s|$)")
_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*)(?P<colon>:)(?=//)|\b(?P<www>www)(?P<dot>\.)", re.IGNORECASE
)


def markdown(document: Document) -> str:
    """The document; pictures are left out."""
    mark = f" ({_text(document.mark)})" if document.mark else ""
    lines = [f"# {_text(document.title)}", ""]
    if document.mark:
        lines += [f"**{_text(document.mark).upper()}**", ""]
    for chapter in document.chapters:
        lines += [f"## {_text(chapter.title)}{mark}", ""]
        for block in chapter.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield _text(block.text)
        case Bullets():
            yield from (f"- {_text(one)}" for one in block.items)
        case Table():
            yield _row(block.head)
            yield f"|{'---|' * len(block.head)}"
            yield from (_row(row) for row in block.rows)
        case Blank():
            yield f"*{_text(block.ask)}*"
            yield ""
            yield "\u2026"
        case _:
            return


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """A text in one line, in which nothing is markup: no heading, list, link, picture, table, HTML, mention or address."""
    text = _SIGNS.sub(r"\\\g<0>", clean(text, LONGEST))
    text = _ADDRESS.sub(_apart, text)
    return _BEGINS.sub(
        lambda found: f"\\{found[0]}" if found["sign"] else f"{found['number']}\\{found['dot']}", text
    )


def _apart(found: re.Match[str]) -> str:
    """What would be made a link by itself."""
    return f"{found['scheme']}\\:" if found["scheme"] else f"{found['www']}\\."
