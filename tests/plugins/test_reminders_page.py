"""The status page: files that all the world may read."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.reminder_parts import WITH, happens, led, told
from tests.tower import Tower, asks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "page"
    found.mkdir()
    return found


def public(folder: Path, *more: str) -> list[str]:
    return [*WITH, "[plugins.reminders.audiences.world]", f'page = "{folder}"', *more]


def shown(folder: Path) -> list[Any]:
    found: list[Any] = json.loads((folder / "status.json").read_text())["incidents"]
    return found


class Seen(HTMLParser):
    """What a browser makes of it. Raises AssertionError for what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.text = list[str](), set[str](), ""
        self.addresses = list[str]()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "style")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f" {data.strip()}"


def seen(folder: Path) -> str:
    found = Seen((folder / "index.html").read_text())
    assert not {"script", "img", "link", "iframe", "form"} & found.tags
    assert found.addresses == []
    return " ".join(found.text.split())


async def test_it_is_there_from_the_start(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)):
        assert shown(folder) == []
        assert seen(folder) == "Status No open incident As of 21 Nov 03:00 UTC"
        assert {path.name for path in folder.iterdir()} == {"status.json", "index.html"}
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


async def test_it_shows_how_things_stand(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)) as engine:
        number = await led(engine)
        await engine.advance(minutes=5)
        await engine.says("alice", "!status db1 is back, thanks to bob, next 20m", room="#ops")
        [one] = shown(folder)
        assert (one["number"], one["severity"], one["state"], one["drill"]) == (
            "1",
            "sev2",
            "declared",
            False,
        )
        assert (one["began_at"], one["over_at"]) == ("2026-11-21T03:00:00Z", None)
        assert (one["next_update_at"], one["update_late"]) == ("2026-11-21T03:25:00Z", False)
        assert [update["text"] for update in one["updates"]] == [
            "We are working on it. Next update by 03:25 UTC.",
            "We are looking into a problem. Next update by 05:00 UTC.",
        ]
        assert "Next update by 21 Nov 03:25 UTC" in seen(folder)
        await engine.advance(minutes=36)
        assert (shown(folder)[0]["next_update_at"], shown(folder)[0]["update_late"]) == (None, True)
        assert "The promised update is late." in seen(folder)
        await happens(engine, number, "mitigate", "")
        assert "The promised update is late." in seen(folder)
        assert (
            "You should not notice the problem any more; we are still working on its cause. UTC"
            not in seen(folder)
        )
        await happens(engine, number, "resolve")
        assert shown(folder)[0]["over_at"] == "2026-11-21T03:41:00Z"
        assert seen(folder).startswith("Status No open incident Over in the last 7 days Incident 1: resolved")


async def test_an_update_is_told_as_it_stands_by_then(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)) as engine:
        await led(engine)
        for line in (
            "!status a",
            "!mitigated b",
            "!status c next 30m",
            "!allclear d",
            "!status e next 30m",
            "!done 1 f",
        ):
            await engine.says("alice", line, room="#ops")
        await engine.says("alice", "!status g", room="#ops")
        hardly = "You should not notice the problem any more; we are still working on its cause."
        clear = "Everything works as before; we keep watching it."
        assert [update["text"] for update in shown(folder)[0]["updates"]][::-1][1:] == [
            "We are working on it. Next update by 04:00 UTC.",
            f"{hardly} Next update by 04:00 UTC.",
            f"{hardly} Next update by 03:30 UTC.",
            f"{clear} Next update by 03:30 UTC.",
            f"{clear} Next update by 03:30 UTC.",
            "The problem is over.",
            "The problem is over.",
        ]


async def test_what_is_over_goes_after_a_week(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)) as engine:
        number = await led(engine)
        await happens(engine, number, "resolve")
        await happens(engine, number, "close", "")
        await engine.advance(days=6, hours=23)
        assert len(shown(folder)) == 1
        await engine.advance(hours=3)
        assert shown(folder) == []


async def test_nothing_that_somebody_typed_stands_there_unless_the_file_says_so(
    tower: Tower, folder: Path
) -> None:
    async with tower(*public(folder)) as engine:
        number = await led(engine, title="db1 of alice is down")
        await engine.says("alice", "!status db1 is back, thanks to bob", room="#ops")
        await happens(engine, number, "mitigate", "rebooted db1")
        await happens(engine, number, "resolve")
        await happens(engine, number, "close", "db1 it was, says bob")
        both = (folder / "status.json").read_text() + (folder / "index.html").read_text()
        assert not re.search("db1|alice|bob", both)
        assert not re.search(
            "db1|alice|bob", "".join(await asks(engine, "mallory", "!status 1", room="#ops"))
        )


async def test_hostile_texts_stay_texts(tower: Tower, folder: Path) -> None:
    table = "wording.updated = '''{{ title }}: {{ text }}'''"
    async with tower(*public(folder, table)) as engine:
        await led(engine, title="</title><script>alert(1)</script>")
        await engine.says(
            "alice",
            '!status "><img src=x onerror=alert(1)> {{ 7 * 7 }} & \u2028 </ul></article>',
            room="#ops",
        )
        text = seen(folder)
        assert '</title><script>alert(1)</script>: "><img src=x onerror=alert(1)> {{ 7 * 7 }} &' in text
        assert json.loads((folder / "status.json").read_text())


@pytest.mark.parametrize("drills", [False, True])
async def test_a_drill_stands_there_only_if_the_file_says_so(
    tower: Tower, folder: Path, *, drills: bool
) -> None:
    async with tower(*public(folder, f"drills = {str(drills).lower()}")) as engine:
        await led(engine, "drill sev1")
        assert len(shown(folder)) == drills
        assert ("Drill: Incident 1" in seen(folder)) is drills


async def test_after_a_crash_it_is_right_again(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder), crash=True) as engine:
        await led(engine)
    (folder / "status.json").unlink()
    (folder / "index.html").write_text("<html>hal")
    tower.clock.move(timedelta(minutes=1))
    async with tower(*public(folder)):
        assert [one["number"] for one in shown(folder)] == ["1"]
        assert "1 open incident" in seen(folder)


async def test_a_folder_that_takes_nothing_is_told_and_tried_again(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)) as engine:
        folder.rename(folder.with_name("away"))
        await led(engine)
        await engine.advance(minutes=2)
        failed = [line for line in told(tower) if "reminders.page" in line]
        assert "failed 3 times" in failed[0]
        assert f"{folder}: can't be written: No such file or directory" in failed[0]
        folder.with_name("away").rename(folder)
        await engine.advance(minutes=6)
        assert len(shown(folder)) == 1


async def test_a_stranger_reads_what_all_the_world_was_told(tower: Tower, folder: Path) -> None:
    async with tower(*public(folder)) as engine:
        await led(engine)
        await engine.says("alice", "!status db1 is back", room="#ops")
        assert await asks(engine, "mallory", "!status", room="#ops") == [
            "1 We are working on it. Next update by 04:00 UTC."
        ]


async def test_two_have_not_one_page(tower: Tower, folder: Path) -> None:
    with pytest.raises(Exception, match="two of them have the same page"):
        async with tower(*public(folder, "[plugins.reminders.audiences.all]", f'page = "{folder}"')):
            pass
