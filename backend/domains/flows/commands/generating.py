"""`quintet flows generate`: an invented file of any size."""

from typing import BinaryIO

import click

from backend.domains.flows import sample


@click.command("generate")
@click.argument("readings", type=click.IntRange(min=1))
@click.argument("out", type=click.File("wb"))
@click.option("--seed", type=int, default=1, show_default=True, help="Another one, other numbers.")
def generate_command(readings: int, out: BinaryIO, seed: int) -> None:
    """Write a valid D0010 file of so many READINGS, all of them invented, to OUT."""
    sample.write_sample(out, readings=readings, seed=seed)
    noun = "reading" if readings == 1 else "readings"
    click.echo(f"{readings:,} {noun} written to {out.name}", err=True)
