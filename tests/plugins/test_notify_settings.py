"""What stands in the file: mistakes are named where they stand, and who can't be rung is warned of."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.page import PageFailed
from tocsin.domain.words import key_path
from tocsin.errors import ConfigError, Problem
from tocsin_notify import Notify
from tocsin_notify.settings import Person, Step, Way

from tests.conftest import MINIMAL
from tests.engine import fires
from tests.plugins.notify_parts import Ntfy, button, pages, press, served
from tests.tower import Tower, down, policy

Write = Callable[..., Path]


def problems(write: Write, *tables: str) -> Iterator[Problem]:
    try:
        yield from daemon.prepare(Document.open(write("\n".join([MINIMAL, *tables])))).warnings
    except ConfigError as error:
        yield from error.problems


def found(write: Write, *tables: str) -> list[str]:
    """What is wrong, and where."""
    return [f"{key_path(one.at)}: {one.text}" for one in problems(write, *tables) if one.at[0] == "plugins"]


NTFY = 'ntfy = "https://ntfy.example.org/alice"'


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("", "is one of ntfy, webhook, smtp, command and apprise, not 0 of them"),
        (f'{NTFY}, smtp = "a@b"', "is one of ntfy, webhook, smtp, command and apprise, not 2 of them"),
        ('ntfy = "https://ntfy.example.org/"', "ntfy must be the address of a topic"),
        ('ntfy = "https://ntfy.example.org/a b"', "ntfy must be the address of a topic"),
        ('ntfy = "https://u:p@ntfy.example.org/a"', "ntfy must be the address of a topic"),
        ('ntfy = "https://ntfy.example.org/a?auth=x"', "ntfy must be the address of a topic"),
        ('webhook = "ftp://x/"', "webhook must be an address such as"),
        ('webhook = "https://u:p@x/"', "webhook must be an address such as"),
        ('smtp = "alice"', "smtp must be a mail address"),
        ('smtp = "a@b.c, d@e.f"', "smtp must be a mail address"),
        (f'{NTFY}, user = "x"', "user and password go together"),
        ('smtp = "a@b", token.env = "X"', "token, user, password and headers are for ntfy and webhook"),
        (f'{NTFY}, form = {{ a = "b" }}', "form is for webhook"),
        (
            'webhook = "https://x/", form = { a = "{txt}" }',
            "form.a: nothing is called {txt}; did you mean 'text'?",
        ),
        (
            'webhook = "https://x/", form = { a = "{}" }',
            "form.a: nothing is called {}; there is {text}, {id}",
        ),
        ('webhook = "https://x/", headers = { "A B" = { env = "X" } }', "headers: 'A B' can't be the name"),
    ],
)
def test_a_way_that_can_not_be(write_config: Write, way: str, told: str) -> None:
    (problem,) = found(write_config, f"[plugins.notify]\n[plugins.notify.people.alice]\nways.x = {{ {way} }}")
    assert problem.startswith(f"plugins.notify.people.alice.ways.x: {told}")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ('repeat = "29s"', "plugins.notify: repeat must be from 30s to 60s"),
        ('repeat = "61s"', "plugins.notify: repeat must be from 30s to 60s"),
        ('public_url = "tocsin.example.org"', "plugins.notify: public_url must be this daemon's own"),
        (
            f'people.alice.ways.a = {{ {NTFY} }}\npeople.alice.default = [{{ way = "b" }}]\npublic_url = "https://x"',
            "plugins.notify.people.alice: default: no way is called 'b'",
        ),
        (
            (
                f'people.alice.ways.a = {{ {NTFY} }}\npeople.alice.urgent = [{{ way = "a" }}, {{ way = "a" }}]\n'
                'public_url = "https://x"'
            ),
            "plugins.notify.people.alice: urgent: names a way twice",
        ),
        (
            f'people.alise.ways.a = {{ {NTFY} }}\npublic_url = "https://x"',
            "plugins.notify.people.alise: no person is called 'alise'; did you mean 'alice'?",
        ),
        (
            'people.alice.ways.a = { smtp = "a@b.c" }\npublic_url = "https://x"',
            "plugins.notify.people.alice.ways.a.smtp: needs a server for mail: add [plugins.notify.smtp]",
        ),
        (
            'people.alice.ways.a = { command = ["/no/such"] }\npublic_url = "https://x"',
            "plugins.notify.people.alice.ways.a.command[0]: /no/such: no such file",
        ),
        (
            'smtp = { host = "x", sender = "a@b.c", user = "u", password.env = "X", tls = "none" }',
            "plugins.notify.smtp: a password is never sent without TLS",
        ),
        (
            f"people.alice.ways.a = {{ {NTFY} }}",
            "plugins.notify.public_url: is not set: what rings has no buttons",
        ),
        (
            f'people.alice.ways.a = {{ {NTFY} }}\npublic_url = "http://x"',
            "plugins.notify.public_url: is not https: whoever listens on the way can press the buttons",
        ),
    ],
)
def test_what_is_wrong_is_said(write_config: Write, tables: str, told: str) -> None:
    (problem,) = found(write_config, "[plugins.notify]", tables)
    assert problem.startswith(told)


def test_whoever_may_be_called_and_can_not_be_rung_is_warned_of(write_config: Write) -> None:
    tables = [
        '[schedules.primary]\non_call = ["alice"]\n[teams.db]\nmembers = ["bob"]\n[plugins.notify]',
        (
            'public_url = "https://x"\npeople.bob.ways.mail = { smtp = "b@c.d" }\n[plugins.notify.smtp]\nhost = "x"\n'
            'sender = "a@b.c"'
        ),
    ]
    assert found(write_config, *tables) == [
        (
            "plugins.notify.people: alice and bob are on a schedule or in a team and can't be rung: "
            "chat alone wakes nobody; add ways"
        )
    ]


def test_without_a_plan_all_ways_ring_in_their_order() -> None:
    person = Person({name: Way(ntfy="https://x/a") for name in ("phone", "sms", "bell")})
    minutes = [(step.way, step.after // timedelta(minutes=1)) for step in person.steps(urgent=False)]
    assert minutes == [("phone", 2), ("sms", 5), ("bell", 8)]
    assert list(person.steps(urgent=True)) == [Step("phone"), Step("sms"), Step("bell")]
    assert Person(person.ways, default=()).steps(urgent=False) == []


def test_nothing_is_needed() -> None:
    assert Notify().repeat == timedelta(seconds=45)


async def test_with_escalation_its_buttons_do_as_the_words(tower: Tower) -> None:
    sink = Ntfy(tower.clock)
    async with served(sink):
        notify = f'[plugins.notify]\npublic_url = "https://tocsin.test/base"\npeople.alice.ways.phone = {{ ntfy = "{sink.url}/a" }}'
        steps = policy('{ page = "alice" }, { page = "bob", after = "15m" }')
        async with tower(steps, notify) as engine:
            tower.chat.fails = down()
            subject = await engine.report(fires())
            await pages(engine, subject, urgent=False)
            await engine.advance(seconds=60)
            failed = await engine.sql(f"select 1 from events where kind = '{PageFailed.kind}'")  # noqa: S608
            assert failed
            assert sink.times()[0] <= "03:01:00"  # though the way itself waits for two minutes
            heard = sink.posts()[0]
            tower.chat.fails = lambda _: None
            escalated = await press(engine, button(heard, "Escalate"))
            assert escalated.status == 200
            assert any(place.endswith("bob") for place in tower.chat.pages())
            acked = await press(engine, button(heard, "Ack"))
            assert (acked.status, acked.text) == (200, f"acked {subject}\n")
            assert await engine.state(subject) == "acknowledged"
