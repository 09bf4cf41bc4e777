"""Real IRC servers: ngIRCd, the poorest, and InspIRCd, the richest, with Atheme's services behind it."""

import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Self
from xmlrpc.client import ServerProxy

from tests.processes import PATIENCE, until
from tests.servers.programs import HOST, Child, Server, program

DOMAIN = "tocsin.test"

OPER = "OPER root operator-password"
"""What makes a user an operator on any of the servers."""


class Ircd(Server):
    """One of them. port: without TLS. tls_port: with TLS, if it has a certificate."""

    def __init__(self, folder: Path, *, password: str, tls: Path | None) -> None:
        """Make the folder, and take the ports."""
        super().__init__(folder)
        self.password = password
        self.tls_port = self._reserve() if tls else 0


# ── ngIRCd ──────────────────────────────────────────────────────────────────────────────────────────────────

_NGIRCD = """\
[Global]
Name = irc.{domain}
Info = for tests
Listen = {host}
Ports = {port}
Password = {password}
ServerUID = {uid}
ServerGID = {gid}
MotdPhrase = hello
PidFile =
[Limits]
MaxConnectionsIP = 0
{limits}
[Options]
DNS = no
Ident = no
PAM = no
IncludeDir = {folder}/no-more
[Operator]
Name = root
Password = operator-password
"""

_NGIRCD_TLS = """\
[SSL]
Ports = {port}
CertFile = {certificate}
KeyFile = {certificate}
DHFile = {folder}/dh.pem
"""

# Without a group it would make one at each start, for seconds. Source: RFC 7919, A.1.
_FFDHE2048 = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


class Ngircd(Ircd):
    """Has no account, no SASL, no services, no tag; nicknames of nine characters, as it comes."""

    def __init__(
        self, folder: Path, *, password: str = "", flood_limit: bool = False, tls: Path | None = None
    ) -> None:
        """Prepare one with its state in a new folder.

        password: what it asks of everybody. flood_limit: whether it slows down who is too fast, as it comes.
        tls: its certificate, with the private key.
        """
        ngircd = program("ngircd", "ngircd")
        super().__init__(folder, password=password, tls=tls)
        (self.folder / "no-more").mkdir()
        (self.folder / "dh.pem").write_text(_FFDHE2048)
        text = _NGIRCD_TLS.format(port=self.tls_port, certificate=tls, folder=self.folder) if tls else ""
        settings = self.folder / "ngircd.conf"
        settings.write_text(
            _NGIRCD.format(
                domain=DOMAIN,
                host=HOST,
                port=self.port,
                password=password,
                uid=os.getuid(),
                gid=os.getgid(),
                folder=self.folder,
                limits="" if flood_limit else "MaxPenaltyTime = 0",
            )
            + text
        )
        self._child = Child([ngircd, "-n", "-f", settings], self.folder / "ngircd.log")


# ── InspIRCd ────────────────────────────────────────────────────────────────────────────────────────────────

_IRCV3 = """cap ircv3 ircv3_accounttag ircv3_batch ircv3_capnotify ircv3_chghost ircv3_ctctags ircv3_echomessage
ircv3_invitenotify ircv3_labeledresponse ircv3_msgid ircv3_servertime chghost monitor namesx sasl setname uhnames"""

_MODES = "botmode callerid commonchans deaf inviteexception noctcp nonotice services_account silence"
"""Those that change what a bot is told, refuse what it says, or let it in."""

_LINKS = "alias servprotect spanningtree svshold"
"""What Atheme, and two servers, need of each other."""

_INSPIRCD = """\
<path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}"
      moduledir="/usr/lib/inspircd/modules">
<server name="{name}" id="{sid}" description="for tests" network="TocsinTest">
<admin name="root" nick="root" email="root@{domain}">
<bind address="{host}" port="{port}" type="clients">
<bind address="{host}" port="{link_port}" type="servers">
<connect name="everybody" allow="*" password="{password}" timeout="20" pingfreq="2m" hardsendq="{hardsendq}"
         softsendq="10K" localmax="1000" globalmax="1000" maxconnwarn="no" resolvehostnames="no" useident="no"
         {flood}>
<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*">
<type name="all" classes="all">
<oper name="root" password="operator-password" host="*" type="all">
<options defaultmodes="not" casemapping="rfc1459">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="ircd.log">
<dns server="{host}" timeout="1">
<uline server="services.{domain}" silent="yes">
<sasl target="services.{domain}">
<alias text="NICKSERV" format="*" replace="PRIVMSG $requirement :$2-" requires="NickServ" uline="yes">
<alias text="NS" format="*" replace="PRIVMSG $requirement :$2-" requires="NickServ" uline="yes">
"""

