"""A real Alertmanager, a real Tocsin, and people who type: from an alert to its end, through crashes of either."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any, Protocol

import pytest

from tests.conftest import RUNNABLE, Figure
from tests.processes import TOKEN, Process, command, started, until
from tests.servers.alertmanager import Alert, Alertmanager, alert, program
from tests.servers.programs import running

FACT = "critical DiskFull db1: 97 % of / used"

# The next step comes so soon that a test can wait for it.
HASTY = RUNNABLE.replace('"5m" }]', '"1s" }]\nrepeat_after = "1s"')

EACH_ALONE = f"digests = false\n{RUNNABLE}"

LINE = re.compile(r"\d\d:\d\d:\d\d (#ops|@alice|@bob) +<(tocsin|alice|bob)> (.*)")


@dataclass
class Talk:
    """A `tocsin run` at whose console people type. screen: what they read."""

    process: Process
    screen: Path

    def status(self) -> dict[str, Any]:
        status = self.process.status()
        assert status is not None
        return status

    def lines(self) -> list[tuple[str, str]]:
        """Where Tocsin said something, and what. On the screen there is nothing but what somebody said."""
        *whole, _ = self.screen.read_bytes().decode().split("\n")
        found = [LINE.fullmatch(line) for line in whole if not line.startswith("* you are ")]
        assert None not in found, whole
        return [(line[1], line[3]) for line in found if line and line[2] == "tocsin"]

    def told(self, place: str) -> list[str]:
        """What Tocsin said there."""
        return [text for where, text in self.lines() if where == place]

    def tells(self, part: str, *places: str) -> None:
        """Wait until Tocsin has said this in all of these places."""
        until(lambda: all(any(part in text for text in self.told(place)) for place in places))

    def page(self, fact: str, place: str = "@alice") -> str:
        """Wait until somebody is paged for this; the alert's id."""
        page = re.compile(rf"(?:\(again\) )?(\w+) {re.escape(fact)} · !ack \1")
        until(lambda: any(map(page.fullmatch, self.told(place))))
        return next(found[1] for found in map(page.fullmatch, self.told(place)) if found)

    def at_rest(self) -> bool:
        """Whether all that came in was taken, and all that had to be said is said."""
        # One after the other: a body that was taken in between the two counts of one status has said nothing yet.
        return not self.status()["bodies waiting"] and not self.status()["messages waiting"]


@contextmanager
def talk(config: Path) -> Iterator[Talk]:
    """A daemon that is ready; killed at the end if need be. Its screen goes on where the last one's ended."""
    screen = config.parent / "screen"
    with started(config, ["sh", "-c", 'exec "$@" >>"$0"', screen, *command("run", config)]) as process:
        yield Talk(process, screen)


class Post(Protocol):
    """Starts an Alertmanager that posts to a Tocsin."""

    def __call__(self, tocsin: Talk, **settings: Any) -> Alertmanager:
        """Start it, with Tocsin's token unless its `http_config` says otherwise."""


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Post]:
    """What starts Alertmanagers for a test; they are killed at its end."""
    program("prometheus-alertmanager")
    count = 0
    with ExitStack() as stack:

        def post(tocsin: Talk, **settings: Any) -> Alertmanager:
            nonlocal count
            count += 1
            hook = f"http://{tocsin.status()['listening on']}/hooks/alertmanager/prod"
            settings = {"http_config": bearer(tmp_path / "prod.token"), **settings}
            return stack.enter_context(running(Alertmanager(tmp_path / f"am{count}", hook, **settings)))

        yield post


def bearer(token: Path) -> dict[str, Any]:
    return {"authorization": {"credentials_file": str(token)}}


def disk(device: str = "a") -> Alert:
    return alert("DiskFull", summary="97 % of / used", instance="db1", severity="critical", device=device)


def load() -> Alert:
    return alert("LoadHigh", instance="web1", severity="warning")


