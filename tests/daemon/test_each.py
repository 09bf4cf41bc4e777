"""Several answers to one who asked come as one message."""

from tocsin.domain.group import AlertGroup
from tocsin.domain.message import Message
from tocsin.each import each, together
from tocsin.errors import Refused

from tests.engine import Start, alert, fires


def test_one_answer_stays_as_it_is_and_none_is_none() -> None:
    one = Message("taken", subject="k7f3", command="!done k7f3")
    assert together([None, one, ""]) is one
    assert together([None, ""]) is None


def test_of_very_many_the_first_are_said_and_the_rest_is_counted() -> None:
    answers = [Message(f"secret {number}", brief=f"brief {number}") for number in range(1015)]
    told = together(answers)
    assert told is not None
    assert (told.text, told.lines[0], told.lines[-1]) == ("secret 0", "secret 1", "… and 1,002 more")
    assert (told.brief, told.brief_lines[-1]) == ("brief 0", "… and 1,002 more")
    assert len(told.lines) == len(told.brief_lines) == 13


async def test_what_is_refused_for_one_is_done_for_the_others(start: Start) -> None:
    done = list[str]()

    def do(group: AlertGroup) -> str:
        if group.id == first:
            raise Refused(f"{group.id}: no")
        done.append(group.id)
        return f"{group.id}: yes"

    async with start() as engine:
        first, second = [await engine.report(fires(alert(key), key=key)) for key in ("one", "two")]
        told = await engine.run.tocsin.turn(lambda tx: each([first, "zz9z", second], do, tx))
        assert done == [second]
        assert told is not None
        assert told.all_lines() == [
            f"{first}: no",
            "there is no alert 'zz9z': !alerts lists what is open",
            f"{second}: yes",
        ]
