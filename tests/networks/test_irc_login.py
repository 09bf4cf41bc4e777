"""IRC: the first words with a server."""

import base64
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import NetworkError
from tocsin.networks.irc.login import LATER, WANTED, Login
from tocsin.networks.irc.wire import Heard

from tests.networks.irc_parts import heard

PLAIN = ("PLAIN", "tocsin", "correct horse")
EXTERNAL = ("EXTERNAL",)
RICH = (
    "sasl=PLAIN,EXTERNAL account-tag batch multi-prefix echo-message labeled-response message-tags sts=port=1"
)


def login(
    sasl: Sequence[str] = (), nicks: Sequence[str] = ("tocsin", "tocsin_"), password: str = ""
) -> Login:
    """Somebody who has said the first words."""
    made = Login(nicks, password, sasl)
    list(made.hello())
    return made


def answers(made: Login, *texts: str) -> list[str]:
    return [said for text in texts for said in made.take(heard(f":irc {text}"))]


def refusal(made: Login, text: str) -> str:
    """Why we go away, for a while: nobody has seen anything of us."""
    with pytest.raises(NetworkError) as caught:
        answers(made, text)
    assert caught.value.unsent
    assert not caught.value.permanent
    assert caught.value.retry_after == LATER
    assert not made.done
    return str(caught.value)


def test_the_first_words_name_us_after_the_password() -> None:
    assert list(Login(["tocsin", "other"]).hello()) == [
        "CAP LS 302",
        "NICK tocsin",
        "USER tocsin 0 * :Tocsin",
    ]
    assert list(Login(["tocsin"], ":open sesame").hello()) == [
        "CAP LS 302",
        "PASS ::open sesame",
        "NICK tocsin",
        "USER tocsin 0 * :Tocsin",
    ]


def test_a_server_that_knows_all_is_asked_for_what_is_of_use() -> None:
    made = login(PLAIN)
    asked = "account-tag batch echo-message labeled-response message-tags sasl"
    assert answers(made, f"CAP * LS :{RICH}") == [f"CAP REQ :{asked}"]
    assert made.caps == set()
    assert answers(made, f"CAP * ACK :{asked} ") == ["AUTHENTICATE PLAIN"]
    assert made.caps == set(asked.split())
    assert answers(made, "AUTHENTICATE +") == ["AUTHENTICATE AHRvY3NpbgBjb3JyZWN0IGhvcnNl"]
    assert answers(made, "900 tocsin tocsin!u@h tocsin :You are now logged in") == []
    assert answers(made, "903 tocsin :SASL authentication successful") == ["CAP END"]
    assert not made.done
    assert answers(made, "001 Tocsin1 :Welcome") == []
    assert (made.done, made.nick) == (True, "Tocsin1")


def test_a_long_list_of_capabilities_is_heard_to_its_end() -> None:
    made = login()
    assert answers(made, "CAP * LS * :batch sasl=PLAIN", "CAP * LS * :", "CAP * LS * :away-notify") == []
    assert answers(made, "CAP * LS :account-tag") == ["CAP REQ :account-tag batch"]


def test_a_list_that_names_an_asterisk_is_not_the_beginning_of_a_longer_one() -> None:
    assert answers(login(), "CAP * LS *") == ["CAP END"]


@pytest.mark.parametrize("offered", ["", "sasl", "multi-prefix away-notify", "sasl=PLAIN", "Batch"])
def test_where_nothing_of_use_is_offered_nothing_is_asked_for(offered: str) -> None:
    made = login()
    assert answers(made, f"CAP * LS :{offered}") == ["CAP END"]
    assert answers(made, "001 tocsin :Welcome") == []
    assert (made.done, made.nick, made.caps) == (True, "tocsin", set())


@given(st.sets(st.sampled_from([*sorted(WANTED), "away-notify", "sts=port=6697", "a=b=c"])))
def test_no_more_is_asked_for_than_is_offered(offered: set[str]) -> None:
    [said] = answers(login(), f"CAP * LS :{' '.join(sorted(offered))}")
    wanted = (WANTED & offered) - {"sasl"}
    assert said == (f"CAP REQ :{' '.join(sorted(wanted))}" if wanted else "CAP END")


def test_a_server_may_change_its_mind_about_what_it_offers() -> None:
    made = login()
    answers(made, "CAP * LS :batch account-tag")
    assert answers(made, "CAP * NAK :account-tag batch") == ["CAP END"]
    assert made.caps == set()
    made = login(PLAIN)
    answers(made, "CAP * LS :sasl batch")
    assert refusal(made, "CAP * NAK :batch sasl") == "the server offers SASL, and then refuses it"


