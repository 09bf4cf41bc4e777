"""IRC: what became of each line, in the order of its answers."""

from collections import deque
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.networks.irc.receipts import Receipts, Refusal, Spoken

from tests.networks.irc_parts import NAMES_ITS_TARGET, NAMES_NONE, echo, outcome, outcomes, spoken, take


async def test_a_barrier_vouches_for_what_was_not_refused() -> None:
    receipts = Receipts()
    all_of_them = [spoken(target) for target in ("#ops", "#DB[1]", "bob", "#ops")]
    for each in all_of_them:
        receipts.written(each)
    token = receipts.barrier(1.0)
    take(receipts, ":irc 404 tocsin #db[1] :no", ":irc 301 tocsin bob :away", ":irc 401 tocsin carol :who?")
    assert outcomes(*all_of_them) == ["waits"] * 4
    take(receipts, f":irc PONG irc {token}")
    assert outcomes(*all_of_them) == [f"pong {token}", "404", f"pong {token}", f"pong {token}"]


@pytest.mark.parametrize("code", NAMES_ITS_TARGET)
async def test_a_refusal_names_its_target(code: str) -> None:
    receipts = Receipts()
    one, other = spoken("bob"), spoken("#ops")
    receipts.written(one)
    receipts.written(other)
    take(receipts, f":irc {code} tocsin bob :no", f":irc PONG :{receipts.barrier(0)}")
    assert outcomes(one, other) == [code, "pong t1"]


@pytest.mark.parametrize(
    "text",
    [  # as ngIRCd has it
        "486 tocsin :Cannot send to user (+b) -- You must identify to a registered nick to private message bob",
        "493 tocsin :You must share a common channel with bob",
    ],
)
async def test_a_refusal_may_name_its_target_in_its_text_alone(text: str) -> None:
    receipts = Receipts()
    all_of_them = [spoken(target) for target in ("Bob", "bo", "bobby", "#bob")]
    for each in all_of_them:
        receipts.written(each)
    token = receipts.barrier(0)
    take(receipts, f":irc {text}", f":irc PONG {token}")
    assert outcomes(*all_of_them) == [text[:3], *[f"pong {token}"] * 3]


@pytest.mark.parametrize(
    "text",
    [
        "671 tocsin bob :is using a secure connection",
        "717 tocsin bob :has been informed that you messaged them",
        "301 tocsin bob :is away",
    ],
)
async def test_what_is_said_of_somebody_is_no_refusal(text: str) -> None:
    receipts = Receipts()
    covered, labelled = spoken("bob"), spoken("bob")
    receipts.written(covered)
    token = receipts.barrier(0)
    [label] = receipts.labels(labelled)
    take(
        receipts,
        f":irc {text}",
        f"@label={label} :irc BATCH +x labeled-response",
        f"@batch=x :irc {text}",
        "@batch=x :tocsin!u@h PRIVMSG bob :0",
        ":irc BATCH -x",
        f":irc PONG {token}",
    )
    assert outcomes(covered, labelled) == [f"pong {token}", f"echo {label}"]


@pytest.mark.parametrize("text", ["439 tocsin bob :slow down", "417 tocsin :Input line was too long"])
async def test_a_refusal_may_come_before_the_last_line_is_out(text: str) -> None:
    receipts = Receipts()
    before, each, after = spoken(), spoken("bob", lines=3), spoken("bob")
    receipts.written(before)
    earlier = receipts.barrier(0)
    receipts.begin(each)
    take(receipts, f":irc PONG {earlier}", f":irc {text}")
    assert outcomes(before, each) == [f"pong {earlier}", "waits"]
    receipts.written(each)
    assert outcome(each) == "waits"
    token = receipts.barrier(1)
    receipts.begin(after)
    receipts.written(after)
    later = receipts.barrier(2)
    take(receipts, f":irc PONG {token}", f":irc PONG {later}")
    assert outcomes(each, after) == [text[:3], f"pong {later}"]


