"""What the core and its own plugins bring, as a daemon with all of these has it."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin import daemon, plugins
from tocsin.config import Document

CONFIG = """
networks.console = {}
people.alice.accounts.console = "alice"
plugins.escalation = { default = "ops", policies.ops.steps = [{ page = "alice" }] }
"""


@cache
def running() -> dict[str, object]:
    """Our own plugins by name, each built from a table with as little as it needs."""
    own = [name for name, each in plugins.installed().items() if each.distribution == "tocsin"]
    text = CONFIG + "".join(f"plugins.{name} = {{}}\n" for name in own if name != "escalation")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(text)
        return dict(daemon.read(Document.open(path)).plugins)


@cache
def everything() -> plugins.Declared:
    """What all of them bring."""
    return plugins.Plugins(running()).declared()


@cache
def of_each() -> dict[str, plugins.Declared]:
    """What each of them brings."""
    return {name: plugins.Plugins({name: plugin}).declared() for name, plugin in running().items()}
