"""One file on its way in: what decides about it, in which order, and how its receipt says so."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO

from sqlalchemy.exc import IntegrityError

from backend.core import audit, database
from backend.core.database import db
from backend.domains.flows import d0010
from backend.domains.flows.models import SUCCESSFUL, FlowFile
from backend.domains.flows.services import archive, loading, messages, receipts
from backend.domains.flows.services.outcomes import FINDINGS_SHOWN, Outcome
from backend.domains.flows.services.receipts import Delivery


class _Refused(Exception):
    """The lines were judged, and nothing of the file may stay."""


class LeftAsItWas(Exception):
    """The file was processed again and refused, so that what it brought before stays."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


@dataclass(kw_only=True, slots=True)
class Attempt:
    """One try to take one file in, within the transaction of whoever makes it."""

    delivery: Delivery
    options: d0010.Options
    is_dry_run: bool
    progress: loading.Progress | None
    tally: loading.Tally = field(default_factory=loading.Tally)
    survey: d0010.Survey | None = None
    archive_key: str | None = None
    file_id: int | None = None
    receipt: FlowFile | None = None
    before: dict[str, object] = field(default_factory=dict)

    def take_up_receipt(self) -> None:
        """Go on with the receipt that the file was given when it was accepted, if it was."""
        self.file_id = self.delivery.receipt_id
        if self.file_id is not None:
            again = self.delivery.is_again
            take = receipts.reopen if again else receipts.resume
            self.receipt = take(self.file_id, self.options)
            self.archive_key = self.receipt.archive_key
            self.before = _state(self.receipt)

    def run(self, copy: BinaryIO, *, is_whole: bool) -> Outcome:
        """Look at the file once, and judge its lines only when nothing else decides."""
        survey = d0010.survey(copy)
        if not is_whole:
            return self.refuse([each for each in survey.findings if each.line == 1])
        self.survey = survey
        self.tally = _counted(survey)
        if self.delivery.sha256 and self.delivery.sha256.lower() != survey.raw_hash:
            return self.refuse([messages.other_hash(survey.raw_hash)])
        if known := self._known(survey):
            return self._end("duplicate", messages.duplicate(known), other=known)
        if survey.header is not None and not self.is_dry_run:
            self.archive_key = archive.keep(copy, survey.raw_hash)
        findings = d0010.verdict(survey, self.options)
        if survey.header is None or d0010.is_refused(findings):
            return self.refuse(findings)
        self.tally.note(findings)
        if other := self._rival(survey.header):
            return self._contradict(survey, other)
        copy.seek(0)
        return self._judge(d0010.parse(copy, survey, self.options))

    def _known(self, survey: d0010.Survey) -> FlowFile | None:
        other = receipts.same_content(survey.content_hash)
        return None if other is self.receipt else other

    def _rival(self, header: d0010.Header) -> FlowFile | None:
        if self.delivery.is_released:
            return None
        other = receipts.same_business_key(header)
        return None if other is self.receipt else other

    def _contradict(self, survey: d0010.Survey, other: FlowFile) -> Outcome:
        # Another process may have brought these very bytes since they were looked for.
        if known := self._known(survey):
            return self._end("duplicate", messages.duplicate(known), other=known)
        return self._end("quarantined", messages.conflict(other), other=other)

    def refuse(self, findings: list[d0010.Finding]) -> Outcome:
        """End as rejected for what the file as a whole is."""
        self.tally.note(findings)
        return self._end("rejected", messages.rejected(findings))

    def leave(self) -> None:
        """Have a receipt that was accepted wait as before."""
        if self.receipt is not None:
            with database.transaction():
                receipts.set_back(self.receipt.id, "")

    def tell_refusal(self, refused: Outcome) -> None:
        """Record in a transaction of its own that a file stays as it was, and say so on it."""
        with database.transaction():
            if self.file_id is not None:
                receipts.add_refusal(self.file_id, refused)
            self._record({"refused": refused.status})

    def fail(self, message: str) -> Outcome:
        """Record a failure in a transaction of its own; everything else is rolled back."""
        self.tally = loading.Tally()
        with database.transaction():
            if self.delivery.receipt_id is not None:
                receipts.set_back(self.delivery.receipt_id, message)
                return self._outcome("failed", message, None)
            file = receipts.running(self.file_id) if self.file_id is not None else None
            return self._end("failed", message, file)

    def _judge(self, batches: Iterator[d0010.Batch]) -> Outcome:
        file = None
        if not self.is_dry_run:
            file = self._draft()
            if self.receipt is None:
                file = receipts.announce(file)
            self.file_id = file.id
        try:
            self._load(batches, file)
        except IntegrityError:
            return self._lose(file)
        except _Refused as refusal:
            return self._end("rejected", str(refusal), file)
        status = "imported_with_errors" if self.tally.errors else "imported"
        return self._end(status, messages.imported(self.tally), file)

    def _load(self, batches: Iterator[d0010.Batch], file: FlowFile | None) -> None:
        with db.session.begin_nested():
            store = None
            if file is not None:
                receipts.claim(file)
                store = partial(loading.store, database.raw_connection(), file.id)
            loading.tally_up(batches, self.tally, store=store, progress=self._show)
            if not self.tally.counters.root_groups_accepted:
                raise _Refused(messages.nothing_accepted(self.tally))
            if self.options.strict and self.tally.errors:
                raise _Refused(messages.strict(self.tally))

    def _show(self, records: int) -> None:
        if self.progress is not None and self.survey is not None:
            self.progress(records, self.survey.groups)

    def _lose(self, file: FlowFile | None) -> Outcome:
        """End after another process was first with the same file or the same business key."""
        if file is None or self.survey is None or self.survey.header is None:
            raise LookupError("only a stored import can come second")
        self.tally = _counted(self.survey)
        if known := receipts.same_content(self.survey.content_hash):
            return self._end("duplicate", messages.duplicate(known), file, known)
        other = receipts.same_business_key(self.survey.header)
        if other is None:
            raise LookupError("the database refused the file for no reason that can be found")
        return self._end("quarantined", messages.conflict(other), file, other)

    def _draft(self) -> FlowFile:
        file = self.receipt or receipts.draft(self.delivery, self.options)
        if self.survey is not None:
            receipts.describe(file, self.survey)
        file.archive_key = self.archive_key
        return file

    def _end(
        self,
        status: str,
        message: str,
        file: FlowFile | None = None,
        other: FlowFile | None = None,
    ) -> Outcome:
        outcome = self._outcome(status, message, other.id if other else None)
        if self.is_dry_run:
            return outcome
        if self.delivery.is_again and status not in SUCCESSFUL:
            raise LeftAsItWas(replace(outcome, file_id=self.file_id, is_left=True))
        file = file or self._draft()
        receipts.finish(file, outcome, self.tally)
        if self.delivery.is_again:
            self._record(_state(file))
        return replace(outcome, file_id=file.id)

    def _record(self, after: dict[str, object]) -> None:
        # Whoever has no account is known by the name that they have at the command line.
        by = {} if self.delivery.actor_id else {"by": self.delivery.actor}
        audit.record(
            action="flows.reprocess",
            actor_id=self.delivery.actor_id,
            object_type="flow-file",
            object_id=self.file_id,
            before=self.before,
            after=after | by,
        )

    def _outcome(self, status: str, message: str, other_id: int | None) -> Outcome:
        survey = self.survey
        header = survey.header if survey else None
        return Outcome(
            name=receipts.label(self.delivery.name),
            status=status,
            message=message,
            flow=header.flow + header.version if header else None,
            is_test=header.is_test if header else False,
            is_dry_run=self.is_dry_run,
            duplicate_of_id=other_id if status == "duplicate" else None,
            conflicts_with_id=other_id if status == "quarantined" else None,
            size_bytes=survey.size if survey else None,
            sha256=survey.raw_hash if survey else None,
            errors=self.tally.errors,
            warnings=self.tally.warnings,
            counters=receipts.counted(status, self.tally),
            findings=tuple(self.tally.findings[:FINDINGS_SHOWN]),
        )


def _counted(survey: d0010.Survey) -> loading.Tally:
    """Return what is known before a line is judged; readings are counted only then."""
    tally = loading.Tally()
    tally.counters.records = survey.groups
    tally.counters.root_groups = survey.root_groups
    return tally


def _state(file: FlowFile) -> dict[str, object]:
    return {"status": file.status, "readings": file.readings_accepted}
