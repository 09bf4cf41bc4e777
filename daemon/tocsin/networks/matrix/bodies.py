"""What an event says: messages as the content of events, built from text nodes; and the content of what comes in.

What is said and what comes in may hold anything: outside text is never markup, and no content is too odd to be read.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import dropwhile
from typing import Any, Literal
from urllib.parse import urlsplit

from tocsin.domain.message import LONGEST_TEXT, Message, Picture, safe_link, storable
from tocsin.domain.words import counted
from tocsin.networks.matrix.parts import part, text_of

Content = dict[str, Any]

LARGEST = 40_000
"""Of a content, in bytes of JSON as nio writes it: encrypted it is a third longer, and an event ends at 65,536."""

TXN = "org.tocsin.txn"
"""Where a content of ours names the id of the message that it says, so that it can be found by looking."""

_LONGEST_LINE = 4 * LONGEST_TEXT
_LONGEST_ID = 255
_LONGEST_KEY = 100
_TAG = re.compile(r"(<[^<>]*>)")
_QUOTING = re.compile(r"<(/?)(?:pre|blockquote)\b", re.IGNORECASE)
_REPLY_END = "</mx-reply>"


def content(
    message: Message,
    *,
    kind: Literal["text", "notice"],
    mentions: Sequence[str] = (),
    amends: str = "",
    answers: str = "",
    thread: str = "",
    txn_id: str,
) -> Content:
    """A message as the content of an `m.room.message`. Of what is too long the last lines go first, then text.

    kind: phones ring for a text at most, never for a notice; of an edit, what stands there from then on. mentions: MXIDs of whom it is to wake; it is a text then.
    amends: the event that it stands in place of, which wakes nobody and stays where that stands. answers: the event
    that it is a reply to. thread: the event whose thread it stands in.
    """
    msgtype = "m.text" if kind == "text" or mentions else "m.notice"

    def built(limit: int, count: int) -> Content:
        """The content with so many bytes a line, and so many lines after the first."""
        plain, marked = _bodies(message, limit, count)
        shown: Content = {
            "msgtype": msgtype,
            "body": plain,
            "format": "org.matrix.custom.html",
            "formatted_body": marked,
        }
        if not amends:
            called: Content = {"user_ids": list(mentions)} if mentions else {}
            return shown | {"m.mentions": called} | _relation(answers, thread) | {TXN: txn_id}
        return {
            "msgtype": "m.notice",  # which rings nowhere, also where edits do; what stands there is as it was
            "body": f"* {plain}",
            "m.mentions": {},
            "m.new_content": shown | {"m.mentions": {}},
            "m.relates_to": {"rel_type": "m.replace", "event_id": amends},
            TXN: txn_id,
        }

    whole = built(_LONGEST_LINE, len(message.lines))
    if _fits(whole):
        return whole
    limit = _most(_LONGEST_LINE, lambda limit: built(limit, 0))
    return built(limit, _most(len(message.lines), lambda count: built(limit, count)))


def picture_content(
    picture: Picture,
    *,
    url: str,
    keys: Mapping[str, Any] | None = None,
    answers: str = "",
    thread: str = "",
    txn_id: str,
) -> Content:
    """An uploaded picture as the content of an `m.room.message`.

    url: where it was uploaded. keys: what decrypts it, as nio answers when it uploads for an encrypted room.
    """
    width, height = picture.size
    found = {"url": url} if keys is None else {"file": {**keys, "url": url}}
    return {
        "msgtype": "m.image",
        "body": picture.alt or picture.name,
        "filename": picture.name,
        "info": {"mimetype": "image/png", "size": len(picture.png), "w": width, "h": height},
        **found,
        "m.mentions": {},
        **_relation(answers, thread),
        TXN: txn_id,
    }


def _relation(answers: str, thread: str) -> Content:
    if not answers and not thread:
        return {}
    relation: Content = {"m.in_reply_to": {"event_id": answers or thread}}
    if thread:  # clients without threads show it as a reply to what the thread is about
        relation |= {"rel_type": "m.thread", "event_id": thread, "is_falling_back": not answers}
    return {"m.relates_to": relation}


def _fits(content: Content) -> bool:
    return len(json.dumps(content)) <= LARGEST


def _most(top: int, built: Callable[[int], Content]) -> int:
    """The largest number up to `top` with which the content fits; nothing if none does."""
    return max(0, bisect_right(range(top + 1), 0, key=lambda number: not _fits(built(number))) - 1)


def _bodies(message: Message, limit: int, count: int) -> tuple[str, str]:
    """The lines as they are, and as HTML in which all that is not ours to write is a text node."""
    first, *more = replace(message, lines=message.lines[:count]).all_lines(limit)
    left = len(message.lines) - count
    more += [f"… and {counted(left, 'more line')}"] if left > 0 else []
    return "\n".join([first, *more]), "<br>".join([_marked(first, message), *map(_text, more)])


def _marked(line: str, message: Message) -> str:
    """A message's first line: what people type is set apart, and the link is one.

    Marked is what stands at the ends of the line, so that whatever it was cut to, it says the same in both forms.
    """
    ends = []
    for end, mark in ((message.link, _anchor), (message.command, _code)):
        if end and (line == end or line.endswith(f" · {end}")):
            line = line.removesuffix(end).removesuffix(" · ")
            ends.append(mark(end))
    head = ""
    if message.subject and f"{line} ".startswith(f"{message.subject} "):
        head = _code(message.subject)
        line = line.removeprefix(message.subject)
    return " · ".join(filter(None, [head + _text(line), *reversed(ends)]))


def _text(text: str) -> str:
    return escape(text, quote=False)


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _anchor(link: str) -> str:
    """A link under the name of its host: all of it would fill a phone's screen. What is unfit to be clicked is text."""
    safe = safe_link(link)
    return f'<a href="{escape(safe)}">{_text(urlsplit(safe).netloc)}</a>' if safe else _text(link)


