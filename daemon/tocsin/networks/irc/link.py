"""One connection to an IRC server, from the first word to the last."""

import asyncio
import contextlib
import logging
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tocsin.domain.pace import Pace
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.irc.lines import fold, line
from tocsin.networks.irc.login import LATER, Login, refused
from tocsin.networks.irc.receipts import LABELLED, Receipts, Spoken
from tocsin.networks.irc.turns import Turns
from tocsin.networks.irc.wire import Heard, Wire
from tocsin.networks.troubles import in_short

log = logging.getLogger(__name__)

CONNECT_WITHIN = 20.0
"""How many seconds the way from the first packet to the last word of the login may take."""

ANSWER_WITHIN = 15.0
"""How many seconds the server has to answer; after that the link is dead, whatever TCP says of it."""

ASK_AFTER = 20.0
"""After so many seconds of silence the server is asked whether it is there."""

QUIET = 40.0
"""After so many seconds of silence the link is dead."""

LOOK_EVERY = 1.0

RESERVE = 2
"""Of the lines that may go at once so many are left by all but pages: enough for one, and the PING behind what was
said before it."""

CHORE_AFTER = 4
"""Where messages don't end, one command that can wait goes behind so many of their lines."""

UNFIT = "it may no longer be said there like this"

AT_ONCE = 50
"""So many lines are taken before others have their turn."""


