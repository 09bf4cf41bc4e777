"""The modes of a channel that keep strangers out, as lines of the server tell them."""

from collections.abc import Mapping, Sequence

CLOSING = frozenset("ik")
"""Nobody joins who was not invited, or who has no key."""

_SORTS = "beI,k,l,imnpst"
_RANKS = "(ov)@+"
"""What servers have that don't say what they have (CHANMODES and PREFIX in ISUPPORT)."""


def told(modes: str) -> frozenset[str] | None:
    """Which of them are set, as the answer to our question says (324); None if that is no answer."""
    return CLOSING & set(modes) if modes.startswith("+") else None


def changed(
    known: frozenset[str], words: Sequence[str], features: Mapping[str, str]
) -> frozenset[str] | None:
    """Which of them are set after a MODE; None if it doesn't add up, so that they must be asked for.

    known: those that were. words: the letters with their signs, and then the parameters of those that take one.
    features: by which the server tells them (ISUPPORT). A parameter may look like letters, and is none.
    """
    letters, *parameters = words or [""]
    if not letters.startswith(("+", "-")):
        return None
    lists, always, if_set, *_ = (features.get("CHANMODES") or _SORTS).split(",") + [""] * 3
    ranks = (features.get("PREFIX") or _RANKS).partition(")")[0].removeprefix("(")
    found, sign, take = set(known), "+", 0
    for letter in letters:
        if letter in "+-":
            sign = letter
            continue
        take += letter in lists + always + ranks or (letter in if_set and sign == "+")
        if letter in CLOSING:
            (found.add if sign == "+" else found.discard)(letter)
    # Fewer are no wonder: a key need not be shown. More than that belong to something that we don't understand.
    return frozenset(found) if len(parameters) <= take else None
