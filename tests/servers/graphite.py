"""A real Graphite: Debian's graphite-web on its own whisper files, which are written as a test says."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.processes import PATIENCE
from tests.servers import programs

PYTHON = Path("/usr/bin/python3")
"""Debian's, which has Debian's Graphite."""

_SETTINGS = """
GRAPHITE_ROOT = '/usr/share/graphite-web'
STORAGE_DIR = {folder!r}
CONF_DIR = {folder!r}
LOG_DIR = {folder!r}
WHISPER_DIR = {folder!r} + '/whisper'
INDEX_FILE = {folder!r} + '/index'
SECRET_KEY = 'of tests'
LOG_RENDERING_PERFORMANCE = False
"""

_PROGRAM = """
import json, sys, time
from pathlib import Path
from wsgiref.simple_server import make_server
import whisper

folder, port = Path(sys.argv[1]), int(sys.argv[2])
for past in json.loads((folder / 'past.json').read_text()):
    path = folder / 'whisper' / (past['name'].replace('.', '/') + '.wsp')
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        whisper.create(str(path), past['archives'], xFilesFactor=0, aggregationMethod='average')
        whisper.update_many(str(path), past['points'])
sys.path.insert(0, str(folder))
from graphite.wsgi import application
from django.core.management import call_command
call_command('migrate', '--run-syncdb', verbosity=0)
make_server('127.0.0.1', port, application).serve_forever()
"""


@dataclass(frozen=True)
class Measured:
    """A metric. points: when, and how much. archives: seconds between two points, and how many points are kept of that."""

    name: str
    points: Iterable[tuple[float, float]]
    archives: tuple[tuple[int, int], ...] = ((60, 40_320),)


class Graphite(programs.Server):
    """One that has what was measured. url: where its API is."""

    def __init__(self, folder: Path, *measured: Measured) -> None:
        """Prepare one."""
        programs.program("graphite-manage", "graphite-web")
        super().__init__(folder)
        self.url = f"http://{programs.HOST}:{self.port}"
        (self.folder / "whisper").mkdir()
        (self.folder / "settings_of_tests.py").write_text(_SETTINGS.format(folder=str(self.folder)))
        (self.folder / "program.py").write_text(_PROGRAM)
        past = [
            {
                "name": one.name,
                "archives": one.archives,
                "points": [(int(at), value) for at, value in one.points],
            }
            for one in measured
        ]
        (self.folder / "past.json").write_text(json.dumps(past))
        command: list[str | Path] = [
            *("/usr/bin/env", "GRAPHITE_SETTINGS_MODULE=settings_of_tests", "PYTHONDONTWRITEBYTECODE=1"),
            *(PYTHON, "-W", "ignore", self.folder / "program.py", self.folder, str(self.port)),
        ]
        self._child = programs.Child(command, self.folder / "log")

    def _answers(self) -> bool:
        link = HTTPConnection(programs.HOST, self.port, timeout=PATIENCE)
        try:
            link.request("GET", "/render?format=json")
            return link.getresponse().status == 200
        except OSError:
            return False
        finally:
            link.close()
