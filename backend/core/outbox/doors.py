"""The ways in to the outbox for people: the page of dead letters and the commands."""

from uuid import UUID

import click
from flask import Flask
from flask.cli import AppGroup

from backend.core.outbox import gauges, letters, running
from backend.core.outbox.collections import console

commands = AppGroup("outbox", help="Work for later, and what became of it.")


@commands.command("dead")
@click.option("--topic", help="Of this topic only.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
def dead_command(topic: str | None, limit: int) -> None:
    """List the jobs that failed for good, the latest first."""
    for job in letters.dead(topic=topic, limit=limit):
        click.echo(f"{job.id}  {job.dead_at:%Y-%m-%d %H:%M:%S}  {job.topic}  {job.last_error}")


@commands.command("replay")
@click.argument("job_ids", nargs=-1, type=click.UUID)
@click.option("--topic", help="Every dead job of this topic.")
def replay_command(job_ids: tuple[UUID, ...], topic: str | None) -> None:
    """Give dead jobs their attempts again."""
    if bool(job_ids) == bool(topic):
        raise click.UsageError("Name jobs, or a topic.")
    for job_id in job_ids:
        letters.replay(job_id)
    count = letters.replay_topic(topic) if topic else len(job_ids)
    click.echo(f"{count} {'job' if count == 1 else 'jobs'} will be tried again")


@commands.command("run")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
def run_command(limit: int) -> None:
    """Do the jobs that are due here and now, without a broker or a worker."""
    for job_id, outcome in running.run_due(limit).items():
        click.echo(f"{job_id}  {outcome}")


def init_app(app: Flask) -> None:
    """Register the console's page, the commands and the gauges."""
    gauges.register()
    app.register_blueprint(console)
    app.cli.add_command(commands)
