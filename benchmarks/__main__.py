"""Measures everything, and writes down what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import click

from benchmarks import bursts, calm, checks, incidents, irc, matrix, memory, rotas, starts, timers, turns
from benchmarks.ircds import NotThere
from benchmarks.results import About, Row, write
from benchmarks.servers import Lost
from benchmarks.size import TINY, WHOLE, Size

MEASURES: dict[str, Callable[[Size], AsyncIterator[Row]]] = {
    "bursts": bursts.measure,
    "calm": calm.measure,
    "irc": irc.measure,
    "matrix": matrix.measure,
    "timers": timers.measure,
    "starts": starts.measure,
    "memory": memory.measure,
    "turns": turns.measure,
    "rotas": rotas.measure,
    "incidents": incidents.measure,
    "checks": checks.measure,
}


@click.command()
@click.argument("only", nargs=-1, type=click.Choice(list(MEASURES)))
@click.option("--tiny", is_flag=True, help="With small numbers, which say nothing: only whether it runs.")
@click.option("--into", type=click.Path(path_type=Path), help="The folder to write the results to.")
def main(only: tuple[str, ...], into: Path | None, *, tiny: bool) -> None:
    """Measure all, or ONLY some. Exits with 1 if anything was lost or refused.

    Writes results.json and RESULTS.md, beside this file if all was measured.
    """
    about = About()
    click.echo(f"{about.processors} processors; the disk takes {about.sync_ms} ms to keep 4 KiB")
    try:
        rows = asyncio.run(_measure(only or tuple(MEASURES), TINY if tiny else WHOLE))
    except (Lost, NotThere) as problem:
        raise click.ClickException(str(problem)) from None
    if into is None and not only and not tiny:
        into = Path(__file__).parent
    if into is not None:
        write(into, about, rows)


async def _measure(names: tuple[str, ...], size: Size) -> list[Row]:
    rows = []
    for name in names:
        began = time.perf_counter()
        click.echo(f"{name} …")
        async for row in MEASURES[name](size):
            floors = {"direct": row.direct, "durable": row.durable}
            beside = ", ".join(
                f"{value:.2f} times {floor}" for floor, value in floors.items() if value is not None
            )
            figures = " ".join(f"{name} {value:.4g}" for name, value in row.measured.items())
            click.echo(f"  {row.what}: {figures.strip()} {row.unit}" + (f" ({beside})" if beside else ""))
            rows.append(row)
        click.echo(f"  ({time.perf_counter() - began:.0f} s)")
    return rows


if __name__ == "__main__":
    main()
