"""The command line in this process, where nobody is at a terminal; and what it reads."""

from pathlib import Path

from click.testing import CliRunner, Result

from tocsin.cli import main


def typed(*words: str | Path, answers: str = "") -> Result:
    """Type `tocsin WORDS`; it may refuse, but not crash. answers: what is typed when it asks."""
    ran = CliRunner().invoke(main, [*map(str, words)], input=answers or None)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran


def secret(path: Path, text: str) -> str:
    """A file that nobody else may read; its path, as it is typed."""
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)