def test_capabilities_come_and_go_without_a_word_of_ours() -> None:
    made = login()
    answers(made, "CAP * LS :batch echo-message labeled-response")
    answers(made, "CAP * ACK :batch echo-message labeled-response", "001 tocsin :Welcome")
    assert answers(made, "CAP tocsin DEL :labeled-response batch never-heard-of") == []
    assert made.caps == {"echo-message"}
    later = (
        "CAP tocsin NEW :batch",
        "CAP tocsin ACK :batch",
        "CAP tocsin NAK :batch",
        "CAP tocsin LIST :batch",
    )
    assert answers(made, *later) == []
    assert made.caps == {"echo-message"}


@pytest.mark.parametrize(
    ("sasl", "offered"),
    [
        (PLAIN, "sasl"),
        (PLAIN, "sasl="),
        (PLAIN, "sasl=PLAIN"),
        (PLAIN, "sasl=EXTERNAL,PLAIN"),
        (PLAIN, "sasl=plain"),
        (EXTERNAL, "sasl"),
        (EXTERNAL, "sasl=PLAIN,EXTERNAL,SCRAM-SHA-256"),
    ],
)
def test_a_server_that_may_take_our_proof_is_given_it(sasl: Sequence[str], offered: str) -> None:
    made = login(sasl)
    assert answers(made, f"CAP * LS :{offered}") == ["CAP REQ :sasl"]
    assert answers(made, "CAP * ACK :sasl") == [f"AUTHENTICATE {sasl[0]}"]


@pytest.mark.parametrize(
    ("sasl", "offered"),
    [
        (PLAIN, ""),
        (PLAIN, "batch"),
        (PLAIN, "sasl=EXTERNAL"),
        (PLAIN, "sasl=SCRAM-PLAIN,PLAINER"),
        (EXTERNAL, "sasl=PLAIN"),
        (EXTERNAL, "sasls=EXTERNAL"),
    ],
)
def test_a_server_that_can_not_take_our_proof_is_left(sasl: Sequence[str], offered: str) -> None:
    assert refusal(login(sasl), f"CAP * LS :{offered}") == f"the server offers no login by SASL {sasl[0]}"


@pytest.mark.parametrize(
    ("size", "chunks"),
    [
        (4, [8]),
        (297, [396]),
        (298, [400, "+"]),
        (300, [400, "+"]),
        (301, [400, 4]),
        (597, [400, 396]),
        (600, [400, 400, "+"]),
        (601, [400, 400, 4]),
    ],
)
def test_a_proof_is_cut_as_the_server_reads_it(size: int, chunks: list[int | str]) -> None:
    """Pieces of 400; what ends with a whole one is ended by an empty one."""
    said = [
        each.removeprefix("AUTHENTICATE ")
        for each in answers(login(("PLAIN", "a", "p" * (size - 3))), "AUTHENTICATE +")
    ]
    assert [each if each == "+" else len(each) for each in said] == chunks
    assert base64.b64decode("".join(said).rstrip("+")) == b"\0a\0".ljust(size, b"p")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=700))
def test_a_proof_holds_the_account_and_the_password(password: str) -> None:
    said = answers(login(("PLAIN", "tocsin", password)), "AUTHENTICATE +")
    chunks = [each.removeprefix("AUTHENTICATE ") for each in said]
    assert all(len(chunk) == 400 for chunk in chunks[:-1])
    assert len(chunks[-1]) < 400
    sent = "".join(chunks[:-1] if chunks[-1] == "+" else chunks)
    assert base64.b64decode(sent).decode().split("\0") == ["", "tocsin", password]


def test_a_certificate_proves_without_a_word() -> None:
    made = login(EXTERNAL)
    answers(made, "CAP * LS :sasl=EXTERNAL")
    assert answers(made, "CAP * ACK :sasl", "AUTHENTICATE +") == ["AUTHENTICATE EXTERNAL", "AUTHENTICATE +"]


def test_a_proof_is_given_only_to_who_asks_for_it() -> None:
    assert answers(login(PLAIN), "AUTHENTICATE", "AUTHENTICATE PLAIN", "AUTHENTICATE AAAA") == []
    assert answers(login(), "AUTHENTICATE +") == []


@pytest.mark.parametrize("code", ["903", "907"])
def test_what_is_proven_lets_us_in(code: str) -> None:
    made = login(PLAIN)
    assert answers(made, f"{code} tocsin :well done", "001 tocsin :Welcome") == ["CAP END"]
    assert made.done


@pytest.mark.parametrize("code", ["902", "904", "905", "906", "908"])
def test_without_our_account_we_do_not_go_in(code: str) -> None:
    assert refusal(login(PLAIN), f"{code} tocsin :bad password") == (
        "the login to our account failed: bad password"
    )
    assert answers(login(), f"{code} tocsin :never asked") == []