async def test_what_is_being_written_when_the_link_ends_is_lost() -> None:
    receipts = Receipts()
    each = spoken(lines=2)
    each.begun.set()
    receipts.begin(each)
    receipts.end("the link is gone")
    assert outcome(each) == "lost"


@pytest.mark.parametrize("code", NAMES_NONE)
async def test_a_refusal_that_names_no_target_is_about_all_that_it_may_be_about(code: str) -> None:
    receipts = Receipts()
    all_of_them = [spoken(), spoken("bob"), spoken()]
    for each in all_of_them[:2]:
        receipts.written(each)
    first = receipts.barrier(0)
    receipts.written(all_of_them[2])
    second = receipts.barrier(1)
    take(receipts, f":irc {code} tocsin :no", f":irc PONG {first}", f":irc PONG {second}")
    assert outcomes(*all_of_them) == [code, code, f"pong {second}"]


async def test_a_refusal_before_the_question_counts() -> None:
    receipts = Receipts()
    each = spoken()
    receipts.written(each)
    take(receipts, ":irc 404 tocsin #OPS :no")
    assert outcome(each) == "waits"
    take(receipts, f":irc PONG irc {receipts.barrier(0)}")
    assert outcome(each) == "404"


async def test_a_refusal_is_about_the_oldest_that_is_unanswered() -> None:
    receipts = Receipts()
    older, newer, newest = spoken(), spoken(), spoken()
    receipts.written(older)
    first = receipts.barrier(0)
    receipts.written(newer)
    second = receipts.barrier(1)
    receipts.written(newest)
    take(receipts, ":irc 404 tocsin #ops :no", f":irc PONG {first}")
    assert outcomes(older, newer, newest) == ["404", "waits", "waits"]
    take(receipts, ":irc 442 tocsin #ops :no", f":irc PONG {second}", f":irc PONG {receipts.barrier(2)}")
    assert outcomes(older, newer, newest) == ["404", "442", "pong t3"]


async def test_a_pong_that_nobody_waits_for_vouches_for_nothing() -> None:
    receipts = Receipts()
    each = spoken()
    receipts.written(each)
    token = receipts.barrier(0)
    take(receipts, ":irc PONG irc alive", ":irc PONG", ":irc PONG :", ":irc PONG irc t99")
    assert outcome(each) == "waits"
    take(receipts, f":irc PONG irc {token}", f":irc PONG irc {token}")
    assert outcome(each) == f"pong {token}"


async def test_a_pong_answers_for_those_that_were_left_out() -> None:
    receipts = Receipts()
    older, beside, newer, newest = spoken(), spoken("#db"), spoken("bob"), spoken()
    receipts.written(older)
    receipts.written(beside)
    skipped = receipts.barrier(0)
    receipts.written(newer)
    second = receipts.barrier(1)
    receipts.written(newest)
    receipts.barrier(2)
    take(receipts, ":irc 404 tocsin #ops :no", f":irc PONG {second}")
    assert outcomes(older, beside, newer, newest) == ["404", f"pong {second}", f"pong {second}", "waits"]
    take(receipts, f":irc PONG {skipped}")
    assert outcome(newest) == "waits"
    assert receipts.oldest() == 2


async def test_what_has_no_question_behind_it_is_known() -> None:
    receipts = Receipts()
    found = [receipts.uncovered]
    for step in (receipts.written, receipts.labels, lambda _: receipts.barrier(0), receipts.labels):
        step(spoken())
        found.append(receipts.uncovered)
    assert found == [False, True, True, False, False]


async def test_only_what_was_never_begun_is_surely_unsent_when_the_link_ends() -> None:
    receipts = Receipts()
    labelled, covered, uncovered, unbegun, echoed = (spoken(lines=2) for _ in range(5))
    for each in (labelled, covered, uncovered, echoed):
        each.begun.set()
    receipts.labels(labelled)
    receipts.labels(unbegun)
    take(receipts, *(echo(label) for label in receipts.labels(echoed)))
    receipts.written(covered)
    receipts.barrier(0)
    receipts.written(uncovered)
    receipts.end("the link is gone")
    assert outcomes(labelled, covered, uncovered, unbegun) == ["lost", "lost", "lost", "unsent"]
    assert outcome(echoed).startswith("echo")
    assert unbegun.begun.is_set()
    assert str(covered.done.exception()) == "the link is gone"
    receipts.end("again")


