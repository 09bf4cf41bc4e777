"""An alert that nobody declared an incident for: once it is called resolved, its checks say whether that is so."""

from dataclasses import replace

import pytest

from tocsin.api import Alert, AllClearGiven, Series
from tocsin_verification import adding
from tocsin_verification.adding import MOST_OWN, MOST_TRIED
from tocsin_verification.events import CheckAdded, VerificationEnded, VerificationStarted
from tocsin_verification.expressions import Own, narrowed, take_apart

from tests.engine import Engine, alert, fires, over
from tests.plugins.incident_parts import TABLES
from tests.plugins.verification_parts import CHECKS, SELDOM, Metrics, happened
from tests.tower import Tower

OF_DISKS = (*TABLES, CHECKS, "match = 'alertname=\"DiskFull\"'\n")
OF_DISKS_SELDOM = (*TABLES, SELDOM, OF_DISKS[-1])


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


def told(metrics: Metrics) -> list[str]:
    return [line for line in metrics.said() if "errors" in line]


async def test_what_is_called_resolved_and_is_not_back_is_told_until_it_is(metrics: Metrics) -> None:
    metrics.source.breaks(ago=0)
    async with metrics(*OF_DISKS) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!ack {subject}", room="#ops")
        await engine.advance(minutes=20)
        assert metrics.source.asked == []
        metrics.source.heals(left=60)
        await engine.report(over())
        await engine.advance(minutes=30)
        (bad,) = told(metrics)
        assert bad.startswith(f"03:22 {subject} called resolved, but it is not back: errors ")
        metrics.source.heals()
        await engine.advance(hours=3)
        assert told(metrics)[-1].split(" ", 2)[2].startswith("resolved, and back: errors ")
        assert len(told(metrics)) == 2
        assert await happened(engine, subject, VerificationEnded) == ["checks end: it is back"]
        assert await engine.sql("select key from timers where kind like 'verification.%'") == []


async def test_what_is_really_over_is_told_once(metrics: Metrics) -> None:
    metrics.source.breaks(ago=0)
    async with metrics(*OF_DISKS, crash=True) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.advance(minutes=8)
        await engine.report(over())
        await engine.advance(minutes=5)
    async with metrics(*OF_DISKS) as engine:
        await engine.advance(hours=3)
        (back,) = told(metrics)
        assert f" {subject} resolved, and back: errors " in back


async def test_what_never_comes_back_is_left_to_people(metrics: Metrics) -> None:
    metrics.source.breaks(ago=0)
    async with metrics(*OF_DISKS_SELDOM) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=20)
        await engine.report(over())
        await engine.advance(hours=9)
        assert len(told(metrics)) == 2
        assert "not back since: no longer watched: errors " in told(metrics)[-1]
        assert len(await happened(engine, subject, VerificationEnded)) == 1


async def test_one_that_fires_again_says_so_itself(metrics: Metrics) -> None:
    metrics.source.breaks(ago=0)
    async with metrics(*OF_DISKS) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=20)
        await engine.report(over())
        await engine.advance(minutes=5)
        await engine.report(fires())
        await engine.advance(hours=1)
        assert await happened(engine, subject, VerificationEnded) == ["checks end: it fires again"]
        assert len(told(metrics)) == 1


async def test_others_have_none(metrics: Metrics) -> None:
    async with metrics(*OF_DISKS) as engine:
        subject = await engine.report(fires(alert("Slow")))
        await engine.report(over())
        await engine.advance(hours=1)
        assert await happened(engine, subject, VerificationStarted) == []
    async with metrics() as engine:  # where the check is one of incidents alone
        subject = await engine.report(fires())
        await engine.report(over())
        await engine.advance(hours=1)
        assert await happened(engine, subject, VerificationStarted) == []


async def test_the_alert_of_an_incident_is_the_incidents(metrics: Metrics) -> None:
    metrics.source.breaks(ago=0)
    async with metrics(*OF_DISKS) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!declare sev2 the disks are full from {subject}", room="#ops")
        await engine.advance(minutes=10)
        await engine.report(over())
        await engine.advance(minutes=20)
        assert await happened(engine, subject, VerificationStarted) == []
        assert "called resolved" not in "\n".join(told(metrics))


def watching(expression: str, **labels: str) -> Alert:
    """An alert that fires by an expression."""
    return replace(
        alert("TooManyErrors"),
        labels={"alertname": "TooManyErrors", "severity": "critical", **labels},
        expression=expression,
    )


OWN = (*TABLES, '[plugins.verification]\nreceivers.prod = "scripted"\n')


