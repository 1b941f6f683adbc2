from datetime import UTC, datetime, timedelta

import pytest

from backend.core.outbox.schedules import BadCrontab, Crontab, Every, latest_due


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "due"),
    [
        ("*/5 * * * *", "2026-03-01 10:07", "2026-03-01 10:05"),
        ("*/5 * * * *", "2026-03-01 10:05", "2026-03-01 10:05"),
        ("30 2 * * *", "2026-03-01 02:29:59", "2026-02-28 02:30"),
        ("0 9 * * 1-5", "2026-03-01 12:00", "2026-02-27 09:00"),
        ("0 9 * * 7", "2026-03-01 12:00", "2026-03-01 09:00"),
        ("0 9 * * 0", "2026-03-01 12:00", "2026-03-01 09:00"),
        ("15,45 8-10/2 1 3 *", "2026-03-01 12:00", "2026-03-01 10:45"),
        ("0 0 13 * 5", "2026-03-08 12:00", "2026-03-06 00:00"),
        ("5/20 * * * *", "2026-03-01 10:30", "2026-03-01 10:25"),
    ],
)
def test_the_latest_tick_of_a_crontab_is_that_of_cron(text, now, due):
    assert Crontab.parse(text).latest(at(now)) == at(due)


def test_a_tick_that_was_missed_for_more_than_a_week_is_not_made_up_for():
    monthly = Crontab.parse("0 0 1 * *")
    assert latest_due(monthly, at("2026-03-07 23:00")) == at("2026-03-01")
    assert latest_due(monthly, at("2026-03-09 00:00")) is None


def test_a_period_is_counted_from_1970():
    assert Every(timedelta(hours=6)).latest(at("2026-03-01 17:59")) == at("2026-03-01 12:00")
    assert latest_due(Every(timedelta(days=30)), at("2026-03-01")) is None


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "x * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *"]
)
def test_what_is_no_crontab_is_refused(text):
    with pytest.raises(BadCrontab):
        Crontab.parse(text)
