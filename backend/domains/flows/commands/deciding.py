"""`quintet flows release`, `discard` and `reprocess`: what staff do in the console, by command."""

from typing import Any

import click

from backend.domains.flows.commands import arguments, caller, wording
from backend.domains.flows.services import quarantine, receipts, waiting
from backend.domains.flows.services.quarantine import Actor


@click.command("release")
@click.argument("file_id", type=arguments.FILE_ID, metavar="FILE-ID")
@click.option(
    "--reason", callback=arguments.words, required=True, help="Why, for those who ask later."
)
def release_command(file_id: int, reason: str) -> None:
    """Have a file in quarantine imported beside the one that it contradicts, by the workers."""
    quarantine.release(file_id=file_id, reason=reason, actor=_actor())
    click.echo(f"file {file_id} is released; a worker imports it")


@click.command("discard")
@click.argument("file_id", type=arguments.FILE_ID, metavar="FILE-ID")
@click.option(
    "--reason", callback=arguments.words, required=True, help="Why, for those who ask later."
)
def discard_command(file_id: int, reason: str) -> None:
    """Leave a file in quarantine out for good."""
    quarantine.discard(file_id=file_id, reason=reason, actor=_actor())
    click.echo(f"file {file_id} is discarded")


@click.command("reprocess")
@click.argument("file_id", type=arguments.FILE_ID, metavar="FILE-ID")
@click.option("--strict/--no-strict", default=None, help="Refuse it for any error in it.")
@click.option("--lenient-footer/--no-lenient-footer", default=None, help="Only warn of counts.")
@click.option("--allow-test/--no-allow-test", default=None, help="Accept it as test data.")
def reprocess_command(file_id: int, **options: Any) -> None:
    """Replace what a file brought by what it brings now, in one step.

    It is for files that ended with errors. What is not chosen stays as it was the first time.
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    if waiting.find(file_id) is not None:  # Its bytes lie where only a job takes them up.
        quarantine.ask_again(file_id=file_id, options=chosen, actor=_actor())
        click.echo(f"file {file_id} waits to be processed again; a worker imports it")
        return
    try:
        outcome = quarantine.process_again(file_id=file_id, options=chosen, actor=_actor())
    except receipts.InOtherHands:
        message = f"File {file_id} is being imported just now. Try again in a while."
        raise click.ClickException(message) from None
    wording.tell(outcome)
    raise click.exceptions.Exit(wording.exit_code([outcome]))


def _actor() -> Actor:
    return Actor(id=None, name=caller.name())