_LINK = (
    '<link name="{name}" ipaddr="{host}" port="{port}" allowmask="{host}" sendpass="link" recvpass="link">\n'
)

_INSPIRCD_TLS = """\
<module name="ssl_gnutls">
<module name="sslinfo">
<sslprofile name="clients" provider="gnutls" certfile="{certificate}" keyfile="{certificate}" hash="sha256"
            requestclientcert="yes">
<bind address="{host}" port="{port}" type="clients" sslprofile="clients">
"""

# As in the example configuration that it comes with: ten lines at once, and then about one a second.
_FLOOD_LIMIT = 'fakelag="yes" threshold="10" commandrate="1000" recvq="10K"'

# Without fakelag who is over the threshold would be cut off.
_NO_FLOOD_LIMIT = 'fakelag="no" threshold="1000000" commandrate="1000000" recvq="10M"'

_ATHEME = """\
loadmodule "modules/protocol/inspircd";
loadmodule "modules/backend/opensex";
loadmodule "modules/nickserv/main";
loadmodule "modules/nickserv/cert";
loadmodule "modules/nickserv/group";
loadmodule "modules/nickserv/identify";
loadmodule "modules/nickserv/register";
loadmodule "modules/saslserv/main";
loadmodule "modules/saslserv/external";
loadmodule "modules/saslserv/plain";
loadmodule "modules/misc/httpd";
loadmodule "modules/transport/xmlrpc";
serverinfo {{
  name = "services.{domain}"; numeric = "00S"; desc = "for tests"; netname = "TocsinTest"; recontime = 1;
  adminname = "root"; adminemail = "root@{domain}"; registeremail = "noreply@{domain}"; auth = none;
  casemapping = rfc1459; mdlimit = 30; emaillimit = 10; emailtime = 300; maxlogins = 50; maxusers = 0;
  loglevel = {{ error; info; network; }};
}};
uplink "{name}" {{ host = "{host}"; port = {port}; send_password = "link"; receive_password = "link"; }};
nickserv {{ nick = "NickServ"; user = "services"; host = "services.{domain}"; real = "Nicknames"; maxnicks = 5; }};
saslserv {{ nick = "SaslServ"; user = "services"; host = "services.{domain}"; real = "SASL"; }};
httpd {{ host = "{host}"; port = {rpc_port}; }};
general {{ commit_interval = 5; }};
"""


