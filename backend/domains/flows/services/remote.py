"""A server of somebody else's from which files are fetched by SFTP.

Its host key has to be one that was written down beforehand. A server with another key is barred:
nothing is fetched from it, staff are told, and nothing else is touched.
"""

from datetime import UTC, datetime

import structlog

from backend.core import database, files, metrics
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowSource
from backend.domains.flows.services import notices
from backend.domains.flows.services.sources import without_password

log = structlog.get_logger(__name__)


def state() -> FlowSource | None:
    """Return how it stands with the server of the settings, if there is one and it was tried."""
    address = current_settings().flows_sftp
    return db.session.get(FlowSource, without_password(address)) if address else None


def collect() -> int:
    """Fetch what is finished on the server of the settings, and return how many files that were."""
    address = current_settings().flows_sftp
    if not address:
        return 0
    from backend.domains.flows.services import fetches, sftp  # noqa: PLC0415  heavy, and for workers alone

    name = without_password(address)
    try:
        count = fetches.fetch(address, name)
    except sftp.Barred as error:
        _note(name, "stopped", str(error))
        return 0
    except sftp.Away as error:
        _note(name, "away", str(error))
        return 0
    except files.FilesUnavailable:
        # The server is not to blame, and the next look tries again.
        _note(name, "open", "some files cannot be kept here, as there is no room or no place")
        return 0
    _note(name, "open", "")
    return count


def _note(name: str, state: str, message: str) -> None:
    """Keep how it stands with the server, and raise the alarm when that is worse than before."""
    now = datetime.now(UTC)
    with database.transaction():
        row = db.session.get(FlowSource, name, with_for_update=True)
        before = row.state if row else "open"
        if row is None:
            row = FlowSource(name=name, state=state, since=now, looked_at=now)
            db.session.add(row)
        if state != before:
            row.since = now
        row.state, row.message, row.looked_at = state, message, now
        if state == "stopped" and before != "stopped":
            notices.report_source(name)
    if state == "stopped":
        log.error("server barred", source=name, reason=message)
    elif state == "away":
        log.warning("server away", source=name, reason=message)
    elif message:
        log.error("files not fetched", source=name, reason=message)


def _is_barred() -> float:
    row = state()
    return float(row is not None and row.state == "stopped")


metrics.gauge("flows_source_barred", "1 while the remote server has another key", _is_barred)
