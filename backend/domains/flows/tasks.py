"""What the queue may ask for: imports that were accepted, and everything that goes by the clock."""

from datetime import timedelta
from uuid import UUID

from backend.core import mail
from backend.core.outbox import task
from backend.domains.flows.services import (
    drop,
    notices,
    quarantine,
    recovery,
    remote,
    retention,
    waiting,
)


@task("flows.import_file", queue="imports", is_renewed=True)
def import_file(*, file_id: int, **_: object) -> None:
    """Import a file that was accepted and waits."""
    waiting.import_one(file_id)


@task("flows.reprocess", queue="imports", is_renewed=True)
def reprocess(*, file_id: int, options: dict[str, bool], actor_id: str | None, **_: object) -> None:
    """Process a file again that ended with errors."""
    quarantine.repeat(
        file_id=file_id, options=options, actor_id=UUID(actor_id) if actor_id else None
    )


# Two looks are enough for a file that rests: they are further apart than it has to.
@task("flows.collect_drop", queue="imports", is_renewed=True, every=timedelta(seconds=6))
def collect_drop(**_: object) -> None:
    """Claim what is finished in the drop folder."""
    drop.collect()


@task("flows.collect_remote", queue="imports", is_renewed=True, every=timedelta(minutes=1))
def collect_remote(**_: object) -> None:
    """Fetch what is finished on the remote server."""
    remote.collect()


@task("flows.recover", every=timedelta(minutes=1))
def recover(**_: object) -> None:
    """Have the receipts of imports that died say so."""
    recovery.recover()


@task("flows.report_quarantine", every=timedelta(minutes=1))
def report_quarantine(**_: object) -> None:
    """Tell staff of the files in quarantine that they were not told of yet."""
    notices.report_quarantine()


@task("flows.tell_staff", queue="email", call=mail.send, apply=notices.mark_sent)
def tell_staff(
    *,
    message_id: str,
    person_id: str,
    file_ids: list[int] | None = None,
    source: str = "",
    **_: object,
) -> mail.Message | None:
    """Send one of the staff an e-mail about files in quarantine, or about a server."""
    return notices.write_letter(
        message_id=UUID(message_id),
        person_id=UUID(person_id),
        file_ids=file_ids or [],
        source=source,
    )


@task("flows.enforce_retention", is_renewed=True, every="17 3 * * *")
def enforce_retention(**_: object) -> None:
    """Remove originals and findings that are older than the settings allow."""
    retention.enforce()
