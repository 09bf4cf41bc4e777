"""A page as it is on the forge, as the site has it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs._site import commands, events, settings
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

ELSEWHERE: Mapping[str, str] = {"changelog": "CHANGELOG.md", "figures": "benchmarks/RESULTS.md"}
"""Page of the site -> the file of the repository that it is. Here it is a link to that."""

MADE: Mapping[str, Callable[[], str]] = {
    "settings": settings.page,
    "commands": commands.in_chat,
    "command line": commands.on_the_command_line,
    "events": events.page,
}
"""What stands in a page in place of `<!-- made of the code: NAME -->`, which the forge shows as nothing."""

MENUS = ("index", "adr/README")
"""The pages whose lists of links are the site's menu."""


def read(_: Sphinx, name: str, source: list[str]) -> None:
    """What Sphinx calls with each page that it has read."""
    text = source[0]
    if name in ELSEWHERE:
        text = (ROOT / ELSEWHERE[name]).read_text()
    text = re.sub("<!-- made of the code: ([a-z ]+) -->", lambda found: MADE[found[1]](), linked(text))
    source[0] = text + menu(text) if name in MENUS else text


def linked(text: str) -> str:
    """With links to the pages that the site has of files elsewhere."""
    for name, path in ELSEWHERE.items():
        text = re.sub(rf"\]\(\.\./((?:\.\./)*){re.escape(path)}", rf"](\1{name}.md", text)
    return text


def menu(text: str) -> str:
    """The lists of links in a page, as the site's menu: a part for each heading."""
    parts = []
    for chapter in re.split(r"(?m)^## ", text):
        caption = chapter.partition("\n")[0] if not chapter.startswith("# ") else ""
        if names := re.findall(r"(?m)^- \[[^]]+\]\(([^)#]+)\.md\)", chapter):
            said = f":caption: {caption}\n" if caption else ""
            parts.append("\n```{toctree}\n:hidden:\n" + said + "\n" + "\n".join(names) + "\n```\n")
    return "".join(parts)
