"""`quintet flows demo`: what a newcomer finds on the first start."""

import click

from backend.core.config import current_settings
from backend.core.demonstration import NotLocal
from backend.domains.flows.services import demonstration


@click.command("demo")
def demo_command() -> None:
    """Import the demonstration's files that are missing (local only)."""
    if not current_settings().is_local:
        raise NotLocal("demonstration data is for QUINTET_ENVIRONMENT=local")
    outcomes = list(demonstration.import_missing())
    for outcome in outcomes:
        click.echo(f"{outcome.name}: {outcome.status.replace('_', ' ')}: {outcome.message}")
    if any(outcome.status == "failed" for outcome in outcomes):
        raise click.exceptions.Exit(1)
