"""Nobody is named in what is written down, whatever they are called and whoever names them."""

import itertools
import re
import unicodedata

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tocsin.domain.veil import ORDINARY
from tocsin.transaction import Transaction
from tocsin_timeline.events import Noted

from tests.engine import alert, fires
from tests.plugins.postmortem_parts import FORMS, TABLES, after, exported, happens
from tests.tower import TWO_STEPS, Tower


async def test_whoever_was_pinned_is_not_named_anywhere(tower: Tower) -> None:
    async with tower(TWO_STEPS, *TABLES) as engine:
        number = await happens(engine, say="as Zo\u00eb Quartz knows")

        def pin(tx: Transaction) -> None:
            said = Noted(
                subject=number, at=after(12), by="bob", text="I see it too", author="Zo\u00eb Quartz"
            )
            tx.record(said)

        await engine.run.tocsin.turn(pin)
        texts = {form: await exported(engine, number, form) for form in FORMS}
    for text in texts.values():
        assert "Quartz" not in text
    assert "| 03:12:00 |  | responder 3 said: I see it too (responder 1) |" in texts["md"]


NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{1,20}", fullmatch=True)
FOLDERS = itertools.count()
ACCOUNTS = st.text(st.characters(categories=["L", "N"], include_characters="-_."), min_size=2, max_size=15)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    who=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    accounts=st.lists(ACCOUNTS, min_size=3, max_size=3, unique_by=str.casefold),
)
async def test_nobody_is_named_in_any_form(tower: Tower, who: list[str], accounts: list[str]) -> None:
    assume(not any(name in ORDINARY or name.isdigit() for name in (*who, *map(str.casefold, accounts))))
    people = tower.people
    for name, account in zip(who, accounts, strict=True):
        assume(name not in ("alice", "bob", "carol", "dave"))
        people += f'[people.{name}]\naccounts.console = "@{account}:example.org"\n'
    tower.people, before = people, tower.people
    tower.folder = tower.folder.with_name(f"state{next(FOLDERS)}")
    said = " ".join(
        f"{name}, {name.title()}'s {account} @{account}:example.org,"
        for name, account in zip(who, accounts, strict=True)
    )
    try:
        async with tower(TWO_STEPS, *TABLES) as engine:
            plain = await happens(engine)
            labels = alert(said, fingerprint=said)
            subject = await engine.report(fires(labels, key=said))
            named = await happens(engine, (subject,), who=who, say=said)
            texts = {form: await exported(engine, named, form) for form in FORMS}
            usual = "".join([await exported(engine, plain, form) for form in FORMS])
    finally:
        tower.people = before
    for form, text in texts.items():
        for name in (*who, *accounts, *(f"@{one}:example.org" for one in accounts)):
            word = rf"(?i)(?<![^\W_]){re.escape(unicodedata.normalize('NFC', name))}(?![^\W_])"
            if not re.search(word, usual):
                assert not re.search(word, re.sub(r"\\([\W_])", r"\1", text)), (form, name)
