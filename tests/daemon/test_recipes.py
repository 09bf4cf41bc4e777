"""docs/recipes: what they say to write is right, as those say for whom it is."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ROOT, RUNNABLE, Figure
from tests.journeys.test_alertmanager import disk, talk
from tests.networks.test_synapse import room_of, says_twenty
from tests.processes import TOKEN, tocsin, until
from tests.servers.alertmanager import Alertmanager
from tests.servers.certificates import Certificates
from tests.servers.irc_user import Refused as TurnedAway
from tests.servers.irc_user import people
from tests.servers.ircd import DOMAIN, Inspircd, Ngircd
from tests.servers.programs import program, running
from tests.servers.synapse import VENV, Account, Refused, Synapse

RECIPES = sorted(path.stem for path in (ROOT / "docs" / "recipes").glob("*.md"))

REST = """
[receivers.prod]
token.file = "prod.token"
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{ page = "alice" }]
"""

Write = Callable[..., Path]


def blocks(recipe: str, language: str) -> list[str]:
    page = (ROOT / "docs" / "recipes" / f"{recipe}.md").read_text()
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_configuration_is_one_that_tocsin_takes(recipe: str, tmp_path: Path) -> None:
    text = "\n".join(blocks(recipe, "toml")) + REST
    assert "[networks." in text or recipe == "alertmanager"
    if recipe == "alertmanager":
        text = text.replace(
            "[plugins.alertmanager.",
            "[networks.console]\n[people.alice]\naccounts.console = 'alice'\n[plugins.alertmanager.",
        )
    for secret in re.findall(r'file = "([^"]+)"', text):
        (tmp_path / secret).touch(mode=0o600)
        (tmp_path / secret).write_text(TOKEN)
    config = tmp_path / "config.toml"
    config.write_text(text)
    ran = tocsin("check-config", config)
    assert ran.returncode == 0, ran.stderr
    assert "good: 1 person" in ran.stdout


def alertmanager(folder: Path, address: str) -> Alertmanager:
    """One with the recipe's configuration, which is changed only in where Tocsin is, and its token."""
    made = Alertmanager(folder, "http://tocsin.test/", {})
    [text] = blocks("alertmanager", "yaml")
    token = folder.parent / "prod.token"
    text = text.replace("127.0.0.1:8627/hooks/alertmanager/prometheus", f"{address}/hooks/alertmanager/prod")
    (folder / "alertmanager.yml").write_text(
        text.replace("/etc/prometheus/tocsin.token", str(token)).replace(
            "group_interval: 1m", "group_interval: 1s"
        )
    )
    return made


