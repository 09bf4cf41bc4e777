"""One tap on an emoji is a word, however a phone draws the emoji."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.taps import Tap, emoji_of, word_of

TEXT_STYLE, EMOJI_STYLE = "\N{VARIATION SELECTOR-15}", "\N{VARIATION SELECTOR-16}"
TONES = [chr(tone) for tone in range(0x1F3FB, 0x1F400)]
ZWJ = "\N{ZERO WIDTH JOINER}"


@pytest.mark.parametrize(
    ("emoji", "tap"),
    [
        ("✅", Tap("ack")),
        ("☑", Tap("ack")),
        ("✔", Tap("ack")),
        ("👍", Tap("ack", only_if_paged=True)),
        ("⏫", Tap("up")),
        ("🔼", Tap("up")),
        ("⬆", Tap("up")),
    ],
)
def test_an_emoji_stands_for_a_word_in_whatever_colour_it_comes(emoji: str, tap: Tap) -> None:
    for looks in (
        "",
        EMOJI_STYLE,
        TEXT_STYLE,
        *TONES,
        f"{TONES[3]}{EMOJI_STYLE}",
        ZWJ,
        f"{EMOJI_STYLE}{ZWJ}",
    ):
        assert word_of(f"{emoji}{looks}") == tap
    assert word_of(f" {emoji}\n") == tap


@pytest.mark.parametrize(
    "emoji",
    [
        "",
        " ",
        EMOJI_STYLE,
        ZWJ,
        "👎",
        "✅✅",
        "✅👍",
        "👍🏽x",
        "ack",
        "!ack k7f3",
        "⬇",
        "🆙",
        "+1",
        "🧔‍✔",
        "\ud83d",
    ],
)
def test_any_other_is_nothing_to_us(emoji: str) -> None:
    assert word_of(emoji) is None


@given(st.text(st.characters()))
def test_whatever_is_tapped_is_one_of_the_words_or_nothing(emoji: str) -> None:
    assert word_of(emoji) is None or word_of(emoji) in (Tap("ack"), Tap("ack", only_if_paged=True), Tap("up"))


def test_a_word_has_one_emoji_that_means_it_from_anybody() -> None:
    assert emoji_of("ack") == "✅"
    assert emoji_of("up") == "⏫"
    for word in ("ack", "up"):
        assert word_of(emoji_of(word)) == Tap(word)


def test_not_every_word_is_a_tap() -> None:
    with pytest.raises(KeyError):
        emoji_of("help")
