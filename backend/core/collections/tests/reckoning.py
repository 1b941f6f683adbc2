"""Groups, buckets and figures of plain rows, reckoned in Python."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from backend.core.collections.numbers import Number
from backend.core.collections.times import Timestamp

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")
WIDE = Context(prec=120)


def rounded(value, places):
    return format(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, WIDE), "f")


def bucket(name, value, zone):
    """The label of the bucket in which a day or an instant is."""
    if value is None:
        return None
    local = value.astimezone(ZoneInfo(zone)) if isinstance(value, datetime) else value
    if name == "hour":
        start = local.replace(minute=0, second=0, microsecond=0)
        return start.isoformat(timespec="minutes")
    if name == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    quarter = f"{local.year}-Q{(local.month + 2) // 3}"
    forms = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}
    return quarter if name == "quarter" else local.strftime(forms[name])


def buckets_between(name, first, last, zone):
    """The labels of all buckets from the first value's to the last one's."""
    if not isinstance(first, datetime):
        days = range((last - first).days + 1)
        return {bucket(name, first + timedelta(days=n), zone) for n in days}
    steps = [last]
    while first <= last:
        steps.append(first)
        first += timedelta(minutes=30 if name == "hour" else 60 * 6)
    return {bucket(name, each, zone) for each in steps}


def midnight(day, zone):
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def keys_of(collection):
    """What a collection may be grouped by: pairs of a bucket, or none, and a column."""
    columns = collection.columns.values()
    plain = [(None, each) for each in columns if each.declared.groupable]
    return plain + [(name, each) for each in columns for name in each.declared.buckets]


def metrics_of(collection):
    """Every figure that the declaration allows: pairs of a kind and a column."""
    found = [("count", None)]
    for each in collection.columns.values():
        own = each.declared.metrics
        kinds = ("count", "count_distinct", *own, *(("share",) if "sum" in own else ()))
        found += [(kind, each) for kind in kinds]
    return found


def word(kind, column):
    return f"{kind}({column.name})" if kind and column else (kind or column.name)


def name_of(kind, column):
    return f"{kind}_{column.name}" if column else kind


def key_name(unit, column):
    return f"{column.name}_{unit}" if unit else column.name


def is_zoned(keys):
    return any(unit and isinstance(column.type, Timestamp) for unit, column in keys)


def key_value(unit, column, row, zone):
    """One key of the row's group, as answers carry it."""
    value = row[column.name]
    if unit:
        return bucket(unit, value, zone)
    return None if value is None else column.type.content(value)


def grouped(rows, keys, zone):
    found = {}
    for row in rows:
        key = tuple(key_value(unit, column, row, zone) for unit, column in keys)
        found.setdefault(key, []).append(row)
    return found


def figures(metrics, members, every):
    """The figures of a group's rows among all rows, as answers carry them."""
    return {name_of(kind, c): _figure(kind, c, members, every) for kind, c in metrics}


def _figure(kind, column, members, every):
    if column is None:
        return len(members)
    values = [row[column.name] for row in members if row[column.name] is not None]
    if kind in {"count", "count_distinct"}:
        return len(values if kind == "count" else set(values))
    if kind in {"min", "max"}:
        found = {"min": min, "max": max}[kind](values, default=None)
        return None if found is None else column.type.content(found)
    return _of_sum(kind, column, values, every)


def _of_sum(kind, column, values, every):
    total = sum(values, Decimal(0))
    places = column.type.places if isinstance(column.type, Number) else 0
    if kind == "sum":
        return rounded(total, places) if isinstance(column.type, Number) else int(total)
    places += 2
    whole = len(values)
    if kind == "share":
        whole, places = sum((row[column.name] or 0 for row in every), Decimal(0)), 4
    return rounded(WIDE.divide(total, whole), places) if whole else None


@st.composite
def questions(draw, collection, least=0, most=3):
    """Group keys, figures, a zone, and the parameters that ask for them."""
    keys = []
    if known := keys_of(collection):
        chosen = st.lists(st.sampled_from(range(len(known))), max_size=most, unique=True)
        keys = [known[at] for at in draw(chosen.filter(lambda found: len(found) >= least))]
    known = metrics_of(collection)
    places = st.lists(st.sampled_from(range(len(known))), min_size=1, max_size=6, unique=True)
    metrics = [known[at] for at in draw(places)]
    zone = draw(st.sampled_from(ZONES))
    return keys, metrics, zone, parameters_of(collection, keys, metrics, zone)


def parameters_of(collection, keys, metrics, zone):
    parameters = {"metrics": ",".join(word(*each) for each in metrics)}
    if keys:
        parameters["by"] = ",".join(word(*each) for each in keys)
    if is_zoned(keys):
        parameters["tz"] = zone
    if collection.currency in collection.columns:
        parameters["currency"] = "EUR"
    return parameters


def counted(collection, rows):
    """The rows that `parameters_of` lets through: those of one currency."""
    name = collection.currency
    return [row for row in rows if name not in row or row[name] == "EUR"]


def any_day(rows, column):
    values = sorted(row[column.name] for row in rows if row[column.name] is not None)
    days = [each.date() if isinstance(each, datetime) else each for each in values]
    return st.sampled_from(days or [date(2024, 1, 1)])
