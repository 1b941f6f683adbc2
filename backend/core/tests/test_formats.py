from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backend.core import formats
from backend.core.formats import NOTHING


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime.fromisoformat("2026-03-03T09:05"), "3 Mar 2026, 09:05"),
        (datetime.fromisoformat("2026-03-03T09:05:07"), "3 Mar 2026, 09:05:07"),
        (datetime.fromisoformat("2026-03-03T00:00"), "3 Mar 2026"),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "1 Jul 2026"),
        (datetime(2026, 12, 1, 12, 30, tzinfo=UTC), "1 Dec 2026, 12:30"),
        (date(2026, 12, 31), "31 Dec 2026"),
        (None, NOTHING),
    ],
)
def test_a_moment_is_written_in_local_time_and_midnight_as_its_date(moment, written):
    assert formats.local(moment) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1234567, "1,234,567"),
        (Decimal("83120.40"), "83,120.40"),
        (0, "0"),
        (-1234.5, "-1,234.5"),
        (None, NOTHING),
    ],
)
def test_a_number_keeps_its_decimals_and_gets_separators(value, written):
    assert formats.number(value) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (23_442_312, "23.4 MB"),
        (5_000_000_000_000_000, "5000.0 TB"),
        (None, NOTHING),
    ],
)
def test_a_size_is_written_in_the_unit_that_people_use(count, written):
    assert formats.size(count) == written


def test_an_mpan_is_written_in_groups():
    assert formats.mpan("1200023305967") == "12 0002 3305 967"
    assert formats.mpan(None) == NOTHING


@pytest.mark.parametrize(
    ("value", "currency", "written"),
    [
        (Decimal("1234.50"), "EUR", "€1,234.50"),
        (Decimal("-3.00"), "GBP", "-£3.00"),
        (Decimal("1234.50"), "SEK", "1,234.50 SEK"),
        (Decimal("0.00"), "", "0.00"),
        (None, "EUR", NOTHING),
    ],
)
def test_an_amount_has_its_sign_before_it_or_its_code_behind_it(value, currency, written):
    assert formats.money(value, currency) == written


@pytest.mark.parametrize(
    ("share", "written"), [(Decimal("0.1249"), "12.5 %"), (Decimal(1), "100.0 %"), (None, NOTHING)]
)
def test_a_share_is_written_in_per_cent(share, written):
    assert formats.percent(share) == written
