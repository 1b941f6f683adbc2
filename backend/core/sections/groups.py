"""A list in groups: their figures as a table, and those of a stretch of time as a chart."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from backend.core import collections, formats
from backend.core.collections import Collection, Groups
from backend.core.collections.grouping import COUNTS, GroupKey, Metric
from backend.core.collections.problems import InvalidQuery
from backend.core.sections import charts
from backend.core.sections.asking import Asked
from backend.core.sections.cells import Cell, currency, written
from backend.core.sections.declaration import Pairs
from backend.core.sections.tables import Row, Table, heading

# Stretches of time that stand there even when nothing happened in them.
FILLED = ("year", "quarter", "month")
WORDS = {"avg": "Average", "min": "Least", "max": "Greatest", "count_distinct": "Different"}
OFFERED_AT_ONCE = 2


def groupings(asked: Asked) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Return what can be grouped by, for each key after the other: words, address, and if it is.

    A second key is offered beside the first one, further ones stand there when they are asked for.
    """
    by, offered = asked.by, _offered(asked.section.collection)
    shown = max(min(len(by) + 1, OFFERED_AT_ONCE), len(by))
    found = []
    for at in range(shown if asked.section.figures else 0):
        own, others = by[at : at + 1], {*by[:at], *by[at + 1 :]}
        ways = [("Nothing" if at == 0 else "Nothing else", asked.grouped(by[:at]), not own)]
        ways += [
            (words, asked.grouped([*by[:at], key, *by[at + 1 :]]), own == [key])
            for key, words in offered.items()
            if key not in others
        ]
        found.append(("Group by" if at == 0 else "then by", ways))
    return found


def _offered(collection: Collection) -> dict[str, str]:
    columns = collection.columns.values()
    plain = [each for each in columns if each.declared.groupable and not each.declared.buckets]
    timed = [GroupKey(each, bucket) for each in columns for bucket in each.declared.buckets]
    return {key.word: _named(collection, key) for key in [*map(GroupKey, plain), *timed]}


def _named(collection: Collection, key: GroupKey) -> str:
    if not key.bucket:
        return key.column.declared.label
    is_only = sum(bool(each.declared.buckets) for each in collection.columns.values()) == 1
    return key.bucket.capitalize() if is_only else f"{key.column.declared.label}: {key.bucket}"


def table(asked: Asked) -> Table:
    """Return the groups that are asked for.

    :raises InvalidQuery: with every mistake in what was asked, or for too many groups
    """
    found, called = _read(asked)
    query, collection = found.query, asked.section.collection
    current = {key.name: key.descending for key in query.sort[:1]}
    named = [(key.name, _named(collection, key), "") for key in query.by]
    named += [(each.name, _worded(collection, each), "number") for each in query.metrics]
    return Table(
        called=called,
        count=f"{found.count:,} {'group' if found.count == 1 else 'groups'}",
        headings=[heading(asked, current, *each) for each in named],
        rows=[Row(_cells(asked, found, row)) for row in found.rows],
        chips=asked.chips(query.conditions),
        foot=_foot(asked, found),
        chart=_chart(asked, found),
    )


def _read(asked: Asked) -> tuple[Groups, Asked]:
    """Return the groups, with empty stretches of time where that makes not too many of them."""
    for is_filled in (True, False):
        called = replace(asked, pairs=[*asked.pairs, *_added(asked, is_filled=is_filled)])
        try:
            return collections.group(asked.section.collection, called.every), called
        except InvalidQuery as refused:
            if not is_filled or refused.errors[0]["parameter"] != "fill":
                raise
    raise AssertionError


def _added(asked: Asked, *, is_filled: bool) -> Pairs:
    """Return what the page asks for beside what the person does."""
    figures, given = asked.section.figures, dict(asked.pairs)
    added = {"metrics": ",".join(figures), "totals": "true"}
    if is_filled and len(asked.by) == 1 and asked.by[0].partition("(")[0] in FILLED:
        added["fill"] = "zero"
    elif "metrics" not in given and not any("(" in key for key in asked.by):
        first = next((each for each in figures if each.startswith("sum(")), "count")
        added["sort"] = f"-{first.replace('(', '_').rstrip(')')}"
    return [(name, value) for name, value in added.items() if name not in given]