@contextlib.contextmanager
def connecting(host: str, port: int) -> Iterator[None]:
    """What goes wrong on the way to a server, but for how long it takes, as NetworkError."""
    try:
        yield
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise refused(f"the server's certificate can't be trusted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise refused(f"no TLS with {host}:{port}: {error.reason or error}") from None
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
        raise refused(f"{host}:{port} closes the link at once; does it take TLS there?") from None
    except OSError as error:
        raise NetworkError(f"can't connect to {host}:{port}: {in_short(error)}", unsent=True) from None


@dataclass(frozen=True)
class Whois:
    """host: from where somebody speaks, as `user@host`. account: theirs. Both are empty for nobody.

    bot: whether they say of themselves that they are one.
    """

    host: str = ""
    account: str = ""
    bot: bool = False


class Link:
    """Logs in, says lines one after another, and knows what became of each."""

    def __init__(self, login: Login, pace: Pace, on_heard: Callable[[Heard], None]) -> None:
        """pace: shared by all links, one after another. on_heard: gets every line, after the link took what is its own."""
        self._login = login
        self._pace = pace
        self._on_heard = on_heard
        self._loop = asyncio.get_running_loop()
        self._lines = asyncio.Queue[str]()
        self._wire = Wire(self._lines.put_nowait, self._end)
        self._receipts = Receipts()
        self._turns = Turns()
        self._questions = deque[str]()
        self._asked_last = False
        self._chores = deque[str]()
        self._since_chore = 0
        self._something = asyncio.Event()
        self._asked: dict[str, tuple[Whois, asyncio.Future[Whois]]] = {}
        self._proof: tuple[str, asyncio.Event] | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._probed = False
        self._ending = False
        self._last_words = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.ended: asyncio.Future[str] = self._loop.create_future()
        """Done once nothing can be said or heard any more: why."""
        self.introduced = asyncio.Event()
        """Set once the server has said all that it says of itself."""
        self.features: dict[str, str] = {}
        """What the server says of itself (ISUPPORT)."""

    @property
    def nick(self) -> str:
        """What we are called now."""
        return self._login.nick

    @property
    def caps(self) -> set[str]:
        """The capabilities that are on."""
        return self._login.caps

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Connect and log in. Raises NetworkError."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                with connecting(host, port):
                    await self._wire.open(host, port, tls)
                self._tasks = [asyncio.create_task(run()) for run in (self._read, self._speak, self._watch)]
                with connecting(host, port):
                    for text in self._login.hello():
                        self.command(text)
                waits: list[asyncio.Future[Any]] = [self._ready, self.ended]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            wait = LATER if self._tasks else None  # somebody is there
            raise NetworkError(f"no answer from {host}:{port}", unsent=True, retry_after=wait) from None
        if self._ready.done():
            self._ready.result()
        else:
            raise NetworkError(f"not let in: {self.ended.result()}", unsent=True, retry_after=LATER)

    async def close(self) -> None:
        """Say good-bye, if anybody is there, and end."""
        if not self.ended.done():
            with contextlib.suppress(ConnectionError):
                self.command(line("QUIT", text="bye"))
            self._end("we hung up", self._wire.close)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def command(self, text: str) -> None:
        """Write a line of ours at once; once we are logged in it counts like any other."""
        if self._ready.done():
            self._pace.spend()
        self._wire.send_raw(text)

    def command_some_time(self, text: str) -> None:
        """Write a line of ours once nothing else is to be said, and the pace allows it; sooner if that never ends."""
        self._chores.append(text)
        self._something.set()

    def say(
        self, target: str, texts: list[str], rank: Rank, fits: Callable[[], bool] = lambda: True
    ) -> Spoken:
        """Write a message's lines as soon as its turn comes and the pace allows it.

        fits: whether they may be said there; what no longer may when its turn comes is not. Raises ValueError for
        what is no line.
        """
        lines = [line("PRIVMSG", target, text=text) for text in texts]
        spoken = Spoken(target, lines, self._loop.create_future(), fits)
        if self.ended.done():
            spoken.fail(self.ended.result())
        else:
            self._turns.add(spoken, rank)
            self._something.set()
        return spoken

    async def prove(self) -> None:
        """Send ourselves a notice, once nothing else is to be said, and wait until the server brings it: nobody answers one,
        and it is no line to hear.
        """
        text, back = f"tocsin looks whether this comes back: {secrets.token_hex(8)}", asyncio.Event()
        self._proof = text, back
        self.command_some_time(line("NOTICE", self.nick, text=text))
        await back.wait()

    async def whois(self, nick: str) -> Whois:
        """Who that is now. Raises NetworkError if the server doesn't say."""
        key = fold(nick)
        if key not in self._asked:
            if self.ended.done():
                raise NetworkError(self.ended.result(), unsent=True)
            self._questions.append(line("WHOIS", nick))
            self._something.set()
            self._asked[key] = (Whois(), self._loop.create_future())
        _, answer = self._asked[key]
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await asyncio.shield(answer)
        except TimeoutError:
            self._asked.pop(key, None)
            raise NetworkError(f"the server does not say who {nick} is", unsent=True) from None

    # What comes in.

    async def _read(self) -> None:
        taken = 0
        while True:
            text = await self._lines.get()
            self._heard_at = self._loop.time()
            self._probed = False
            self._read_one(text)
            taken += 1
            if taken % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _read_one(self, text: str) -> None:
        try:
            heard = self._wire.parse(text)
        except Exception as error:  # noqa: BLE001 (anybody may send anything)
            log.info("an odd line is left out: %s", type(error).__name__)
            return
        self._take(heard)

    def _take(self, heard: Heard) -> None:
        try:
            self._take_our_own(heard)
            self._receipts.take(heard)
            self._on_heard(heard)
        except NetworkError as error:
            if not self._ready.done():
                self._ready.set_exception(error)
        except ConnectionError as error:
            self._end(str(error))
        except Exception:
            log.exception("a %s is left out", heard.command)

    def _take_our_own(self, heard: Heard) -> None:
        for text in self._login.take(heard):
            self.command(text)
        match heard.command:
            case "NOTICE" if self._proof is not None and heard.last == self._proof[0]:
                self._proof[1].set()
            case "PING":
                self.command(line("PONG", text=heard.last))
            case "ERROR":
                self._last_words = f"the server says: {self._login.without_secrets(heard.last)}"
                self._end(self._last_words)
            case "001" if not self._ready.done():
                self._ready.set_result(None)
            case "376" | "422":
                self.introduced.set()
            case "005":
                self.features |= dict(word.partition("=")[::2] for word in heard.words[1:-1])
            case "NICK" if fold(heard.sender) == fold(self.nick) and heard.words:
                self._login.nick = heard.word(0)
            case "311" | "330" | "335" | "318":
                self._found(heard)

    def _found(self, heard: Heard) -> None:
        """A part of the answer to a WHOIS."""
        key = fold(heard.word(1))
        if key not in self._asked:
            return
        found, answer = self._asked[key]
        match heard.command:
            case "311":
                found = replace(found, host=f"{heard.word(2)}@{heard.word(3)}")
            case "330":
                found = replace(found, account=heard.word(2))
            case "335" if "BOT" in self.features:  # elsewhere it may say something else
                found = replace(found, bot=True)
            case "318":
                del self._asked[key]
                if not answer.done():
                    answer.set_result(found)
                return
        self._asked[key] = (found, answer)

    def _end(self, why: str, hang_up: Callable[[], None] | None = None) -> None:
        """Nothing goes any more."""
        if self._ending:
            return
        self._ending = True
        while not self._lines.empty():  # what was said before is heard, and its receipts count
            self._read_one(self._lines.get_nowait())
        why = self._last_words or why
        self.ended.set_result(why)
        (hang_up or self._wire.abort)()
        self._receipts.end(why)
        for spoken in self._turns:
            spoken.fail(why)
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NetworkError(why, unsent=True))
                answer.exception()  # whoever asked may have left

    # What goes out.

    async def _speak(self) -> None:
        while True:
            self._something.clear()
            try:
                wait = self._say_next()
            except ConnectionError as error:
                self._end(str(error))
                return
            if wait != 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._something.wait()

    def _say_next(self) -> float | None:
        """Write a line if one may go out now; else how many seconds until it may, or None if there is none.

        A question is as urgent as a page, for behind it somebody may be who answers one. But whoever makes us ask
        again and again holds up nobody: every other line is a message's.
        """
        first = self._turns.first()
        if self._questions and not (first and self._asked_last):
            wait: float | None = self._pace.wait()
            if not wait:
                self._asked_last = True
                self._ask(self._questions)
        elif self._chores and (first is None or (self._since_chore >= CHORE_AFTER and first[1] > Rank.PAGE)):
            wait = self._pace.wait()
            if not wait:
                self._since_chore = 0
                self._ask(self._chores)
        elif first is not None:
            spoken, rank = first
            wait = self._pace.wait(1 if rank is Rank.PAGE else 1 + RESERVE)
            if not wait:
                self._asked_last = False
                self._since_chore += 1
                self._write(spoken)
        else:
            wait = None
        if wait != 0:
            self._ask_for_receipts()
        return wait

    def _ask(self, commands: deque[str]) -> None:
        self._ask_for_receipts()  # so that what is refused from now on is no message
        self.command(commands.popleft())

    def _write(self, spoken: Spoken) -> None:
        """Write the next line of a message, if it may still be said."""
        if not spoken.fits():
            spoken.fail(UNFIT)
        else:
            if spoken.out == 0:
                self._begin(spoken)
            number = spoken.out
            spoken.out += 1
            text = spoken.lines[number]
            self.command(f"@label={spoken.labels[number]} {text}" if spoken.labels else text)
            if spoken.labels:
                self._receipts.sent(spoken.labels[number], self._loop.time())
            if not spoken.over:
                return
        if spoken.out > 0 and not spoken.labels:
            self._receipts.written(spoken)
        self._turns.end(spoken)

    def _begin(self, spoken: Spoken) -> None:
        spoken.begun.set()
        self._turns.begin(spoken)
        if self.caps >= LABELLED:
            self._receipts.labels(spoken)
        else:
            if len(spoken.lines) > 1:
                self._ask_for_receipts()  # so that what is refused from now on is its own
            self._receipts.begin(spoken)

    def _ask_for_receipts(self) -> None:
        if self._receipts.uncovered:
            self.command(line("PING", text=self._receipts.barrier(self._loop.time())))

    async def _watch(self) -> None:
        """TCP alone notices after minutes, or never, that nobody is there."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = self._loop.time()
            oldest = self._receipts.oldest()
            if oldest is not None and now - oldest > ANSWER_WITHIN:
                self._end(f"the server took a message and said nothing for {ANSWER_WITHIN:.0f} s")
            elif now - self._heard_at > QUIET:
                self._end(f"the server said nothing for {QUIET:.0f} s")
            elif now - self._heard_at > ASK_AFTER and not self._probed:
                self._probed = True
                with contextlib.suppress(ConnectionError):
                    self.command(line("PING", text="alive"))
