"""A machine of its own with a real systemd: systemd-nspawn boots it on an overlay of this machine's root.

What is installed here is installed there; nothing that is written there stays. It shares this machine's network.
"""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Self

import pytest

from tests.processes import PATIENCE, until
from tests.servers.programs import program

CGROUPS = Path("/sys/fs/cgroup")
UNITS = Path("etc/systemd/system")
NOT_THERE = ("PYTHON", "MAKEFLAGS", "MAKELEVEL")
"""What an administrator has not set who types a command there."""

NOT_NEEDED = ["console-getty.service", "e2scrub_all.timer", "systemd-networkd-wait-online.service"]


def _mount(*arguments: str | Path) -> None:
    done = subprocess.run(["/bin/mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no machine can be made here: {done.stderr.strip()}")


def _unmount(*arguments: str | Path) -> None:
    subprocess.run(["/bin/umount", *arguments], check=True)


@contextmanager
def _own_root(folder: Path) -> Iterator[Path]:
    """This machine's root, over which is written in memory; systemd starts nothing of what is installed there."""
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
    with ExitStack() as stack:
        stack.callback(_unmount, "--lazy", folder)
        upper, work, root = (folder / name for name in ("upper", "work", "root"))
        for each in (upper, work, root):
            each.mkdir()
        _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", root)
        stack.callback(_unmount, "--recursive", root)
        for wanted in (root / UNITS).glob("*.wants"):
            if wanted.name != "sysinit.target.wants":
                shutil.rmtree(wanted)
        for unit in [*NOT_NEEDED, *(path.name for path in Path("/lib/systemd/system").glob("*.timer"))]:
            (root / UNITS / unit).unlink(missing_ok=True)
            (root / UNITS / unit).symlink_to("/dev/null")
        (root / "etc/machine-id").unlink(missing_ok=True)
        (root / "etc/machine-id").touch()  # its own, and so its own journal
        yield root


@contextmanager
def _own_cgroup(name: str) -> Iterator[str]:
    """A group of its own in each hierarchy, since nspawn makes others below it; what a shell types to be in it."""
    made = []
    for hierarchy in (CGROUPS / "systemd", CGROUPS / "unified", CGROUPS):
        if (hierarchy / "cgroup.procs").exists():
            (hierarchy / name).mkdir()
            made.append(hierarchy / name)
    try:
        yield " && ".join(f"echo 0 > {group}/cgroup.procs" for group in made)
    finally:
        for group in made:
            for below in sorted(group.rglob("*/"), reverse=True):
                with suppress(OSError):
                    below.rmdir()
            with suppress(OSError):
                group.rmdir()


class Machine:
    """One that runs. root: its file system, seen from here."""

    def __init__(self, root: Path, leader: int) -> None:
        """leader: its first process, seen from here."""
        self.root = root
        self._leader = str(leader)

    @classmethod
    @contextmanager
    def booted(cls, folder: Path) -> Iterator[Self]:
        """Boot one. folder: an empty one, for all of it."""
        if os.geteuid():
            pytest.skip("only root can boot a machine: sudo make test")
        nspawn = program("systemd-nspawn", "systemd-container")
        name = f"tocsin-{os.getpid()}"
        with ExitStack() as stack:
            root = stack.enter_context(_own_root(folder))
            enter = stack.enter_context(_own_cgroup(name))
            console = stack.enter_context((folder / "console").open("wb"))
            boot = [
                nspawn,
                "--quiet",
                f"--directory={root}",
                f"--machine={name}",
                "--register=no",
                "--keep-unit",
            ]
            boot += ["--notify-ready=yes", "--console=pipe", "--boot", "--", "systemd.unit=multi-user.target"]
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM
            ) as notify:  # unread it would hold systemd up
                notify.bind(str(folder / "notify"))
                popen = subprocess.Popen(
                    ["/bin/sh", "-c", f'{enter} && exec "$@"', "boot", *boot],
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
                )
                stack.callback(popen.wait, PATIENCE)
                stack.callback(popen.terminate)
                leader = _leader(notify, folder / "console")
            stack.callback(os.kill, leader, SIGKILL)  # and with it all that runs there
            yield cls(root, leader)

    def tries(self, *command: str, folder: str = "/") -> "subprocess.CompletedProcess[str]":
        """Run a command there, as root."""
        within = ["nsenter", "-t", self._leader, "-m", "-u", "-i", "-p", "-C", f"--wd={self.root}{folder}"]
        own = {name: value for name, value in os.environ.items() if name not in NOT_THERE}
        return subprocess.run(
            [*within, "--", *command],
            env=own,
            capture_output=True,
            text=True,
            check=False,
            timeout=15 * PATIENCE,
        )

    def runs(self, *command: str, folder: str = "/") -> str:
        """Run a command there that must not fail; what it prints."""
        done = self.tries(*command, folder=folder)
        assert done.returncode == 0, (
            f"{command}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done.stdout

    def shows(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        printed = self.runs("systemctl", "show", unit, "--property", ",".join(properties))
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def journal(self, unit: str) -> str:
        """What a unit has logged."""
        return self.runs("journalctl", "--unit", unit, "--output", "cat", "--no-pager")

    def until_active(self, unit: str, *, but_not: str = "0") -> str:
        """Wait until a unit runs, with another main process than that one; its number."""
        now = ""

        def runs() -> bool:
            nonlocal now
            shown = self.shows(unit, "ActiveState", "MainPID")
            now = shown["MainPID"]
            return shown["ActiveState"] == "active" and now not in ("0", but_not)

        until(runs, what=lambda: self.journal(unit)[-3000:])
        return now


def _leader(notify: socket.socket, console: Path) -> int:
    """The first process of a machine, once that has booted."""
    leader, ready = 0, False
    notify.settimeout(PATIENCE)
    while not (leader and ready):
        try:
            told = notify.recv(4096).decode()
        except TimeoutError:
            raise AssertionError(console.read_text(errors="replace")) from None
        found = re.search(r"X_NSPAWN_LEADER_PID=(\d+)", told)
        leader = int(found[1]) if found else leader
        ready = ready or "READY=1" in told
    return leader
