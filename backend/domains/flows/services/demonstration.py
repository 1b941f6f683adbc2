"""Files for a person's own machine, in which every case of the console is to be seen.

MPANs that begin with 99 and everything else in them are invented.
"""

from collections.abc import Iterator
from io import BytesIO

from sqlalchemy import select

from backend.core.database import db
from backend.domains.flows import sample
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services import imports
from backend.domains.flows.services.outcomes import Outcome
from backend.domains.flows.services.receipts import Delivery

ACTOR = "demonstration"
_SAMPLE = "sample.uff"
_READINGS = 2_000

# Readings of one household and its neighbour: one failed, one failed and was accepted later.
_FIRST = """\
ZHV|QD00000001|D0010002|D|QDCA|X|QSUP|20250502070000||||OPER|
026|9900555000013|V|
028|QD 5550001|R|
030|DY|20250430000000|10452.0|||T|N|
030|NT|20250430000000|6210.0|||T|N|
026|9900555000022|V|
027|02|Nobody at home, meter outside|
028|QD5550002|F|
030|01|20250430000000|99120.0|||F|P|
032|05|T|
028|QD5550003|I|
030|01|20250430000000|0.0|||T|P|
026|9900555000031|F|
028|QD5550004|R|
030|01|20250430000000|3.0|||F|N|
032|03|F|
033|15|Display dark|
026|9900555000040|U|
028|QD5550005|C|
030|01|20250430000000|7345.5||||N|
ZPT|QD00000001|19||4|20250502070200|
"""
# The next day: the day register corrected, the exchange's opening reading withdrawn.
_SECOND = """\
ZHV|QD00000002|D0010002|D|QDCA|X|QSUP|20250503070000||||OPER|
026|9900555000013|V|
028|QD 5550001|R|
030|DY|20250430000000|10425.0|||T|P|
026|9900555000022|V|
028|QD5550003|W|
030|01|20250430000000|0.0|||T|P|
ZPT|QD00000002|6||2|20250503070100|
"""
# One MPAN's check digit and one reading's date are wrong, the rest is good.
_BROKEN = """\
ZHV|QD00000003|D0010002|D|QDCA|X|QSUP|20250504070000||||OPER|
026|9900555000018|V|
028|QD 5550001|R|
030|DY|20250503000000|10431.0|||T|N|
026|9900555000040|V|
028|QD5550005|R|
030|01|20250230000000|7380.0|||T|N|
030|01|20250503000000|7391.5|||T|N|
ZPT|QD00000003|7||2|20250504070100|
"""
# A transfer that was cut off: it has no trailer.
_CUT = "\n".join(_FIRST.replace("QD00000001", "QD00000004").splitlines()[:9]) + "\n"


def import_missing() -> Iterator[Outcome]:
    """Import each of the demonstration's files that was never received, and tell of it."""
    query = select(FlowFile.name).where(FlowFile.actor == ACTOR)
    known = set(db.session.scalars(query))
    for name, content in _files():
        if name not in known:
            yield imports.import_file(
                BytesIO(content),
                delivery=Delivery(name=name, channel="cli", actor=ACTOR),
                options=imports.rules(),
            )


def _files() -> Iterator[tuple[str, bytes]]:
    big = BytesIO()
    sample.write_sample(big, readings=_READINGS)
    yield _SAMPLE, big.getvalue()
    yield "readings-friday.uff", _FIRST.encode()
    yield "readings-saturday.uff", _SECOND.encode()
    yield "readings-broken.uff", _BROKEN.encode()
    yield "readings-cut-off.uff", _CUT.encode()
