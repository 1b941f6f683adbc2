"""Taking a flow file in: the one way for the command, the upload, the drop folder and SFTP.

An import commits its row as running before it works, and everything else in one transaction
together with that row's end, so that a reader sees either nothing of a file or all of it and a
crash leaves a row that says so. It opens and closes its transaction itself, for each file one.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import structlog

from backend.core import database, files
from backend.core.config import current_settings
from backend.domains.flows import d0010
from backend.domains.flows.services import archive, loading, messages, receipts
from backend.domains.flows.services.attempts import Attempt, LeftAsItWas
from backend.domains.flows.services.outcomes import Outcome
from backend.domains.flows.services.receipts import Delivery

log = structlog.get_logger(__name__)

HEAD = 64 * 1024  # Bytes that are read of what is no flow file.
_STARTS = (b"ZHV", b"\xef\xbb\xbfZHV")


def rules(
    *, strict: bool = False, lenient_footer: bool = False, allow_test: bool = False
) -> d0010.Options:
    """Return what is accepted: what a person chose for this import, and what is set for all."""
    return d0010.Options(
        strict=strict,
        lenient_footer=lenient_footer,
        allow_test=allow_test,
        check_digit=current_settings().flows_check_digit,
    )


def is_flow_file(stream: BinaryIO) -> bool:
    """Return whether the bytes begin as a flow file's do; the stream stays where it was."""
    head = stream.read(len(_STARTS[1]))
    stream.seek(-len(head), 1)
    return head.startswith(_STARTS)


def import_file(
    stream: BinaryIO,
    *,
    delivery: Delivery,
    options: d0010.Options,
    is_dry_run: bool = False,
    progress: loading.Progress | None = None,
) -> Outcome:
    """Take in one file and say what came of it; a dry run judges it and stores nothing.

    Whatever is wrong with the file is an outcome and no exception, and so is an unexpected
    failure, after which nothing of the file is there and the same file can be sent again.

    :raises InOtherHands: when another process is at the receipt that the delivery names
    :raises NotWaiting: when that receipt's import has ended
    :raises FilesUnavailable: when its bytes cannot be kept, which is no fault of the file's
    """
    began = time.monotonic()
    task = Attempt(delivery=delivery, options=options, is_dry_run=is_dry_run, progress=progress)
    try:
        with _opened(stream, delivery) as (copy, is_whole), database.transaction():
            task.take_up_receipt()
            outcome = task.run(copy, is_whole=is_whole)
    except (receipts.InOtherHands, receipts.NotWaiting):
        raise
    except files.FilesUnavailable:
        task.leave()
        raise
    except LeftAsItWas as left:
        outcome = left.outcome
        task.tell_refusal(outcome)
    except files.OverSizeLimit:
        with database.transaction():
            outcome = task.refuse([messages.over_size_limit(delivery.size_limit)])
    except Exception as error:  # noqa: BLE001  one file's failure is its outcome; others follow
        # The error's own words may quote a line, and lines belong to households.
        log.error("import failed", file_id=task.file_id, error=type(error).__name__)  # noqa: TRY400
        outcome = task.fail(messages.failure(error))
    except BaseException:
        task.fail(messages.INTERRUPTED)
        raise
    return replace(outcome, seconds=time.monotonic() - began)


@contextmanager
def _opened(stream: BinaryIO, delivery: Delivery) -> Iterator[tuple[BinaryIO, bool]]:
    """Give a copy of the stream, or only the head of what is none, however much there is."""
    head = stream.read(HEAD)
    if not head.startswith(_STARTS):
        yield BytesIO(head), len(head) < HEAD
        return
    with files.received(
        head, stream, folder=archive.FOLDER, size_limit=delivery.size_limit
    ) as copy:
        yield copy, True
