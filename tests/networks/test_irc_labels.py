"""IRC: what became of each line, where the server has labels."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import NetworkError
from tocsin.networks.irc.receipts import Receipts, Refusal

from tests.networks.irc_parts import NAMES_ITS_TARGET, NAMES_NONE, echo, outcome, outcomes, spoken, take


async def test_each_line_has_a_label_of_its_own() -> None:
    receipts = Receipts()
    labels = [label for lines in (1, 2, 3) for label in receipts.labels(spoken(lines=lines))]
    assert len(set(labels)) == len(labels) == 6
    assert all(re.fullmatch("[A-Za-z0-9]{1,64}", label) for label in labels)


async def test_echoes_may_come_in_any_order() -> None:
    receipts = Receipts()
    first, second = spoken(lines=2), spoken("bob")
    (one, two), [three] = receipts.labels(first), receipts.labels(second)
    take(receipts, echo(three))
    assert outcomes(first, second) == ["waits", f"echo {three}"]
    take(receipts, echo(two))
    assert outcome(first) == "waits"
    take(receipts, echo(two), echo("never"), echo(""))
    assert outcome(first) == "waits"
    take(receipts, echo(one))
    assert outcome(first) == f"echo {one}"


async def test_what_others_say_is_no_echo() -> None:
    receipts = Receipts()
    each = spoken()
    receipts.labels(each)
    take(receipts, ":bob!u@h PRIVMSG #ops :0", ":irc 404 tocsin #ops :no", "@time=now :irc ACK")
    assert outcome(each) == "waits"


@pytest.mark.parametrize("code", [*NAMES_ITS_TARGET, *NAMES_NONE])
async def test_a_refusal_comes_back_under_its_label(code: str) -> None:
    receipts = Receipts()
    refused, echoed = spoken(), spoken()
    [one], [two] = receipts.labels(refused), receipts.labels(echoed)
    take(receipts, f"@label={one} :irc {code} tocsin elsewhere :not here", echo(two))
    assert outcomes(refused, echoed) == [code, f"echo {two}"]
    error = refused.done.exception()
    assert isinstance(error, Refusal)
    assert str(error) == f"not here ({code})"
    assert error.unsent
    assert not error.permanent


@pytest.mark.parametrize("first", ["echo", "refusal"])
async def test_what_was_taken_in_part_has_been_seen(first: str) -> None:
    """Somebody may have read the line that came back, whatever became of the other."""
    receipts = Receipts()
    each, none_of_it = spoken("#ops", lines=2), spoken("#ops", lines=2)
    one, two = receipts.labels(each)
    says = [echo(one), f"@label={two} :irc 404 tocsin #ops :no"]
    take(receipts, *(says if first == "echo" else reversed(says)))
    take(receipts, *(f"@label={label} :irc 404 tocsin #ops :no" for label in receipts.labels(none_of_it)))
    assert outcomes(each, none_of_it) == ["404", "404"]
    for refused, unsent in ((each, False), (none_of_it, True)):
        error = refused.done.exception()
        assert isinstance(error, Refusal)
        assert error.unsent is unsent


async def test_that_it_was_heard_is_not_that_it_was_taken() -> None:
    """A bare ACK answers what needs no answer; a message does."""
    receipts = Receipts()
    each = spoken()
    [label] = receipts.labels(each)
    each.begun.set()
    take(receipts, f"@label={label} :irc ACK")
    error = each.done.exception()
    assert isinstance(error, NetworkError)
    assert not isinstance(error, Refusal)
    assert str(error) == "the server answered, and did not say that it took it"
    assert not error.unsent
    assert receipts.oldest() is None


async def test_an_answer_that_is_no_echo_leaves_it_in_doubt() -> None:
    receipts = Receipts()
    one, two = spoken(), spoken(lines=2)
    for each in (one, two):
        each.begun.set()
    [label], [first, second] = receipts.labels(one), receipts.labels(two)
    take(receipts, f"@label={label} :irc ACK", echo(second), f"@label={first} :irc NOTICE tocsin :hm")
    assert outcomes(one, two) == ["lost", "lost"]


async def test_a_message_of_which_one_line_is_refused_is_refused() -> None:
    for order in ("01", "10"):
        receipts = Receipts()
        each = spoken(lines=2)
        labels = receipts.labels(each)
        says = [f"@label={labels[0]} :irc 404 tocsin #ops :no", echo(labels[1])]
        take(receipts, says[int(order[0])])
        assert outcome(each) == "waits"
        take(receipts, says[int(order[1])])
        assert outcome(each) == "404"


async def test_an_answer_of_several_lines_counts_at_its_end() -> None:
    receipts = Receipts()
    refused, echoed = spoken("bob"), spoken()
    [one], [two] = receipts.labels(refused), receipts.labels(echoed)
    take(
        receipts,
        f"@label={one} :irc BATCH +x labeled-response",
        f"@label={two} :irc BATCH +y labeled-response",
        ":irc BATCH +z netsplit irc.a irc.b",
        "@batch=z :carol!u@h QUIT :irc.a irc.b",
        "@batch=x :irc 716 tocsin bob :has set +g",
        "@batch=x :irc 301 tocsin bob :is away",
        "@batch=y :tocsin!u@h PRIVMSG #ops :0",
        ":irc BATCH -z",
    )
    assert outcomes(refused, echoed) == ["waits", "waits"]
    take(receipts, ":irc BATCH -x")
    assert outcomes(refused, echoed) == ["716", "waits"]
    take(receipts, "@batch=x :irc 404 tocsin #ops :late", ":irc BATCH -x", ":irc BATCH -y")
    assert outcomes(refused, echoed) == ["716", f"echo {two}"]


async def test_an_answer_within_an_answer_does_not_end_it() -> None:
    receipts = Receipts()
    echoed, refused = spoken(), spoken("bob")
    [one], [two] = receipts.labels(echoed), receipts.labels(refused)
    take(
        receipts,
        f"@label={one} :irc BATCH +x labeled-response",
        f"@label={two} :irc BATCH +y labeled-response",
        "@batch=x :irc BATCH +in netsplit irc.a irc.b",
        "@batch=y :irc BATCH +inner example",
        "@batch=in :carol!u@h QUIT :irc.a irc.b",
        "@batch=inner :irc 404 tocsin bob :no",
        "@batch=x :irc BATCH -in",
        ":irc BATCH -inner",
    )
    assert outcomes(echoed, refused) == ["waits", "waits"]
    take(receipts, "@batch=x :tocsin!u@h PRIVMSG #ops :0")
    assert outcomes(echoed, refused) == ["waits", "waits"]
    take(receipts, ":irc BATCH -x", ":irc BATCH -y")
    assert outcomes(echoed, refused) == [f"echo {one}", "404"]


async def test_the_name_of_a_batch_may_be_used_again() -> None:
    receipts = Receipts()
    first, second = spoken(), spoken()
    [one], [two] = receipts.labels(first), receipts.labels(second)
    take(
        receipts,
        f"@label={one} :irc BATCH +x labeled-response",
        "@batch=x :irc BATCH +y netsplit irc.a irc.b",
        ":irc BATCH -y",
        "@batch=x :tocsin!u@h PRIVMSG #ops :0",
        ":irc BATCH -x",
        f"@label={two} :irc BATCH +y labeled-response",
        "@batch=y :tocsin!u@h PRIVMSG #ops :0",
        ":irc BATCH -y",
    )
    assert outcomes(first, second) == [f"echo {one}", f"echo {two}"]


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.data())
async def test_labels_are_understood_in_any_order(sizes: list[int], data: st.DataObject) -> None:
    receipts = Receipts()
    all_of_them = [spoken(lines=size) for size in sizes]
    labels = [(label, each) for each in all_of_them for label in receipts.labels(each)]
    missing = dict(zip(map(id, all_of_them), sizes, strict=True))
    refused: set[int] = set()
    for label, each in data.draw(st.permutations(labels)):
        how = data.draw(st.sampled_from(["echo", "refusal", "batch"]))
        if how == "echo":
            take(receipts, echo(label))
        else:
            refused.add(id(each))
        if how == "refusal":
            take(receipts, f"@label={label} :irc 404 tocsin #ops :no")
        if how == "batch":
            take(
                receipts,
                f"@label={label} :irc BATCH +b labeled-response",
                "@batch=b :irc 404 tocsin #ops :no",
            )
            assert outcome(each) == "waits"
            take(receipts, ":irc BATCH -b")
        missing[id(each)] -= 1
        for one in all_of_them:
            answered = "404" if id(one) in refused else "echo"
            assert outcome(one).split()[0] == ("waits" if missing[id(one)] else answered)