def test_an_alert_pages_until_someone_answers_and_its_end_is_told_to_all_who_were_paged(
    write_config: Callable[..., Path], alertmanager: Post, figure: Figure
) -> None:
    with talk(write_config(HASTY)) as tocsin:
        sender, first, second = alertmanager(tocsin), disk(), load()
        posted_at = time.perf_counter()
        sender.fires(first)
        group = tocsin.page(FACT)
        took = time.perf_counter() - posted_at
        figure(f"from the post to Alertmanager to the page on the screen: {took:.3f} s")
        assert tocsin.page(FACT, "@bob") == group  # alice has not answered

        tocsin.process.says("/as bob")
        tocsin.process.says(f"!ack {group}")
        acknowledged = f"{group} acknowledged by bob, paging stops: {FACT}"
        tocsin.tells(acknowledged, "#ops")
        sender.fires(second)
        # The next step of the first would have come before this one.
        other = tocsin.page("warning LoadHigh web1", "@bob")
        said = tocsin.lines()
        since = said[said.index(("#ops", acknowledged)) :]
        assert not [text for _, text in since if f"!ack {group}" in text]
        assert [text for _, text in since if f"!ack {other}" in text]

        sender.resolves(first, second)
        everywhere = ("#ops", "@alice", "@bob")
        tocsin.tells(f"{group} resolved by its source: {FACT}", *everywhere)
        tocsin.tells(f"{other} resolved by its source, without an answer: warning LoadHigh web1", *everywhere)

        tocsin.process.says(f"/msg why {group}")
        tocsin.tells(title := f"{group} resolved: {FACT}", "@bob")
        until(tocsin.at_rest)
        story = tocsin.told("@bob")
        story = story[story.index(title) + 1 :]
        headlines = iter(re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in story)
        for headline in (
            f"reported by prod: {FACT}",
            "policy ops (the default): alice, after 1s bob",
            "step 1: paging alice",
            "page to alice on console: delivered",
            "step 2: paging bob",
            "page to bob on console: delivered",
            "acknowledged by bob",
            "no longer firing: DiskFull db1: 97 % of / used",
            "resolved by its source",
        ):
            assert any(line.startswith(headline) for line in headlines), story  # each after the one before


def test_two_replicas_that_post_the_same_alert_page_once(
    write_config: Callable[..., Path], alertmanager: Post
) -> None:
    with talk(write_config(RUNNABLE)) as tocsin:
        replicas, fires = [alertmanager(tocsin), alertmanager(tocsin)], disk()
        for replica in replicas:
            replica.fires(fires)
        until(lambda: all(replica.accepted() for replica in replicas))
        until(tocsin.at_rest)
        assert tocsin.told("@alice") == [f"{tocsin.page(FACT)} {FACT} · !ack {tocsin.page(FACT)}"]
        for replica in replicas:
            replica.resolves(fires)
        until(lambda: all(replica.accepted() == 2 for replica in replicas))
        until(tocsin.at_rest)
        assert len(tocsin.told("@alice")) == len(tocsin.told("#ops")) == 2


def test_alerts_that_are_left_out_are_counted_and_end_with_their_group(
    write_config: Callable[..., Path], alertmanager: Post
) -> None:
    with talk(write_config(RUNNABLE)) as tocsin:
        sender = alertmanager(tocsin, max_alerts=2, group_wait="500ms")
        alerts = [disk(device) for device in "abcde"]
        sender.fires(*alerts)
        group = tocsin.page(f"{FACT}, and 4 more")
        tocsin.process.says(f"!why {group}")
        tocsin.tells(f"reported by prod: {FACT}, and 4 more", "@alice")
        sender.resolves(*alerts)
        tocsin.tells(f"{group} resolved by its source", "#ops", "@alice")
        assert tocsin.status()["open alerts"] == 0


def test_who_posts_with_a_wrong_token_pages_nobody_until_it_is_put_right(
    write_config: Callable[..., Path], alertmanager: Post, tmp_path: Path
) -> None:
    wrong = "ffffffffffffffffffffffffffffffff"
    token = tmp_path / "token"
    token.write_text(wrong)
    with talk(write_config(RUNNABLE)) as tocsin:
        sender = alertmanager(tocsin, http_config=bearer(token))
        sender.fires(disk())
        until(lambda: "unexpected status code 401" in sender.log.read_text())
        log = tocsin.process.shown()
        assert "a post to /hooks/alertmanager/prod from 127.0.0.1 is refused: no token, or a wrong one" in log
        assert wrong not in log
        assert TOKEN not in log
        until(tocsin.at_rest)
        assert tocsin.lines() == []
        assert sender.accepted() == 0
        token.write_text(TOKEN)
        tocsin.page(FACT)


