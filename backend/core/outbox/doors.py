"""The ways in to the outbox for people: the page of dead letters and the commands."""

from uuid import UUID

import click
from flask import Flask, flash, redirect, render_template, request, url_for
from flask.cli import AppGroup
from werkzeug.wrappers import Response

from backend.core.auth import Entry, PageBlueprint, required_identity
from backend.core.errors import NotFound
from backend.core.outbox import gauges, letters, running

PAGE = 50

console = PageBlueprint(
    "outbox_console",
    __name__,
    role="staff",
    url_prefix="/admin/outbox",
    entries=[Entry("Dead letters", "outbox_console.list_dead", "Jobs that failed for good.")],
)
commands = AppGroup("outbox", help="Work for later, and what became of it.")


@console.get("")
def list_dead() -> str:
    """Show the jobs that failed for good, the latest first."""
    topic = request.args.get("topic") or None
    jobs = letters.dead(topic=topic, before=_cursor(), limit=PAGE + 1)
    following = None
    if len(jobs) > PAGE:
        jobs = jobs[:PAGE]
        following = url_for(".list_dead", topic=topic, before=jobs[-1].id)
    return render_template("outbox/dead.html", jobs=jobs, topic=topic, following=following)


@console.post("/<uuid:job_id>/replay")
def replay_job(job_id: UUID) -> Response:
    """Give a dead job its attempts again."""
    letters.replay(job_id, actor_id=required_identity().user_id)
    flash("The job will be tried again.", "good")
    return redirect(url_for(".list_dead"))


def _cursor() -> UUID | None:
    given = request.args.get("before")
    try:
        return UUID(given) if given else None
    except ValueError:
        raise NotFound("There is no such page of the list.") from None


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
