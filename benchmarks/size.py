"""How much of everything is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The numbers of a run.

    rounds: each beside the floors; figures are their medians. turns: by how many ask at once, for small turns; a
    third as many page. posts, large_posts: in a burst, of one alert and of 100. calm: posts one at a time.
    pending: timers that wait, spread over a minute. watched: for how many seconds of it. ahead: how
    long setting them may take. at_once: timers due at one
    instant. starts: of each sort. groups: that are open at once. irc_calm: alerts at five a second on IRC. storm:
    alerts in one on IRC. minute: for how many seconds it is watched. rest: for how many before it Tocsin is left alone, so that
    a server has forgotten what it holds against whoever comes in. matrix_calm, matrix_storm: the same on Matrix.
    schedules, overrides: by which people are on call. incidents: that are open at once. members, happened: how many people
    each has, and how many events. asked: how often each of them is asked about. checks: that each of them has, at metrics with so many
    days of history, each looked at every so many seconds.
    """

    rounds: int
    turns: dict[int, int]
    posts: int
    large_posts: int
    calm: int
    pending: int
    watched: float
    ahead: float
    at_once: int
    starts: int
    groups: int
    irc_calm: int
    storm: int
    minute: float
    rest: float
    matrix_calm: int
    matrix_storm: int
    schedules: int
    overrides: int
    incidents: int
    members: int
    happened: int
    asked: int
    checks: int
    history: int
    looked_every: int


WHOLE = Size(
    rounds=3,
    turns={1: 300, 16: 2400, 64: 3600},
    posts=1000,
    large_posts=30,
    calm=150,
    pending=10_000,
    watched=12,
    ahead=3,
    at_once=1000,
    starts=3,
    groups=10_000,
    irc_calm=150,
    storm=1000,
    minute=60,
    rest=10,
    matrix_calm=100,
    matrix_storm=300,
    schedules=200,
    overrides=50,
    incidents=50,
    members=20,
    happened=500,
    asked=20,
    checks=10,
    history=28,
    looked_every=60,
)
TINY = Size(
    rounds=1,
    turns={1: 3, 4: 12},
    posts=20,
    large_posts=3,
    calm=3,
    pending=100,
    watched=0.2,
    ahead=0.3,
    at_once=20,
    starts=1,
    groups=50,
    irc_calm=3,
    storm=8,
    minute=3,
    rest=0,
    matrix_calm=3,
    matrix_storm=8,
    schedules=8,
    overrides=5,
    incidents=3,
    members=4,
    happened=30,
    asked=2,
    checks=2,
    history=5,
    looked_every=15,
)