@dataclass(frozen=True)
class Said:
    """What somebody said.

    text: in their own words; what they quote in a reply is left out. answers_event: the event that they reply to.
    in_thread: the event whose thread they speak in. edits: the event that they changed, and `text` is what it says now.
    ignored_because: why it is no command, whatever it says; the text is empty then.
    """

    text: str = ""
    answers_event: str = ""
    in_thread: str = ""
    edits: str = ""
    ignored_because: str = ""


_NO_TEXT = {"m.notice": "a notice", "m.emote": "an emote"}


def said(content: object) -> Said:
    """What the content of an `m.room.message` says, whoever wrote it."""
    relation = part(content, "m.relates_to")
    edits, answers, thread = "", "", ""
    if relation.get("rel_type") == "m.replace":
        content, edits = part(content, "m.new_content"), _event_id(relation)
        if not edits:
            return Said(ignored_because="an edit of nothing")
    else:
        answers = _event_id(part(relation, "m.in_reply_to"))
        if relation.get("rel_type") == "m.thread":
            thread = _event_id(relation)
            if relation.get("is_falling_back") is True:
                answers = ""  # it only says where the thread stands
    why, text = _words(content, quotes=bool(answers))
    return Said(ignored_because=why) if why else Said(text, answers, thread, edits)


def reaction(content: object) -> tuple[str, str] | None:
    """The event that an `m.reaction` is about, and its emoji as it came; None if it is no such thing."""
    relation = part(content, "m.relates_to")
    event, key = _event_id(relation), relation.get("key")
    if relation.get("rel_type") != "m.annotation" or not event or not isinstance(key, str):
        return None
    return (event, key) if key == storable(key, _LONGEST_KEY) else None


def _words(content: object, *, quotes: bool) -> tuple[str, str]:
    """Why it is no command, or what it says. quotes: it is a reply, before which older clients quote."""
    msgtype, body, marked = (text_of(content, name) for name in ("msgtype", "body", "formatted_body"))
    if msgtype != "m.text":
        return _NO_TEXT.get(msgtype, "no text"), ""
    if quotes:
        body = "\n".join(dropwhile(lambda line: line.startswith(">"), body.split("\n")))
    body = body.strip()
    if not body:
        return "nothing said", ""
    if body.startswith(">"):
        return "a quotation", ""
    if body.startswith("```") or _quoted(marked):
        return "a quotation or code", ""
    return "", storable(body)


def _quoted(marked: str) -> bool:
    """Whether all that this HTML shows stands in quotations and blocks of code."""
    if _REPLY_END in marked:
        marked = marked.partition(_REPLY_END)[2]
    depth, found = 0, False
    for piece in _TAG.split(marked):  # every second one is a tag
        if tag := _QUOTING.match(piece):
            depth = max(0, depth - 1) if tag[1] else depth + 1
        elif piece.strip() and not piece.startswith("<"):
            if not depth:
                return False
            found = True
    return found


def _event_id(relation: Mapping[str, object]) -> str:
    """The event's id, or nothing if it can't be one."""
    found = text_of(relation, "event_id")
    return found if found.startswith("$") and found == storable(found, _LONGEST_ID) else ""