class Inspircd(Ircd):
    """Has accounts, SASL, tags, labels, echoes, and everything else that a bot can use."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str = "",
        flood_limit: bool = False,
        tls: Path | None = None,
        services: bool = False,
        hub: "Inspircd | None" = None,
    ) -> None:
        """Prepare one with its state in a new folder.

        password: what it asks of everybody. flood_limit: whether it slows down who is too fast, as it comes.
        tls: its certificate, with the private key. services: whether NickServ and SASL are there.
        hub: another one, whose network it joins whenever it is started; that takes one at a time.
        """
        inspircd = program("inspircd", "inspircd")
        atheme = program("atheme-services", "atheme-services") if services else ""
        super().__init__(folder, password=password, tls=tls)
        self.name, self.sid = (f"leaf.{DOMAIN}", "002") if hub else (f"irc.{DOMAIN}", "001")
        self.hub = hub
        self._link_port = self._reserve()
        self._rpc_port = self._reserve()
        settings = self.folder / "inspircd.conf"
        text = _INSPIRCD.format(
            folder=self.folder,
            name=self.name,
            sid=self.sid,
            domain=DOMAIN,
            host=HOST,
            port=self.port,
            link_port=self._link_port,
            password=password,
            hardsendq="1M" if flood_limit else "100M",
            flood=_FLOOD_LIMIT if flood_limit else _NO_FLOOD_LIMIT,
        )
        if tls:
            text += _INSPIRCD_TLS.format(host=HOST, port=self.tls_port, certificate=tls)
        others = {f"services.{DOMAIN}": 1}
        others |= {hub.name: hub._link_port} if hub else {f"leaf.{DOMAIN}": 1}  # noqa: SLF001 (one of us)
        text += "".join(_LINK.format(name=name, host=HOST, port=port) for name, port in others.items())
        text += "".join(f'<module name="{name}">\n' for name in f"{_IRCV3} {_MODES} {_LINKS}".split())
        settings.write_text(text)
        # AppArmor would keep Debian's own file from reading anything in our folder; it goes by the path.
        copy = shutil.copy(inspircd, self.folder / "inspircd")
        as_root = ["--runasroot"] if os.geteuid() == 0 else []
        command = [copy, "--nofork", "--nopid", *as_root, "--config", settings]
        self._child = Child(command, self.folder / "inspircd.log")
        self._services = self._prepare_services(atheme) if services else None

    def start(self) -> None:
        """Start it, and its services; all of them are ready then, and linked."""
        super().start()
        if services := self._services:
            services.start()
            with _Clerk(self.port) as clerk:
                until(lambda: services.check() and "EXTERNAL" in clerk.asks("CAP LS 302", " LS :"))
        if self.hub:
            self.joins()

    def ends(self, signal: int = SIGKILL) -> None:
        """Send it a signal that ends it, if it runs. Its services end then, in order: they keep the accounts."""
        super().ends(signal)
        if self._services:
            self._services.ends(SIGTERM)

    def joins(self) -> None:
        """Be linked to the hub: each knows then who is on the other."""
        hub = self.hub
        assert hub
        with _operators(self) as [ours]:
            ours.sends(f"CONNECT {hub.name}")
            until(lambda: ours.sees_server(hub.name))
            ours.asks(f"TIME {hub.name}", " 391 ")  # which comes behind all that either has to tell

    def splits(self) -> None:
        """Lose the link to the hub: neither knows any more who is on the other."""
        hub = self.hub
        assert hub
        with _operators(self, hub) as [ours, theirs]:
            # Told by one alone, the other may not see for minutes that the link was closed.
            ours.sends(f"SQUIT {hub.name}")
            theirs.sends(f"SQUIT {self.name}")
            until(lambda: not (ours.sees_server(hub.name) or theirs.sees_server(self.name)))

    def register(self, account: str, password: str, *fingerprints: str) -> None:
        """Make an account. fingerprints: of certificates that it can log in with."""
        with ServerProxy(f"http://{HOST}:{self._rpc_port}/xmlrpc") as services:
            command = services.atheme.command
            command(".", ".", "here", "NickServ", "REGISTER", account, password, f"{account}@{DOMAIN}")
            cookie = services.atheme.login(account, password)
            for each in fingerprints:
                command(cookie, account, "here", "NickServ", "CERT", "ADD", each)

    def _prepare_services(self, program: str) -> Child:
        settings = self.folder / "atheme.conf"
        text = _ATHEME.format(
            domain=DOMAIN, name=self.name, host=HOST, port=self._link_port, rpc_port=self._rpc_port
        )
        settings.write_text(text)
        command = [program, "-n", "-c", str(settings), "-D", str(self.folder), "-l", os.devnull]
        return Child([*command, "-p", self.folder / "atheme.pid"], self.folder / "atheme.log")


@contextmanager
def _operators(*ircds: Inspircd) -> Iterator["Sequence[_Clerk]"]:
    """One on each; all of them are let in at once, which a server does once a second."""
    with ExitStack() as stack:
        clerks = [stack.enter_context(_Clerk(ircd.port)) for ircd in ircds]
        for ircd, clerk in zip(ircds, clerks, strict=True):
            if ircd.password:
                clerk.sends(f"PASS :{ircd.password}")
            clerk.sends(f"NICK clerk-{ircd.sid}")
            clerk.sends("USER clerk 0 * :for a moment")
        for clerk in clerks:
            clerk.hears(" (376|422) ")
            clerk.asks(OPER, " 381 ")
        yield clerks


class _Clerk:
    """Who is there for a moment, and waits for each answer."""

    def __init__(self, port: int) -> None:
        self._link = socket.create_connection((HOST, port), PATIENCE)
        self._file = self._link.makefile("rb")

    def sends(self, line: str) -> None:
        self._link.sendall(f"{line}\r\n".encode())

    def asks(self, line: str, answer: str) -> str:
        """Send a line, and wait for one that matches; all that came until then."""
        self.sends(line)
        return self.hears(answer)

    def hears(self, answer: str) -> str:
        heard = ""
        while text := self._file.readline().decode(errors="replace"):
            heard += text
            if re.search(answer, text):
                return heard
        raise AssertionError(f"waited in vain for {answer}: {heard}")

    def sees_server(self, name: str) -> bool:
        return f" {name} " in self.asks("LINKS", " 365 ")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.sends("QUIT")
            self._file.read()  # once they are gone, the next can have their name
        self._file.close()
        self._link.close()
