"""`quintet identity …`: people, from the shell."""

import sys

import click

from backend.core.commands import CommandGroup
from backend.core.config import current_settings
from backend.domains.identity import passwords
from backend.domains.identity.services import demonstration, invitations, people

commands = CommandGroup("identity", help="People, their roles and passwords.")

FROM_STDIN = click.option(
    "--password-stdin", "is_stdin", is_flag=True, help="Read the password from the first line."
)
ROLE = click.option(
    "--role", "roles", multiple=True, type=click.Choice(list(people.ROLES)), help="Repeatable."
)


@commands.command("create")
@click.argument("email")
@click.option("--name", help="Otherwise the address's first part.")
@ROLE
@FROM_STDIN
def create_command(email: str, name: str | None, roles: tuple[str, ...], *, is_stdin: bool) -> None:
    """Create an account; without --password-stdin its password is made up and printed."""
    password = _password(is_stdin=is_stdin)
    user = people.create(
        email=email,
        name=name or email.partition("@")[0],
        roles=roles,
        password=password,
        actor_id=None,
    )
    click.echo(f"{user.email} can sign in.", err=True)
    if not is_stdin:
        click.echo(password)


@commands.command("invite")
@click.argument("email")
@click.option("--name", help="Otherwise the address's first part.")
@ROLE
def invite_command(email: str, name: str | None, roles: tuple[str, ...]) -> None:
    """Create an account whose person chooses the password by a link in an e-mail.

    To somebody who was invited and has not chosen one yet, another link is sent; their name and
    roles stay as they are.
    """
    known = people.find(email=email)
    if known:
        invitations.invite_again(user_id=known.id, actor_id=None)
    else:
        name = name or email.partition("@")[0]
        invitations.invite(email=email, name=name, roles=roles, actor_id=None)
    click.echo("The worker sends an invitation. Its link works once, for seven days.", err=True)


@commands.command("reset-password")
@click.argument("email")
@FROM_STDIN
@click.option("--ask", is_flag=True, help="Ask for the password on the terminal.")
def reset_password_command(email: str, *, is_stdin: bool, ask: bool) -> None:
    """Give a person another password; it is made up and printed unless it is given."""
    user = people.get_by_email(email=email)
    password = _password(is_stdin=is_stdin, ask=ask)
    people.reset_password(user_id=user.id, password=password, actor_id=None)
    click.echo(f"{user.email} is signed out everywhere and has another password.", err=True)
    if not (is_stdin or ask):
        click.echo(password)


@commands.command("roles")
@click.argument("email")
@ROLE
def roles_command(email: str, roles: tuple[str, ...]) -> None:
    """Give a person these roles and no others; without --role, none."""
    user = people.get_by_email(email=email)
    people.change_roles(user_id=user.id, roles=roles, actor_id=None)
    click.echo(f"{user.email}: {_listed(user.roles)}")


@commands.command("disable")
@click.argument("email")
def disable_command(email: str) -> None:
    """Keep a person out, from now on."""
    user = people.get_by_email(email=email)
    people.disable(user_id=user.id, actor_id=None)
    click.echo(f"{user.email} is disabled and signed out everywhere.")


@commands.command("enable")
@click.argument("email")
def enable_command(email: str) -> None:
    """Let a disabled person in again."""
    user = people.get_by_email(email=email)
    people.enable(user_id=user.id, actor_id=None)
    is_invited = user.state == "invited"
    then = (
        "is enabled, and has no password yet: invite them again"
        if is_invited
        else "can sign in again"
    )
    click.echo(f"{user.email} {then}.")


@commands.command("list")
@click.option("--search", default="", help="The beginning of an e-mail address.")
def list_command(search: str) -> None:
    """List people: address, name, roles, state."""
    after: str | None = ""
    while after is not None:
        found, after = people.page(search=search, after=after, size=500)
        for user in found:
            click.echo("\t".join((user.email, user.name, _listed(user.roles), user.state)))


@commands.command("demo")
def demo_command() -> None:
    """Create the demonstration people who are missing (local only)."""
    settings = current_settings()
    if not settings.is_local:
        raise click.ClickException("demonstration people are for QUINTET_ENVIRONMENT=local")
    created = demonstration.create(password=settings.demo_password)
    click.echo(
        f"{len(created)} demonstration people created. Their password: {settings.demo_password}"
    )
    for local_part, (_name, roles) in demonstration.PEOPLE.items():
        address = f"{local_part}@{demonstration.DOMAIN}"
        click.echo(f"  {address:26}{_listed(roles)}")


def _password(*, is_stdin: bool, ask: bool = False) -> str:
    if is_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if ask:
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return answer
    return passwords.made_up()


def _listed(roles: list[str]) -> str:
    return ", ".join(roles) or "no roles"
