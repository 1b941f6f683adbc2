"""Flow files of the tests' own, and a way to take them in."""

import re
from datetime import datetime
from decimal import Decimal
from io import BytesIO

import asyncssh
import pytest
from sqlalchemy import create_engine, text

from backend.core import database
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows import d0010
from backend.domains.flows.d0010 import serial_key as key
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services import imports
from backend.domains.flows.services.receipts import Delivery
from backend.domains.flows.tests.remote_server import Server

EXAMPLE = """\
ZHV|QT00000001|D0010002|D|QDCA|X|QSUP|20250402061500||||OPER|
026|9900123456780|V|
028|QA 1000001|R|
030|DY|20250331000000|4521.0|||T|P|
030|NT|20250331000000|1987.5|||T|P|
026|9900876543215|V|
027|10|Meter changed on site|
028|QB2000002|F|
030|S|20250401000000|48210.0|||F|P|
032|05|T|
033|15|Dial stopped|
028|QC3000003|I|
030|S|20250401000000|0.0|||T|P|
ZPT|QT00000001|12||2|20250402063000|
"""


class FlowText(str):
    """A flow file that gives changed copies of itself; lines are numbered from 1."""

    __slots__ = ()

    def line(self, number, text):
        """Return a copy with another line, or with none where the text is None."""
        lines = self.splitlines(keepends=True)
        lines[number - 1 : number] = [] if text is None else [f"{text}\n"]
        return FlowText("".join(lines))

    def swap(self, number, old, new):
        """Return a copy in which one line has other words."""
        line = self.splitlines()[number - 1]
        assert old in line, line
        return self.line(number, line.replace(old, new))

    def counted(self):
        """Return a copy whose trailer counts what is there."""
        lines = self.splitlines()
        groups = sum(not line.startswith(("ZHV", "ZPT")) for line in lines)
        roots = sum(line.startswith(("026", "196")) for line in lines)
        return FlowText(re.sub(r"(ZPT\|\w+)\|\d+\|\|\d+", rf"\1|{groups}||{roots}", self))

    def sent(self, identifier, created):
        """Return a copy under another file identifier and creation time."""
        renamed = self.replace("QT00000001", identifier)
        return FlowText(renamed.replace("20250402061500", created))

    def replace(self, old, new):
        """Return a copy with other words."""
        return FlowText(super().replace(old, new))


@pytest.fixture
def example():
    """A small valid file: a day/night meter, and an exchange with a reading that failed first."""
    return FlowText(EXAMPLE)


@pytest.fixture
def take_in(app):
    """Import text or bytes: `take_in(example, name="other.uff", strict=True)`."""

    def import_text(content, *, name="example.uff", is_dry_run=False, delivery=None, **options):
        content = content if isinstance(content, bytes) else content.encode()
        return imports.import_file(
            BytesIO(content),
            delivery=Delivery(name=name, channel="cli", actor="test", **(delivery or {})),
            options=d0010.Options(**options),
            is_dry_run=is_dry_run,
        )

    return import_text


@pytest.fixture
def bring(app):
    """Put readings in as if a file had brought them: `bring({"value_text": "1.0"}, name="a")`."""

    def put_in(*readings, created="2025-04-02T06:15", **fields):
        fields = {"name": "a.uff", "channel": "cli", "status": "imported", "flow": "D0010"} | fields
        file = FlowFile(created_at_local=datetime.fromisoformat(created), **fields)
        db.session.add(file)
        db.session.flush()
        for line, given in enumerate(readings, start=4):
            said = READING | given
            said |= {"value": Decimal(said["value_text"]), "serial_key": key(said["serial"])}
            said["reading_at_local"] = datetime.fromisoformat(said["reading_at_local"])
            db.session.add(FlowReading(**{"file_id": file.id, "line_number": line} | said))
        db.session.flush()
        return file

    return put_in


READING = {
    "mpan": "9900123456780",
    "serial": "QA 1000001",
    "register": "DY",
    "reading_at_local": "2025-03-31",
    "reading_type": "R",
    "value_text": "4521.0",
    "bsc_status": "V",
    "is_flag_valid": True,
    "method": "P",
}


class Judged:
    """What the parser makes of a file: rows as dictionaries, and the findings by severity."""

    def __init__(self, content, **options):
        content = content if isinstance(content, bytes) else content.encode()
        self.survey = d0010.survey(BytesIO(content))
        options = d0010.Options(**options)
        self.verdict = d0010.verdict(self.survey, options)
        self.is_refused = d0010.is_refused(self.verdict)
        batches = list(d0010.parse(BytesIO(content), self.survey, options))
        self.readings = _rows(batches, "readings", d0010.READING_FIELDS)
        self.visits = _rows(batches, "visits", d0010.VISIT_FIELDS)
        self.meters = _rows(batches, "meters", d0010.METER_FIELDS)
        self.findings = [each for batch in batches for each in batch.findings]
        self.counters = batches[-1].counters if batches else d0010.Counters()

    @property
    def lines(self):
        return [int(each["line_number"]) for each in self.readings]

    def said(self, severity):
        """Return (line, code, item) of the findings of lines."""
        return [(e.line, e.code, e.item) for e in self.findings if e.severity == severity]

    def refusals(self):
        return [each.code for each in self.verdict if each.severity == "error"]

    def remarks(self):
        return [each.code for each in self.verdict if each.severity == "warning"]


def _rows(batches, name, columns):
    rows = [row for batch in batches for row in getattr(batch, name)]
    return [dict(zip(columns, d0010.fields(row), strict=True)) for row in rows]


@pytest.fixture
def judge():
    """Read text or bytes without storing anything: `judge(example, lenient_footer=True)`."""
    return Judged


@pytest.fixture
def broken_table(real_database):
    """A table that refuses the example's rows, until the owner mends it: `broken_table()`."""
    engine = create_engine(database.driver_url(current_settings().database_owner_url))
    with engine.begin() as connection:
        check = "alter table flow_reading add constraint fault check (line_number < 4) not valid"
        connection.execute(text(check))

    def mend():
        with engine.begin() as connection:
            connection.execute(text("alter table flow_reading drop constraint fault"))

    yield mend
    engine.dispose()


@pytest.fixture
def user_key():
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(tmp_path, user_key):
    root = tmp_path / "theirs"
    (root / "out").mkdir(parents=True)
    server = Server(root, user_key)
    server.start()
    yield server
    server.end()