@pytest.mark.parametrize("sasl", [PLAIN, EXTERNAL])
@pytest.mark.parametrize(
    "before", [[], ["421 * CAP :Unknown command"], ["CAP * LS :sasl", "CAP * ACK :sasl"]]
)
def test_a_welcome_without_proof_is_none(sasl: Sequence[str], before: list[str]) -> None:
    made = login(sasl)
    answers(made, *before)
    assert refusal(made, "001 tocsin :Welcome") == "the server let us in without the login to our account"
    assert made.nick == ""


def test_a_server_that_knows_no_capabilities_is_good_enough_without_an_account() -> None:
    made = login()
    assert answers(made, "421 tocsin CAP :Unknown command", "001 tocsin :Welcome") == []
    assert (made.done, made.nick, made.caps) == (True, "tocsin", set())


@pytest.mark.parametrize("code", ["433", "436", "437"])
def test_a_nick_in_use_leads_to_the_next_and_at_last_to_invented_ones(code: str) -> None:
    made = login()
    tries = [said for _ in range(6) for said in answers(made, f"{code} * tocsin :in use")]
    assert tries[0] == "NICK tocsin_"
    assert all(re.fullmatch("NICK tocsi[0-9]{4}", said) for said in tries[1:])
    assert len(tries) == 6
    assert refusal(made, f"{code} * tocsin :in use") == "no nick is free"


@pytest.mark.parametrize(
    ("nick", "start"), [("a-very-long-nick", "a-ver"), ("tocsi", "tocsi"), ("toc", "toc"), ("t", "t")]
)
def test_an_invented_nick_is_short_enough_for_any_server(nick: str, start: str) -> None:
    """RFC 2812 promises nine characters."""
    made = login(nicks=[nick])
    invented = [said.removeprefix("NICK ") for said in answers(made, *[f"433 * {nick} :in use"] * 5)]
    assert len(invented) == 5
    assert all(re.fullmatch(f"{start}[0-9]{{4}}", each) for each in invented)
    assert all(len(each) <= 9 for each in invented)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("432", "the server does not take the nick: go away"),
        ("463", "the server does not let this host in: go away"),
        ("464", "the server's password is wrong: go away"),
        ("465", "we are banned from this server: go away"),
    ],
)
def test_a_server_that_turns_us_away_says_why(code: str, why: str) -> None:
    assert refusal(login(), f"{code} * :go away") == why
    assert refusal(login(PLAIN), f"{code} * :go away") == why


@pytest.mark.parametrize("code", ["432", "433", "436", "437", "463", "464", "465"])
def test_once_in_nothing_turns_us_away(code: str) -> None:
    """What we ask for later, such as our own nick, may be refused."""
    made = login()
    answers(made, "001 tocsin_ :Welcome")
    assert answers(made, f"{code} tocsin_ tocsin :no") == []
    assert (made.done, made.nick) == (True, "tocsin_")


def test_what_is_secret_is_not_shown() -> None:
    assert "open sesame" not in repr(login(PLAIN, password="open sesame"))
    assert "correct horse" not in repr(login(PLAIN))


CODES = [
    "001",
    "421",
    "432",
    "433",
    "436",
    "437",
    "463",
    "464",
    "465",
    "900",
    "902",
    "903",
    "904",
    "905",
    "906",
    "907",
    "908",
    "AUTHENTICATE",
    "CAP",
    "PING",
]
WORDS = [
    "*",
    "+",
    "tocsin",
    "LS",
    "ACK",
    "NAK",
    "DEL",
    "NEW",
    ":",
    "sasl",
    "sasl=PLAIN",
    "sasl=EXTERNAL",
    "batch",
    "account-tag",
]
said_by_servers = st.builds(
    Heard,
    st.just("irc"),
    st.just(""),
    st.sampled_from(CODES),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=5).map(tuple),
)


@given(st.sampled_from([(), PLAIN, EXTERNAL]), st.lists(said_by_servers, max_size=8))
def test_whatever_a_server_says_we_are_in_only_as_we_want_to_be(
    sasl: Sequence[str], lines: list[Heard]
) -> None:
    made = login(sasl)
    for number, each in enumerate(lines):
        try:
            for said in made.take(each):
                assert not set(said) & set("\r\n\0")
        except NetworkError:
            return
        if made.done and sasl:
            assert {"903", "907"} & {earlier.command for earlier in lines[:number]}
        assert made.caps <= {word for earlier in lines for word in earlier.last.split()}


@pytest.mark.parametrize("code", ["904", "464", "465"])
def test_a_server_that_repeats_what_we_said_makes_no_secret_known(code: str) -> None:
    made = login(PLAIN, password="s3rver")
    proof = base64.b64encode(b"\0tocsin\0correct horse").decode()
    why = refusal(made, f"{code} * :PASS s3rver, AUTHENTICATE {proof}, correct horse: no")
    assert why.endswith(": PASS …, AUTHENTICATE …, …: no")
