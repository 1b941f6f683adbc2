"""The command `quintet`: Flask's command line over the application."""

import os

from flask.cli import FlaskGroup

from backend.app import create_app


def main() -> None:
    """Run one command, with the servers of this checkout when no database is given."""
    group = FlaskGroup(
        create_app=create_app,
        add_default_commands=False,
        add_version_option=False,
        load_dotenv=False,
    )
    if os.environ.get("DATABASE_URL") or os.environ.get("QUINTET_ENVIRONMENT", "local") != "local":
        group(prog_name="quintet")
        return
    from environments.local import borrowed_servers  # noqa: PLC0415  not part of the images

    with borrowed_servers() as variables:
        os.environ.update(variables)
        group(prog_name="quintet")


if __name__ == "__main__":
    main()
