"""Who may move which pager: whoever is on that schedule, or in a team with somebody who is.

Nobody who is awake is locked out of their own team's pager; that others are asked or told is what keeps it in order.
Where no team is named, everybody is one.
"""

from tocsin.api import NotAllowed, Transaction, listed


def circle_of(name: str, tx: Transaction) -> set[str]:
    """Who may move the pager of a schedule or a person."""
    schedules, teams = tx.config.schedules, tx.config.teams
    if not teams:
        return set(tx.config.people)
    people = set(schedules[name].people) if name in schedules else {name}
    shared = [schedule.people for schedule in schedules.values() if name not in schedules]
    near = [group for group in (*shared, *(team.members for team in teams.values())) if people & set(group)]
    return people.union(*near)


def refuse_unless_allowed(person: str, name: str, tx: Transaction) -> None:
    """Raises NotAllowed. name: of a schedule or a person."""
    allowed = circle_of(name, tx)
    if person not in allowed and not _is_nobody(name, tx):
        them = listed(sorted(allowed))
        raise NotAllowed(f"the pager of {name} is not yours to move: ask {them}")


def _is_nobody(name: str, tx: Transaction) -> bool:
    """Where nobody is on call whoever comes is welcome."""
    return name in tx.config.schedules and not tx.callees(name)