async def test_what_an_alert_watches_is_a_check_of_its_incident(metrics: Metrics) -> None:
    metrics.source.breaks(ago=300)
    async with metrics(*OWN) as engine:
        subject = await engine.report(fires(watching("errors > 200", job="web")))
        await engine.says("alice", f"!declare sev2 logins fail from {subject}", room="#ops")
        (report,) = [line for line in metrics.said() if "normally" in line]
        assert report.startswith("03:00 1 TooManyErrors 30")
        assert set(metrics.source.asked) == {"errors"}
        await engine.advance(minutes=10)
        metrics.source.heals()
        await engine.advance(hours=3)
        assert len(await happened(engine, "1", AllClearGiven)) == 1
        assert await happened(engine, "1", CheckAdded) == ["check TooManyErrors: errors"]


async def two_alerts(engine: Engine, metrics: Metrics, other: str) -> str:
    """An incident of two alerts, of which the first is over, and its metric back; the id of the other."""
    first = await engine.report(fires(watching("errors > 200", job="web")))
    second = await engine.report(fires(watching(other, job="web"), key="other"))
    await engine.says("alice", f"!declare sev2 logins fail from {first}", room="#ops")
    await engine.says("alice", f"!attach 1 {second}", room="#ops")
    metrics.source.heals()
    await engine.report(over())
    return second


async def test_the_all_clear_names_the_alerts_that_still_fire(metrics: Metrics) -> None:
    """What it watches is back, so it keeps nothing from the all-clear."""
    metrics.source.breaks(ago=300)
    async with metrics(*OWN, "[plugins.silence]\n") as engine:
        other = await two_alerts(engine, metrics, "(errors) >= 250")
        quiet = await engine.report(fires(watching("absent(mails)"), key="quiet"))
        await engine.says("alice", f"!silence {quiet} 2h", room="#ops")
        await engine.says("alice", f"!attach 1 {quiet}", room="#ops")
        await engine.report(over(key="quiet"))  # it stays open, and fires no more
        await engine.advance(hours=2)
        assert await happened(engine, "1", CheckAdded) == ["check TooManyErrors: errors"]
        (clear,) = [str(one) for one in metrics.chat.said if " all clear, " in str(one)]
        assert clear.splitlines()[-1].endswith(f"still firing: {other}")


def waits(metrics: Metrics, since: int = 0) -> list[str]:
    return [line for line in metrics.said(since) if "no all-clear yet" in line]


@pytest.mark.parametrize("other", ["absent(mails)", "errors > 200 and mails > 200", "", "no PromQL"])
async def test_an_alert_that_still_fires_and_at_which_no_check_looks_is_waited_for(
    metrics: Metrics, other: str
) -> None:
    """Nobody knows of it that it is over; what is waited for is told once, with what to type."""
    metrics.source.breaks(ago=300)
    async with metrics(*OWN, crash=True) as engine:
        second = await two_alerts(engine, metrics, other)
        await engine.advance(hours=1)
        (told,) = waits(metrics)
        line = f"1 no all-clear yet: {second} still fires, and no check looks at what it watches"
        assert told.partition(" ")[2] == f"{line} \u00b7 !allclear 1 BECAUSE"
        said = metrics.said()
        assert "clear, back since" in said[said.index(told) - 1]  # what the check says is told all the same
    async with metrics(*OWN) as engine:
        await engine.advance(hours=1)
        assert len(waits(metrics)) == 1
        await engine.says("alice", "!verify 1", room="#ops")
        assert str(metrics.chat.said[-1]).splitlines()[-1].strip().startswith(line.removeprefix("1 "))
        assert await happened(engine, "1", AllClearGiven) == []
        await engine.report(over(key="other"))
        await engine.advance(minutes=2)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_somebody_may_know_that_it_is_over_nonetheless(metrics: Metrics) -> None:
    metrics.source.breaks(ago=300)
    async with metrics(*OWN) as engine:
        await two_alerts(engine, metrics, "absent(mails)")
        await engine.advance(hours=1)
        await engine.says("alice", "!allclear 1 it is a mistake of the alert", room="#ops")
        await engine.advance(hours=1)
        assert await happened(engine, "1", AllClearGiven) == ["all clear: it is a mistake of the alert"]
        assert len(waits(metrics)) == 1


async def test_what_is_waited_for_is_told_again_if_all_was_not_clear_meanwhile(metrics: Metrics) -> None:
    metrics.source.breaks(ago=300)
    async with metrics(*OWN) as engine:
        await two_alerts(engine, metrics, "absent(mails)")
        await engine.advance(hours=1)
        metrics.source.breaks(ago=0)
        await engine.advance(minutes=30)
        metrics.source.heals()
        await engine.advance(hours=2)
        assert len(waits(metrics)) == 2


@pytest.mark.parametrize(("match", "waited"), [("", 1), ("match = 'job=\"web\"'\n", 0)])
async def test_a_check_that_is_meant_for_an_alert_looks_at_it(
    metrics: Metrics, match: str, waited: int
) -> None:
    """One of every incident says nothing of it."""
    metrics.source.breaks(ago=300)
    async with metrics(*TABLES, CHECKS, match) as engine:
        await two_alerts(engine, metrics, "absent(mails)")
        await engine.advance(hours=1)
        assert len(waits(metrics)) == waited
        assert len(await happened(engine, "1", AllClearGiven)) == 1 - waited