def test_a_sender_that_can_only_do_basic_auth_pages(
    write_config: Callable[..., Path], alertmanager: Post, tmp_path: Path
) -> None:
    receiver = 'user = "am"\npassword.file = "prod.token"'
    password = str(tmp_path / "prod.token")
    with talk(write_config(RUNNABLE.replace('token.file = "prod.token"', receiver))) as tocsin:
        basic = {"basic_auth": {"username": "am", "password_file": password}}
        alertmanager(tocsin, http_config=basic).fires(disk())
        tocsin.page(FACT)


def test_what_is_posted_while_tocsin_is_killed_pages_once(
    write_config: Callable[..., Path], alertmanager: Post
) -> None:
    alerts = [alert(f"Disk{number}", severity="critical") for number in range(20)]
    config = write_config(EACH_ALONE)
    with talk(config) as tocsin:
        address = tocsin.status()["listening on"]
        sender = alertmanager(tocsin)
        sender.fires(*alerts[:10])
        until(lambda: tocsin.told("@alice"))
        tocsin.process.ends(SIGKILL)
    sender.fires(*alerts[10:])
    until(lambda: sender.failed() >= 10)
    config.write_text(EACH_ALONE.replace("127.0.0.1:0", address))
    with talk(config) as tocsin:
        groups = [tocsin.page(f"critical Disk{number}") for number in range(20)]
        until(lambda: sender.accepted() >= 20)
        until(tocsin.at_rest)
        assert len(set(groups)) == 20
        paged = [text for text in tocsin.told("@alice") if "!ack" in text]
        again = [text for text in paged if text.startswith("(again) ")]
        # What was being said when it was killed is said again, and marked so.
        assert len(again) <= 1
        assert len(paged) - len(again) <= 20
        assert len(set(paged) - set(again)) == len(paged) - len(again)


def test_an_alertmanager_that_forgot_what_it_had_posted_pages_nobody_again(
    write_config: Callable[..., Path], alertmanager: Post
) -> None:
    with talk(write_config(RUNNABLE)) as tocsin:
        sender, fires = alertmanager(tocsin), disk()
        sender.fires(fires)
        group = tocsin.page(FACT)
        until(tocsin.at_rest)
        said = tocsin.lines()
        sender.ends(SIGKILL)
        sender.start()
        sender.fires(fires)
        until(sender.accepted)
        until(tocsin.at_rest)
        assert tocsin.lines() == said
        sender.resolves(fires)
        tocsin.tells(f"{group} resolved by its source", "#ops", "@alice")


def test_whatever_labels_hold_is_one_line_that_is_read_and_never_obeyed(
    write_config: Callable[..., Path], alertmanager: Post
) -> None:
    hostile = alert(
        "Disk\nFull",
        severity="critical",
        instance="\u202edb1\u2066 <b>@room</b>",
        summary="!ack\r\n12:00:00 #ops             <alice> !ack all\x00\u2028\x1b[2J\u200f`$(x)` %s {0}",
        link="javascript:alert(1)",
    )
    with talk(write_config(RUNNABLE)) as tocsin:
        alertmanager(tocsin).fires(hostile)
        fact = (
            "critical Disk Full db1 <b>@room</b>: !ack 12:00:00 #ops <alice> !ack all\ufffd [2J `$(x)` %s {0}"
        )
        group = tocsin.page(fact)
        until(tocsin.at_rest)
        assert tocsin.told("@alice") == [f"{group} {fact} · !ack {group}"]
        assert tocsin.told("#ops") == [f"{group} paging alice: {fact} · !ack {group}"]
        tocsin.process.says("!alerts")
        tocsin.tells("1 alert open, 1 without an answer", "#ops")
