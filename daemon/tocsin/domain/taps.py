"""Which word an emoji stands for, where one tap on a message of ours is an answer to it."""

import re
from dataclasses import dataclass

# How it is drawn (variation selectors), whose hand it is (skin tones), and what glues such parts together.
_LOOKS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\u200d\\s]+")


@dataclass(frozen=True)
class Tap:
    """What a tap says.

    only_if_paged: it counts only from somebody who was paged for it, for it may as well mean `I have seen it`.
    of_others: it means what anybody said, and not only us.
    """

    word: str
    only_if_paged: bool = False
    of_others: bool = False


_MEANS = {
    "\N{WHITE HEAVY CHECK MARK}": Tap("ack"),
    "\N{BALLOT BOX WITH CHECK}": Tap("ack"),
    "\N{HEAVY CHECK MARK}": Tap("ack"),
    "\N{THUMBS UP SIGN}": Tap("ack", only_if_paged=True),
    "\N{BLACK UP-POINTING DOUBLE TRIANGLE}": Tap("up"),
    "\N{UP-POINTING SMALL RED TRIANGLE}": Tap("up"),
    "\N{UPWARDS BLACK ARROW}": Tap("up"),
    "\N{CROSS MARK}": Tap("no"),
    "\N{PUSHPIN}": Tap("pin", of_others=True),
    "\N{ROUND PUSHPIN}": Tap("pin", of_others=True),
    "\N{POLICE CARS REVOLVING LIGHT}": Tap("declare"),
}
_SHOWN = {tap.word: emoji for emoji, tap in reversed(_MEANS.items())}


def word_of(emoji: str) -> Tap | None:
    """What a tap on this emoji says, in whatever colour it comes; None if that is nothing to us."""
    return _MEANS.get(_LOOKS.sub("", emoji))


def emoji_of(word: str) -> str:
    """The emoji that is put under a message so that one tap on it says the word. Raises KeyError if it has none."""
    return _SHOWN[word]
