"""What tests of the handoff share: a schedule of two who take turns, and the plugin."""

from tests.tower import Tower, policy

STEPS = policy(
    '{ page = "primary" }, { page = "carol", after = "10m" }', "repeat = 1", 'repeat_after = "10m"'
)

# The clock of these tests shows 03:00 UTC on Saturday, 21 November 2026: alice has it until 08:00 UTC.
PRIMARY = """\
[schedules.primary]
timezone = "Europe/Berlin"
[[schedules.primary.layers]]
people = ["alice", "bob"]
begins = "2026-11-20 09:00"
every = "day"
"""
HANDOFF = "[plugins.handoff]\n"
TABLES = (STEPS, PRIMARY, HANDOFF)


def paged(tower: Tower) -> list[str]:
    """Who was paged for an alert, and when: `03:00:00 alice`."""
    return [
        f"{time} {said.place.name}"
        for time, said in zip(tower.chat.times, tower.chat.said, strict=True)
        if said.place.private and said.message.command.startswith("!ack ")
    ]
