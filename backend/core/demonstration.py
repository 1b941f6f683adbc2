"""Demonstration people and data, for a person's own machine."""

import click
from flask import Flask

from backend.core.config import current_settings


class NotLocal(click.ClickException):
    """Demonstration data belongs on a person's own machine."""


def init_app(app: Flask) -> None:
    """Offer the command that asks every domain for its demonstration data."""

    @app.cli.command("demo")
    @click.pass_context
    def demo(context: click.Context) -> None:
        """Create the demonstration people and data that are missing (local only)."""
        if not current_settings().is_local:
            raise NotLocal("demonstration data is for QUINTET_ENVIRONMENT=local")
        for group in app.cli.commands.values():
            command = group.commands.get("demo") if isinstance(group, click.Group) else None
            if command is not None:
                context.invoke(command)
