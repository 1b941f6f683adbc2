"""What the queue may ask for: e-mails with links, and the removal of what has expired."""

from uuid import UUID

from backend.core import mail
from backend.core.outbox import task
from backend.domains.identity.services import links, sessions


@task("identity.send_invitation", queue="email", call=mail.send, apply=links.mark_sent)
def send_invitation(*, link_id: str, **_: object) -> mail.Message | None:
    """Send a new person the link by which they choose a password."""
    return links.write_letter(link_id=UUID(link_id))


@task("identity.send_password_reset", queue="email", call=mail.send, apply=links.mark_sent)
def send_password_reset(*, link_id: str, **_: object) -> mail.Message | None:
    """Send a person the link by which they choose another password."""
    return links.write_letter(link_id=UUID(link_id))


@task("identity.sweep", every="23 3 * * *")
def sweep(**_: object) -> None:
    """Forget expired tokens, revocations and links."""
    sessions.sweep()
    links.sweep()