def _worded(collection: Collection, metric: Metric) -> str:
    if metric.column is None:
        return collection.title
    label = metric.column.declared.label
    if metric.kind == "share":
        return "Share"
    return f"{WORDS[metric.kind]} {label.lower()}" if metric.kind in WORDS else label


def _cells(asked: Asked, found: Groups, row: Mapping[str, Any]) -> list[Cell]:
    collection, link = asked.section.collection, row["rows"]
    keys = [
        Cell(_named(collection, key), _key(asked, key, row[key.name])) for key in found.query.by
    ]
    href = asked.path + link.removeprefix(collection.path) if link else None
    first = [replace(each, kind="main", href=href) for each in keys[:1]]
    return [*first, *keys[1:], *_figures(asked, found, row)]


def _key(asked: Asked, key: GroupKey, value: Any) -> str:
    if value is None or value == "":
        return "(none)"
    return charts.stretch(value) if key.bucket else written(asked.section, key.column, value)


def _figures(asked: Asked, found: Groups, row: Mapping[str, Any]) -> list[Cell]:
    collection, made = asked.section.collection, []
    for metric in found.query.metrics:
        value = row[metric.name]
        part = f"{Decimal(value or 0) * 100:.1f}%" if metric.kind == "share" else None
        text = _figure(asked, metric, value)
        made.append(Cell(_worded(collection, metric), text, "number", part=part))
    return made


def _figure(asked: Asked, metric: Metric, value: Any) -> str:
    column = metric.column
    if value is None or column is None or metric.kind in COUNTS:
        return formats.number(value)
    if metric.kind == "share":
        return formats.percent(Decimal(value))
    if column.type.name == "money":
        return formats.money(Decimal(value), currency(asked.section.collection))
    if metric.kind in {"min", "max"}:
        return written(asked.section, column, value)
    return formats.number(Decimal(value))


def _foot(asked: Asked, found: Groups) -> list[list[Cell]]:
    """Return the rows below: the groups that were cut off together, and all rows together."""
    collection, made = asked.section.collection, []
    labels = [_named(collection, key) for key in found.query.by]
    for figures in (found.other, found.totals):
        if figures and labels:
            words = f"{figures['groups']:,} others" if "groups" in figures else "All"
            texts = [words, *[""] * (len(labels) - 1)]
            keys = [Cell(*each) for each in zip(labels, texts, strict=True)]
            keys[0] = replace(keys[0], kind="main")
            made.append([*keys, *_figures(asked, found, figures)])
    return made


def _chart(asked: Asked, found: Groups) -> charts.Chart | None:
    """Return the chart of the one key that is a stretch of time, whatever the others are."""
    collection, key = asked.section.collection, found.query.time_key
    metrics = [each for each in found.query.metrics if each.kind in {"sum", "count"}]
    if key is None or not metrics:
        return None
    metric = next((each for each in metrics if each.kind == "sum"), metrics[0])
    if len(found.query.by) > 1:
        kept = [each for each in asked.pairs if each[0] == "tz" or each in asked.filters()]
        alone = [*kept, ("by", key.word), ("metrics", metric.word), ("totals", "false")]
        found, _ = _read(replace(asked, pairs=alone))
    rows = [row for row in found.rows if row[key.name] and row[metric.name] is not None]
    rows.sort(key=lambda row: str(row[key.name]))
    is_money = metric.column is not None and metric.column.type.name == "money"
    return charts.draw(
        f"{_worded(collection, metric)} by {_named(collection, key).lower()}",
        [(row[key.name], Decimal(row[metric.name])) for row in rows],
        lambda value: _figure(asked, metric, value),
        sign=formats.SIGNS.get(currency(collection), "") if is_money else "",
    )
