"""What is posted and can't be read, or is too much, or never ends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tocsin.web import listener
from tocsin.web.limits import Shares

from tests.daemon.web_parts import (
    MIB,
    OTHER,
    PASSWORD,
    USER,
    Sender,
    basic,
    large,
)


async def test_what_cannot_be_read_is_kept_and_told_every_ten_minutes(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    told = "prod posted something that can't be read: it ends too soon. Body {} is kept."
    answer = await sender.posts(b'{"key": "correct:horse"')
    assert (answer.status, answer.text) == (400, "it ends too soon\n")
    assert sender.heard() == [told.format(1)]
    await sender.posts(b"{ again")
    await sender.engine.advance(minutes=9, seconds=59)
    await sender.posts(b"{ and again")
    assert len(sender.heard()) == 1
    await sender.posts(b"{", "/hooks/post/staging", proof=f"Bearer {OTHER}")
    assert sender.heard()[1:] == [told.format(4).replace("prod", "staging")]
    await sender.engine.advance(seconds=1)
    await sender.posts(b"{")
    assert sender.heard()[2:] == [told.format(5)]
    assert [outcome for outcome, _ in await sender.kept()] == ["unreadable"] * 5
    assert (await sender.kept())[0][1] == b'{"key": "correct:horse"'
    assert "horse" not in caplog.text
    assert sender.heard("person/alice") == []


async def test_what_two_replicas_post_at_once_and_cannot_be_read_is_told_once(sender: Sender) -> None:
    answers = await asyncio.gather(sender.posts(b"{"), sender.posts(b"{"))
    assert [answer.status for answer in answers] == [400, 400]
    assert len(sender.heard()) == 1


async def test_a_body_may_have_eight_mebibytes_and_of_more_a_part_is_kept(sender: Sender) -> None:
    assert (await sender.posts(large(8 * MIB))).status == 400
    answer = await sender.posts(large(8 * MIB + 1), "/hooks/post/old", proof=basic(USER, PASSWORD))
    assert (answer.status, answer.text) == (413, "it is larger than 8 MiB\n")
    assert await sender.engine.sql("select receiver, outcome, length(body) from intake") == [
        ("prod", "unreadable", 8 * MIB),
        ("old", "unreadable", 64 * 1024),
    ]
    assert sender.heard()[1:] == [
        "old posted something that can't be read: it is larger than 8 MiB. Body 2 is kept."
    ]


async def test_a_body_in_chunks_counts_as_a_whole(sender: Sender) -> None:
    async def parts(*sizes: int) -> AsyncIterator[bytes]:
        for size in sizes:
            yield b"x" * size

    assert (await sender.posts(parts(3 * MIB, 3 * MIB, 3 * MIB))).status == 413
    assert (await sender.posts(parts(3, 4))).status == 202
    assert (await sender.kept())[1] == ("taken", b"x" * 7)


async def test_a_body_that_does_not_come_is_not_waited_for(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(listener, "BODY_WITHIN", timedelta(0))
        async with sender.begins(b"half") as (answer, _):
            assert b" 408 " in await answer.readline()
    assert (await sender.kept(), sender.heard()) == ([], [])
    assert (await sender.posts()).status == 202


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x"])
async def test_a_coded_body_is_not_decoded(sender: Sender, coding: str) -> None:
    answer = await sender.posts(Content_Encoding=coding)
    assert (answer.status, answer.text) == (415, "send the body as it is, without a Content-Encoding\n")
    assert await sender.kept() == []
    assert (await sender.posts(Content_Encoding="identity")).status == 202


async def test_a_full_disk_puts_posts_off_and_keeps_nothing(sender: Sender) -> None:
    state = sender.engine.run.tocsin.state
    state.drop_ballast()
    answer = await sender.posts()
    assert (answer.status, answer.text) == (503, "the disk is full: send it again\n")
    assert answer.headers["Retry-After"] == "5"
    assert (await sender.kept(), sender.heard()) == ([], [])
    state.keep_ballast()
    assert (await sender.posts()).status == 202


async def test_on_a_full_disk_what_cannot_be_read_takes_no_room_either(sender: Sender) -> None:
    sender.engine.run.tocsin.state.drop_ballast()
    assert (await sender.posts(large(8 * MIB))).status in (400, 503)
    assert (await sender.posts(large(8 * MIB + 1))).status in (413, 503)
    assert await sender.kept() == []


@pytest.mark.parametrize(("what", "own"), [("posts", 1), ("bytes", 8)])
async def test_what_is_too_much_at_once_is_put_off(sender: Sender, what: str, own: int) -> None:
    setattr(sender.engine.run.daemon.web, f"_{what}", Shares(0, own))
    async with sender.begins(b"Held", of=8) as (answer, more):
        while (put_off := await sender.posts(b"Small")).status == 202:
            pass
        assert (put_off.status, put_off.text) == (503, "too much at once: send it again\n")
        assert put_off.headers["Retry-After"] == "5"
        more.write(b"Back")
        assert b" 202 " in await answer.readline()
    kept = len(await sender.kept())
    for number in range(3):
        assert (await sender.posts(b"Again")).status == 202
        assert len(await sender.kept()) == kept + number + 1
    assert "HeldBack" in " ".join(sender.heard("person/alice"))


async def test_together_bodies_never_take_more_room_than_that(
    sender: Sender,
) -> None:
    sender.engine.run.daemon.web._bytes = Shares(0, 8)  # noqa: SLF001 (as small as a test's posts)
    async with sender.begins(b"1234", of=6) as one, sender.begins(b"1234", of=6) as other:
        for _, more in (one, other):
            more.write(b"56")
        answers = [await answer.readline() for answer, _ in (one, other)]
    assert [answer.split()[1] for answer in answers].count(b"503") >= 1
    assert (await sender.posts()).status == 202
