"""What staff see of flows that is drawn from declarations: files, findings and all readings."""

from functools import partial

from backend.core import formats
from backend.core.sections import Section, mount
from backend.domains.flows.collections import files, findings, label, readings
from backend.domains.flows.console.blueprint import blueprint
from backend.domains.flows.services import places, remote

STATUS_KINDS = {"imported": "good", "imported_with_errors": "warning", "quarantined": "warning"}
STATUS_KINDS |= {"rejected": "bad", "failed": "bad"}

mount(
    blueprint,
    Section(
        files,
        name="files",
        singular="file",
        main="name",
        columns=(
            *("name", "status", "started_at", "flow", "created_at_local", "from_participant"),
            *("readings_accepted", "readings_rejected", "errors_total", "warnings_total"),
        ),
        filters=(
            *("status", "name[contains]", "started_at[gte]", "started_at[lte]"),
            *("flow", "from_participant", "file_identifier", "errors_total[gte]"),
            *("channel", "actor[contains]", "is_test", "raw_hash"),
        ),
        badges={"status": STATUS_KINDS},
        writers={"size_bytes": formats.size},
        record=("flows_console.show_file", "file_id"),
        empty="No file has come in yet. Send one above, or use “quintet flows import”.",
        template="flows/files.html",
        context=lambda: {"drop": places.drop_folder(), "remote": remote.state()},
    ),
    "/files",
)
FINDINGS = Section(
    findings,
    name="findings",
    singular="finding",
    main="message",
    columns=(
        *("severity", "message", "file_id", "line_number", "group_code", "item", "value"),
        "code",
    ),
    filters=("file_id", "severity", "code", "group_code", "item", "message[contains]"),
    badges={"severity": {"error": "bad", "warning": "warning"}},
    empty="Nothing was found.",
)
mount(blueprint, FINDINGS, "/findings")
mount(
    blueprint,
    Section(
        readings,
        name="occurrences",
        singular="occurrence",
        main="reading_at_local",
        columns=(
            *("reading_at_local", "mpan", "serial", "register", "value_text", "reading_type"),
            *("is_valid", "is_superseded", "is_withdrawn", "file_name"),
        ),
        filters=(
            *("mpan[startswith]", "serial_key[startswith]", "reading_at_local[gte]"),
            *("reading_at_local[lte]", "reading_type", "is_superseded", "is_withdrawn", "file_id"),
            *("is_valid", "bsc_status"),
        ),
        writers={"mpan": formats.mpan, "reading_type": partial(label, "J0171")},
        kinds={"mpan": "code", "serial": "code", "value_text": "number"},
        empty="No reading has come in yet.",
    ),
    "/occurrences",
)
