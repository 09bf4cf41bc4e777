"""The modes of a channel that keep strangers out, and our rank in it, as lines of the server tell them."""

from collections.abc import Iterator, Mapping, Sequence

from tocsin.networks.irc.lines import fold

CLOSING = frozenset("ik")
"""Nobody joins who was not invited, or who has no key."""

_SORTS = "beI,k,l,imnpst"
_RANKS = "(ov)@+"
"""What servers have that don't say what they have (CHANMODES and PREFIX in ISUPPORT)."""

OPERATORS = frozenset("~&@")
"""What stands before the names of those who may change a channel."""

_MARKS = "~&@%+!"


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
    found, take = set(known), 0
    for sign, letter, takes in _each(letters, features):
        take += takes
        if letter in CLOSING:
            (found.add if sign == "+" else found.discard)(letter)
    # Fewer are no wonder: a key need not be shown. More than that belong to something that we don't understand.
    return frozenset(found) if len(parameters) <= take else None


def ranked(words: Sequence[str], features: Mapping[str, str], nick: str) -> bool | None:
    """Whether a MODE makes somebody an operator, or one no more; None if it does neither. Parameters as for `changed`."""
    letters, *parameters = words or [""]
    found, left = None, iter(parameters)
    for sign, letter, takes in _each(letters, features):
        whom = next(left, "") if takes else ""
        if letter == "o" and fold(whom) == fold(nick):
            found = sign == "+"
    return found


def operates(names: str, nick: str) -> bool | None:
    """Whether somebody is an operator, as the list of who is there says (353); None if they don't stand in it."""
    for name in names.split():
        bare = name.lstrip(_MARKS)
        if fold(bare) == fold(nick):
            return bool(OPERATORS & set(name.removesuffix(bare)))
    return None


def has_list(letter: str, features: Mapping[str, str]) -> bool:
    """Whether the server has a list of masks by that letter, as it says."""
    return letter in features.get("CHANMODES", "").partition(",")[0]


def _each(letters: str, features: Mapping[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Each letter of a MODE with its sign, and whether it takes a parameter."""
    lists, always, if_set, *_ = (features.get("CHANMODES") or _SORTS).split(",") + [""] * 3
    ranks = (features.get("PREFIX") or _RANKS).partition(")")[0].removeprefix("(")
    sign = "+"
    for letter in letters:
        if letter in "+-":
            sign = letter
        else:
            yield sign, letter, letter in lists + always + ranks or (letter in if_set and sign == "+")
