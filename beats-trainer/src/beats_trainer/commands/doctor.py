"""`beats doctor`: is everything in order, and what to do where it is not."""

from __future__ import annotations

from dataclasses import asdict

import click

from beats_trainer.commands.output import plainly, put
from beats_trainer.doctor import examine


@click.command()
@click.option("--offline", is_flag=True, help="Ask no Hub.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def doctor(*, offline: bool, as_json: bool) -> None:
    """Look at versions, cache, pins, network, token and GPU; each failed line has its remedy."""
    lines = []
    for line in examine(online=not offline):
        lines.append(line)
        if not as_json:
            click.echo(f"{'ok  ' if line.ok else 'FAIL'}  {line.what}: {line.found}")
            if not line.ok:
                click.echo(f"      -> {line.remedy}")
    if as_json:
        put([asdict(line) for line in lines])
    if not all(line.ok for line in lines):
        raise SystemExit(1)