def test_alertmanager_takes_the_recipe(tmp_path: Path) -> None:
    [text] = blocks("alertmanager", "yaml")
    (tmp_path / "alertmanager.yml").write_text(text)
    amtool = [program("amtool", "prometheus-alertmanager")]
    ran = subprocess.run(
        [*amtool, "check-config", tmp_path / "alertmanager.yml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    routed = [
        subprocess.run(
            [*amtool, "config", "routes", "test", f"--config.file={tmp_path / 'alertmanager.yml'}", *labels],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for labels in (
            ["alertname=Watchdog"],
            ["pager=other", "severity=critical"],
            ["severity=critical"],
            ["severity=info"],
        )
    ]
    assert routed == ["tocsin", "not-tocsin", "tocsin", "tocsin"]


def test_by_the_recipe_an_alert_pages_at_once_and_two_alertmanagers_page_once(
    tmp_path: Path, write_config: Write, figure: Figure
) -> None:
    with talk(write_config(RUNNABLE)) as tocsin, ExitStack() as stack:
        address = tocsin.status()["listening on"]
        one, two = (
            stack.enter_context(running(alertmanager(tmp_path / name, address))) for name in ("one", "two")
        )
        alert, began = disk(), time.perf_counter()
        one.fires(alert)
        group = tocsin.page("critical DiskFull db1: 97 % of / used")
        took = time.perf_counter() - began
        figure(f"from the alert in Alertmanager to the page, with group_wait 0s: {took:.2f} s")
        assert took < 10, "group_wait is 10 s for what does not page"
        two.fires(alert)
        until(lambda: two.accepted() == 1)
        one.resolves(alert)
        tocsin.tells(f"{group} resolved by its source", "@alice")
        assert sum(line.startswith(f"{group} critical") for line in tocsin.told("@alice")) == 1


async def says_sixty(port: int) -> float:
    """How long it takes until a server has taken that many lines of one who says them all at once, in seconds."""
    async with people("bot", "alice") as [bot, alice]:
        await bot.connect(port)
        await alice.connect(port)
        await alice.join("#ops")
        await bot.join("#ops")
        began = time.perf_counter()
        for number in range(60):
            bot.send(f"PRIVMSG #ops :line {number}")
        await bot.sync()
        return time.perf_counter() - began


async def test_by_the_recipe_inspircd_has_what_tocsin_uses_and_does_not_slow_it_down(tmp_path: Path) -> None:
    ircd = Inspircd(tmp_path / "inspircd", flood_limit=True, services=True)
    [recipe, *_] = blocks("inspircd", "text")
    settings = ircd.folder / "inspircd.conf"
    base = re.sub(r"<sasl .*>\n", "", settings.read_text())
    for line in re.findall(r"<module .*>\n", recipe):
        assert line in base, "it takes no module that no test of Tocsin uses"
        base = base.replace(line, "")
    recipe = recipe.replace("services.example.org", f"services.{DOMAIN}").replace("192.0.2.7", "127.0.0.1")
    settings.write_text(recipe + base)
    with running(ircd):
        ircd.register("tocsin", "secret")
        async with people("alice", "tocsin", "eve") as [alice, tocsin, eve]:
            await alice.connect(ircd.port)
            await alice.join("#ops")
            for line in re.findall(r"(?m)^/mode (.+)", "\n".join(blocks("inspircd", "text"))):
                alice.send(f"MODE {line}")
            await alice.sync()
            await eve.connect(ircd.port)
            with pytest.raises(TurnedAway, match=" 477 "):
                await eve.join("#ops")
            await tocsin.connect(ircd.port, sasl=("tocsin", "secret"))
            await tocsin.join("#ops")
        assert await says_sixty(ircd.port) < 10


async def test_by_the_recipe_ngircd_lets_in_who_has_the_password_and_slows_down_nobody(
    tmp_path: Path,
) -> None:
    certificates = Certificates(tmp_path / "tls")
    ircd = Ngircd(tmp_path / "ngircd", password="CHANGE-ME", tls=certificates.server, flood_limit=True)
    recipe = "".join(blocks("ngircd", "ini"))
    assert "CertFile" in recipe
    for name in ("crt", "key"):
        recipe = recipe.replace(f"/etc/ngircd/server.{name}", str(certificates.server))
    own = f"Listen = 127.0.0.1\nPorts = {ircd.port}\nMotdPhrase = hello\nPidFile =\n"
    recipe = recipe.replace("[Global]\n", f"[Global]\n{own}").replace(
        "Ports = 6697", f"Ports = {ircd.tls_port}"
    )
    recipe = recipe.replace("[SSL]\n", f"[SSL]\nDHFile = {ircd.folder}/dh.pem\n")
    settings = ircd.folder / "ngircd.conf"
    settings.write_text(recipe)
    ran = subprocess.run(
        [program("ngircd", "ngircd"), "--configtest", "-f", settings],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in ran.stdout.splitlines() if line.startswith(" - ")]
    assert [line for line in said if "MaxPenaltyTime" not in line] == []
    with running(ircd):
        async with people("alice", "eve") as [alice, eve]:
            with pytest.raises(TurnedAway):
                await eve.connect(ircd.tls_port, tls=certificates.context())
            await alice.connect(ircd.tls_port, tls=certificates.context(), password="CHANGE-ME")
            with pytest.raises(TurnedAway, match=" 475 "):
                await alice.join("#ops")
            await alice.join("#ops CHANGE-ME-TOO")


def test_by_the_recipe_synapse_makes_an_account_and_limits_it_no_more(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        make, lift = (block.replace("\\\n", "") for block in blocks("synapse", "sh"))
        make = make.replace("/etc/matrix-synapse", str(synapse.folder)).replace(
            "http://127.0.0.1:8008", synapse.url
        )
        subprocess.run(
            [VENV / "bin" / make.split()[0], *make.split()[1:], "--password", "secret"],
            check=True,
            capture_output=True,
        )
        tocsin = synapse.login(Account("tocsin", "@tocsin:tocsin.test", "secret", "", ""))
        room = room_of(synapse, tocsin)
        with pytest.raises(Refused, match="M_LIMIT_EXCEEDED"):
            says_twenty(synapse, tocsin, room)
        token = synapse.register("boss", admin=True).token
        lift = lift.replace("http://127.0.0.1:8008", synapse.url).replace(
            "@tocsin:example.org", tocsin.user_id
        )
        ran = subprocess.run(
            ["/bin/sh", "-euc", lift],
            env={"ADMIN_TOKEN": token, "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        )
        assert json.loads(ran.stdout) == {"messages_per_second": 0, "burst_count": 0}
        says_twenty(synapse, tocsin, room)
