"""Who everybody is: as the configuration says, and over that what people say of themselves."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.config import Config
from tocsin.domain.oncall import Identity, QuietHours, Responder
from tocsin.store.profiles import OFF, Link, Profile

log = logging.getLogger(__name__)

_AS_CONFIGURED = Profile()


@dataclass(frozen=True)
class People:
    """by_name: those of the configuration, nobody else, with all accounts that count."""

    by_name: Mapping[str, Responder]

    @classmethod
    def of(
        cls, config: Config, profiles: Mapping[str, Profile] | None = None, links: Iterable[Link] = ()
    ) -> "People":
        """profiles: what they said, by name. links: accounts that they proved to be theirs."""
        accounts = _accounts(config, links)
        return cls(
            {
                name: _as_they_say(
                    replace(person, accounts=accounts[name]), (profiles or {}).get(name, _AS_CONFIGURED), name
                )
                for name, person in config.people.items()
            }
        )

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], str]:
        return {
            (network, account): name
            for name, person in self.by_name.items()
            for network, account in person.accounts.items()
        }

    def person_of(self, network: str, account: str) -> str | None:
        """Whose account that is."""
        return self._holders.get((network, account)) if account else None

    def accounts_on(self, network: str) -> Mapping[str, str]:
        """The accounts there, and whose they are."""
        return {account: name for (where, account), name in self._holders.items() if where == network}


def _accounts(config: Config, links: Iterable[Link]) -> Mapping[str, dict[str, str]]:
    """Everybody's accounts by network, in the order of their ways. What the configuration says wins over a link, whoever was first.

    A link was proved by an account, so it means nothing where accounts prove nothing any more.
    """
    accounts = {name: dict(person.accounts) for name, person in config.people.items()}
    named = {
        (network, account.lower()) for theirs in accounts.values() for network, account in theirs.items()
    }
    for link in links:
        network = config.networks.get(link.network)
        proves = network is not None and network.identity is Identity.ACCOUNTS
        if proves and link.person in accounts and (link.network, link.account.lower()) not in named:
            accounts[link.person].setdefault(link.network, link.account)
    return {name: _in_order(theirs, config.people[name].ways) for name, theirs in accounts.items()}


def _in_order(accounts: dict[str, str], ways: Sequence[str]) -> dict[str, str]:
    """The accounts as their holder wants to be paged: first on these networks."""
    networks = [*(network for network in ways if network in accounts), *accounts]
    return {network: accounts[network] for network in networks}


def _as_they_say(person: Responder, said: Profile, name: str) -> Responder:
    """Time zone and quiet hours; what can't be read any more counts as not said."""
    try:
        zone = ZoneInfo(said.timezone) if said.timezone else person.timezone
        quiet = QuietHours.parse(said.quiet) if said.quiet not in ("", OFF) else None
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        log.warning("%s: what they said of themselves can't be read: %s", name, error)
        return person
    return replace(person, timezone=zone, quiet=quiet if said.quiet else person.quiet)