async def test_what_somebody_dropped_is_not_waited_for(metrics: Metrics) -> None:
    metrics.source.breaks(ago=300)
    async with metrics(*OWN) as engine:
        await two_alerts(engine, metrics, "mails > 5")
        await engine.says("alice", "!verify 1 drop TooManyErrors2", room="#ops")
        await engine.advance(hours=1)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_the_series_is_the_alerts_own(metrics: Metrics) -> None:
    async with metrics(*OWN) as engine:
        subject = await engine.report(fires(watching("errors > 200", job="mail")))
        await engine.says("alice", f"!declare sev2 logins fail from {subject}", room="#ops")
        why = "the alert's expression gives 1 series now, and none of them may be the alert's"
        assert [line for line in metrics.said() if f"cannot verify: {why}" in line]


async def test_of_more_series_than_can_be_read_the_alerts_own_is(metrics: Metrics) -> None:
    pods = [{"job": "web", "pod": str(number)} for number in range(30)]
    metrics.source.series["errors"] = pods
    mine = narrowed("errors", Series(pods[7], [], []), [Series(pod, [], []) for pod in pods])
    metrics.source.series[mine] = [pods[7]]
    metrics.source.breaks(mine, ago=300)
    async with metrics(*OWN, crash=True) as engine:
        subject = await engine.report(fires(watching("errors > 200", job="web", pod="7")))
        await engine.says("alice", f"!declare sev2 logins fail from {subject}", room="#ops")
        (report,) = [line for line in metrics.said() if "normally" in line]
        assert report.startswith("03:00 1 TooManyErrors 30")
    metrics.source.heals(mine)
    async with metrics(*OWN) as engine:
        await engine.advance(hours=2)
        assert len(await happened(engine, "1", AllClearGiven)) == 1
    assert metrics.source.asked.count("errors") == 2  # once after each start


async def test_what_had_other_labels_in_the_past_is_not_the_alerts(metrics: Metrics) -> None:
    metrics.source.breaks(ago=300)
    metrics.source.series["errors"] = [{"job": "web", "pod": "7"}]
    metrics.source.older["errors"] = [{"job": "web"}, {"pod": "7"}]
    async with metrics(*OWN) as engine:
        subject = await engine.report(fires(watching("errors > 200", job="web", pod="7")))
        await engine.says("alice", f"!declare sev2 logins fail from {subject}", room="#ops")
        (report,) = [line for line in metrics.said() if "normally" in line]
        assert report.startswith("03:00 1 TooManyErrors 30")


@pytest.mark.parametrize("expression", ["", "absent(errors)", "errors > 200 and latency > 2", "errors >"])
async def test_what_can_not_be_taken_apart_is_no_check(metrics: Metrics, expression: str) -> None:
    async with metrics(*OWN) as engine:
        subject = await engine.report(fires(watching(expression)))
        await engine.says("alice", f"!declare sev2 logins fail from {subject}", room="#ops")
        assert await happened(engine, "1", CheckAdded) == []
        assert metrics.source.asked == []


async def test_of_a_storm_the_first_few_are_checked(metrics: Metrics) -> None:
    async with metrics(*OWN) as engine:
        many = [replace(watching(f"errors{n} > 200", job="web"), fingerprint=f"f{n}") for n in range(30)]
        subject = await engine.report(fires(*many))
        await engine.says("alice", f"!declare sev2 all fails from {subject}", room="#ops")
        assert len(await happened(engine, "1", CheckAdded)) == MOST_OWN


async def test_of_many_that_are_no_checks_few_are_taken_apart(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes time, in which nothing else is done; one that many share is taken apart once."""
    apart = list[str]()

    def counted(expression: str) -> Own:
        apart.append(expression)
        return take_apart(expression)

    monkeypatch.setattr(adding, "take_apart", counted)
    odd = [replace(watching("absent(errors)", job="web"), fingerprint=f"a{n:02}") for n in range(30)]
    many = [
        replace(watching(f"absent(e{n})" if n < MOST_TRIED else "errors > 200"), fingerprint=f"b{n:02}")
        for n in range(1, MOST_TRIED + 2)
    ]
    async with metrics(*OWN) as engine:
        one = await engine.report(fires(*odd, many[-1]))
        await engine.says("alice", f"!declare sev2 all fails from {one}", room="#ops")
        assert await happened(engine, "1", CheckAdded) == ["check TooManyErrors: errors"]
        assert apart == ["absent(errors)", "errors > 200"]
        other = await engine.report(replace(fires(*odd, *many), key="other"))
        await engine.says("alice", f"!declare sev2 all fails from {other}", room="#ops")
        assert await happened(engine, "2", CheckAdded) == []
        assert len(apart) == 2 + MOST_TRIED
