"""The command line's own habits: a refusal is a sentence and exit code 1, never a traceback."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError

from backend.core.errors import DomainError


class CommandGroup(AppGroup):
    """A domain's commands, whose anticipated errors are told to the person who runs them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        :raises ClickException: for an error that was anticipated
        """
        try:
            return super().invoke(ctx)
        except DomainError as error:
            places = (str(each["detail"]) for each in error.errors)
            raise click.ClickException(" ".join((error.detail, *places))) from error
        except OperationalError as error:
            raise click.ClickException("The database does not answer. Try again later.") from error
