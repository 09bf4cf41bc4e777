"""Which policy an alert takes, and that it keeps it."""

import pytest

from tocsin.domain.alert import Alert

from tests.engine import alert, fires
from tests.tower import ROUTES, TWO_STEPS, Tower, policy

# Which policy.


@pytest.mark.parametrize(
    ("alerts", "person", "because"),
    [
        ([alert("Load")], "bob", "routes[0]"),
        ([alert("Load", severity="criticality")], "alice", "the default"),
        ([alert("TestLoad")], "alice", "the default"),
        ([alert("DiskFull")], "bob", "routes[0]"),
        ([alert("DiskFull", severity="info")], "carol", "routes[1]"),
        # Each alert counts by itself: neither what all share decides, nor what only two together have.
        ([alert("Load", severity="info"), alert("Swap")], "bob", "routes[0]"),
        ([alert("TestLoad"), alert("Load", severity="info")], "alice", "the default"),
        ([alert("DiskFull", severity="info"), alert("Swap", severity="error")], "bob", "routes[0]"),
    ],
)
async def test_the_first_route_that_takes_any_of_the_alerts_wins(
    tower: Tower, alerts: list[Alert], person: str, because: str
) -> None:
    async with tower(ROUTES) as engine:
        subject = await engine.report(fires(*alerts))
        assert tower.chat.pages() == [f"03:00:00 {person}"]
        await engine.says("alice", f"!why {subject}")
        assert f"({because}" in engine.chat.texts("person/alice")[-1].splitlines()[2]


async def test_what_fires_later_and_is_no_worse_does_not_change_the_policy(tower: Tower) -> None:
    async with tower(ROUTES) as engine:
        load = alert("Load", severity="info")
        await engine.report(fires(load))
        await engine.report(fires(load, alert("DiskFull", severity="info")))
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 alice"]


# A configuration that changed.


@pytest.mark.parametrize(
    "changed",
    [
        policy('{ page = "carol" }'),
        policy('{ page = "carol" }', name="other"),
        policy('{ page = "carol" }, { page = "bob", after = "1m" }', "repeat = 0", 'repeat_after = "1m"'),
        TWO_STEPS
        + policy('{ page = "carol" }', name="loud")
        + '[[plugins.escalation.routes]]\nmatch = [\'severity="critical"\']\npolicy = "loud"\n',
    ],
    ids=["other steps", "policy gone", "no repetition", "other routes"],
)
async def test_an_open_alert_goes_on_by_the_plan_that_it_began_with(tower: Tower, changed: str) -> None:
    async with tower() as engine:
        await engine.report(fires())
    if "policies.ops" not in changed:
        tower.people = tower.people.replace('default = "ops"', 'default = "other"')
    async with tower(changed) as engine:
        await engine.advance(minutes=30)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob", "03:15:00 alice", "03:20:00 bob"]
        assert tower.chat.told()[-1] == "03:30:00 nobody answers"
        await engine.report(fires(key="new"))
        assert tower.chat.pages()[-1] == "03:30:00 carol"


async def test_a_schedule_that_changed_is_followed(tower: Tower) -> None:
    steps = policy('{ page = "primary" }, { page = "bob", after = "5m" }')
    async with tower(steps, '[schedules.primary]\non_call = ["alice"]\n') as engine:
        await engine.report(fires())
        await engine.advance(minutes=6)
    async with tower(steps, '[schedules.primary]\non_call = ["carol"]\n') as engine:
        await engine.advance(minutes=4)
        on_call = ["03:06:00 carol", "03:10:00 carol"]  # first when she comes on call
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob", *on_call]


async def test_an_account_that_changed_is_followed(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
    tower.people = tower.people.replace('accounts.console = "bob"', 'accounts.console = "robert"')
    async with tower() as engine:
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 robert"]


@pytest.mark.parametrize("how", ["renamed", "removed", "without accounts"])
async def test_a_person_who_is_gone_is_skipped_at_once_and_it_is_said(tower: Tower, how: str) -> None:
    steps = '{ page = "alice" }, { page = "bob", after = "5m" }, { page = "carol", after = "5m" }'
    async with tower(policy(steps)) as engine:
        await engine.report(fires())
    bob = '[people.bob]\naccounts.console = "bob"\n'
    left = {"renamed": bob.replace("people.bob", "people.rob"), "removed": "", "without accounts": bob[:13]}
    tower.people = tower.people.replace(bob, left[how])
    async with tower(policy(steps.replace('"bob"', '"carol"'))) as engine:
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 carol"]
        assert tower.chat.told()[1:] == [
            "03:05:00 step 2: nobody to page (bob)",
            "03:05:00 step 3: paging carol",
        ]
