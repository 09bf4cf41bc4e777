"""What other systems do with the same work (`peers.toml`), as tables with our own figures beside it."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import number

QUIET = "ngIRCd"
"""Where the peers were measured with nobody throttling."""
IRCDS = ("ngIRCd", "InspIRCd")

_FOUND = tomllib.loads((Path(__file__).parent / "peers.toml").read_text())


def tables(rows: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """The lines of a section. rows: our results; of what was not measured, the cells stay empty."""
    ours = {row["beside"]: row for row in rows if row.get("beside")}
    systems = _FOUND["systems"]
    return [
        "## Beside others",
        "",
        f"The others were measured by us on {_FOUND['measured']}, on a machine of the same kind that had other work to do",
        "as well, each beside a floor: one alert a post, none sent twice, and a client of our own noted when it saw",
        "them. So trust the milliseconds little; *times its floor* says how many times as long as *direct* in the same",
        "run.",
        f"Versions: {_FOUND['versions']}.",
        "",
        "Nobody throttles, on ngIRCd:",
        "",
        "| system | calm: p50 | times its floor | 1,000 at once: all seen | times its floor | accepted a second |",
        "|---|---|---|---|---|---|",
        _line("**Tocsin**, each alert alone", _our_quiet(ours)),
        *(_line(system["name"], _quiet(system.get("quiet"))) for system in systems),
        "",
        "A storm of 1,000, everybody with the limits that they come with. Accepted: of the 1,000 posts; who holds a post",
        "for as long as the server holds them takes few.",
        "",
        "| system | " + " | ".join(f"{on}: seen | accepted" for on in IRCDS) + " |",
        "|---|---|---|---|---|",
        _line("**Tocsin**", [cell for on in IRCDS for cell in _our_storm(on, ours)]),
        *(
            _line(system["name"], [cell for on in IRCDS for cell in _storm(system["storm"][on])])
            for system in systems
        ),
    ]


def _line(name: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _quiet(its: Mapping[str, float] | None) -> Sequence[str]:
    if its is None:
        return ["its throttle has no switch", "", "", "", ""]
    return [
        f"{number(its['calm'])} ms",
        number(its["calm_floor"]),
        f"{number(its['burst'])} s",
        number(its["burst_floor"]),
        number(its["accepted"]),
    ]


def _our_quiet(ours: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    calm, burst, accepted = (ours.get(f"{what} {QUIET}") for what in ("calm", "burst", "accepted"))
    return [
        f"{number(calm['measured']['p50'])} ms" if calm else "",
        number(calm["direct"]) if calm else "",
        f"{number(burst['measured'][''])} s" if burst else "",
        number(burst["direct"]) if burst else "",
        number(accepted["measured"][""]) if accepted else "",
    ]


def _storm(its: Mapping[str, Any]) -> Sequence[str]:
    end = f", **{its['end']}**" if "end" in its else ""
    return [f"{its['seen']} in {its['within']} s{end}", number(its["accepted"])]


def _our_storm(on: str, ours: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    if (row := ours.get(f"storm {on}")) is None:
        return ["", ""]
    seen = f"{number(row['measured'][''])} {row['unit']}"
    lost = ours[f"lost {on}"]["measured"][""]
    return [("all in " if row["unit"] == "s" else "") + seen + (", **cut off**" if lost else ""), "all"]