@pytest.mark.parametrize(("code", "wait"), [("439", 10), ("707", 10), ("404", None), ("716", None)])
async def test_who_was_too_fast_is_to_wait(code: str, wait: int | None) -> None:
    receipts = Receipts()
    labelled, covered = spoken("bob"), spoken("bob")
    [label] = receipts.labels(labelled)
    receipts.written(covered)
    take(receipts, f"@label={label} :irc {code} tocsin bob :slow down", f":irc {code} tocsin bob :slow down")
    take(receipts, f":irc PONG {receipts.barrier(0)}")
    for each in (labelled, covered):
        assert outcome(each) == code
        error = each.done.exception()
        assert isinstance(error, Refusal)
        assert error.retry_after == (timedelta(seconds=wait) if wait else None)


async def test_who_gave_up_is_told_nothing() -> None:
    receipts = Receipts()
    labelled, covered = spoken(), spoken()
    [label] = receipts.labels(labelled)
    receipts.written(covered)
    token = receipts.barrier(0)
    labelled.done.cancel()
    covered.done.cancel()
    take(receipts, f"@label={label} :irc 404 tocsin #ops :no", f":irc PONG {token}")
    receipts.end("the link is gone")
    assert labelled.done.cancelled()
    assert covered.done.cancelled()


async def test_the_longest_wait_is_known() -> None:
    receipts = Receipts()
    assert receipts.oldest() is None
    one, two = receipts.labels(spoken(lines=2))
    receipts.written(spoken())
    assert receipts.oldest() is None
    receipts.sent(one, 3.0)
    receipts.sent(two, 4.0)
    first = receipts.barrier(5.0)
    assert receipts.oldest() == 3
    take(receipts, echo(one))
    assert receipts.oldest() == 4
    take(receipts, f"@label={two} :irc BATCH +x labeled-response")
    assert receipts.oldest() == 4
    take(receipts, ":irc BATCH -x")
    receipts.written(spoken())
    second = receipts.barrier(6.0)
    assert receipts.oldest() == 5
    take(receipts, f":irc PONG {first}")
    assert receipts.oldest() == 6
    [three] = receipts.labels(spoken())
    receipts.sent(three, 7.0)
    assert receipts.oldest() == 6
    take(receipts, f":irc PONG {second}")
    assert receipts.oldest() == 7
    take(receipts, f"@label={three} :irc 404 tocsin #ops :no")
    assert receipts.oldest() is None


steps = st.lists(
    st.tuples(st.sampled_from(["#ops", "#db", "bob"]), st.booleans()) | st.sampled_from(["ask", "answer"]),
    max_size=20,
)


@given(steps)
async def test_a_server_that_answers_in_order_is_understood(steps: list[tuple[str, bool] | str]) -> None:
    """What is refused is never taken for delivered; what is not is refused only beside another that was."""
    receipts = Receipts()
    said: list[tuple[Spoken, bool, int]] = []
    to_come: deque[str] = deque()
    questions = 0
    for step in [*steps, "ask"]:
        if isinstance(step, tuple):
            target, refused = step
            each = spoken(target)
            receipts.written(each)
            said.append((each, refused, questions))
            if refused:
                to_come.append(f":irc 404 tocsin {target.upper()} :no")
        elif step == "ask":
            if receipts.uncovered:
                to_come.append(f":irc PONG irc :{receipts.barrier(questions)}")
            questions += 1
        elif to_come:
            take(receipts, to_come.popleft())
    take(receipts, *to_come)
    blamed = {(each.target, group) for each, refused, group in said if refused}
    for each, refused, group in said:
        found = outcome(each)
        assert found == "404" or found.startswith("pong ")
        if refused:
            assert found == "404"
        elif found == "404":
            assert (each.target, group) in blamed
    assert receipts.oldest() is None
