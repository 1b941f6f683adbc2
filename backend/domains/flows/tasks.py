"""What the queue may ask for: imports that were accepted, and everything that goes by the clock."""

from datetime import timedelta

from backend.core.outbox import task
from backend.domains.flows.services import drop, recovery, waiting


@task("flows.import_file", queue="imports", is_renewed=True)
def import_file(*, file_id: int, **_: object) -> None:
    """Import a file that was accepted and waits."""
    waiting.import_one(file_id)


@task("flows.collect_drop", queue="imports", is_renewed=True, every=timedelta(seconds=10))
def collect_drop(**_: object) -> None:
    """Claim what is finished in the drop folder."""
    drop.collect()


@task("flows.recover", every=timedelta(minutes=1))
def recover(**_: object) -> None:
    """Have the receipts of imports that died say so."""
    recovery.recover()
