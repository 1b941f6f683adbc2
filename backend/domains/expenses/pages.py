"""Expenses for people: one page that filters, sorts, groups and draws, and its file."""

from decimal import Decimal
from typing import Any

from flask import redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from backend.core import auth, collections
from backend.core.auth import Entry, PageBlueprint
from backend.core.collections.aggregates import Groups, aggregate
from backend.core.collections.doors import Doors
from backend.core.collections.parse_groups import parse_groups
from backend.core.collections.problems import InvalidQuery
from backend.core.collections.reading import query_text
from backend.core.config import current_settings
from backend.domains.expenses import asking, charts
from backend.domains.expenses.asking import Pairs
from backend.domains.expenses.collections import expenses

SHOWN = ("date", "departments", "project_name", "member_name", "amount")

blueprint = PageBlueprint(
    "expenses_pages",
    __name__,
    public=lambda settings: settings.expenses_are_public,
    url_prefix="",
    template_folder="templates",
    entries=(
        Entry(
            "Expenses",
            "expenses_pages.show_expenses",
            "What the company spent: filter, sort, group, draw and download.",
        ),
    ),
)


@blueprint.get("/expenses")
def show_expenses() -> tuple[str, int]:
    """Show what the address asks for, or what is wrong with it."""
    pairs = asking.pairs_of(request.query_string)
    try:
        shown = _groups(pairs) if asking.is_grouped(pairs) else _rows(pairs)
    except InvalidQuery as refused:
        at_fields, elsewhere = asking.mistakes(refused.errors)
        return _page("expenses/wrong.html", pairs, at_fields, wrong=elsewhere), refused.status
    return shown, 200


@blueprint.get("/expenses.csv")
def export_expenses() -> AnyResponse:
    """Send all that the page shows as a file."""
    pairs = asking.pairs_of(request.query_string)
    if "format" not in dict(pairs):
        return redirect(asking.download(pairs))
    doors = Doors(expenses)
    return doors.aggregates() if asking.is_grouped(pairs) else doors.list()


@blueprint.get("/expenses/<key>")
def show_expense(key: str) -> str:
    """Show one expense."""
    return render_template(
        "expenses/expense.html",
        expense=collections.read_one(expenses, key),
        headings=collections.headings(expenses),
        euros=charts.euros,
    )


@blueprint.get("/expanses_data")
@auth.public
def redirect_list() -> AnyResponse:
    """Lead a request in its first form to the list."""
    return _elsewhere(expenses.path)


@blueprint.get("/aggregates")
@auth.public
def redirect_aggregates() -> AnyResponse:
    """Lead a request in its first form to the aggregates."""
    return _elsewhere(f"{expenses.path}/aggregates")


def _elsewhere(path: str) -> AnyResponse:
    query = request.query_string.decode("ascii", "replace")
    return redirect(f"{path}?{query}" if query else path, 308)


def _rows(pairs: Pairs) -> str:
    found = collections.read(expenses, pairs)
    current = {key.column.name: key.descending for key in found.query.sort[:1]}
    return _page(
        "expenses/rows.html",
        pairs,
        found=found,
        headings=_headings(found, pairs, current),
        chips=asking.chips(pairs, found.query.conditions),
        previous=asking.page(pairs, cursor=found.prev, page=None) if found.prev else None,
        following=asking.page(pairs, cursor=found.next, page=None) if found.next else None,
    )


def _headings(found: collections.Page, pairs: Pairs, current: dict[str, bool]) -> list[Any]:
    known = {each.name: each for each in collections.headings(expenses, found)}
    chosen = [known[name] for name in SHOWN if name in known] or list(known.values())
    return [_heading(pairs, current, each.name, each.label, each.type) for each in chosen]


def _heading(
    pairs: Pairs, current: dict[str, bool], name: str, label: str, kind: str
) -> dict[str, Any]:
    is_figure = kind in {"money", "date", "decimal", "integer"}
    sort = asking.sort_change(current, name, is_figure=is_figure)
    return {
        "name": name,
        "label": label,
        "kind": {"date": "date"}.get(kind, "number" if is_figure else ""),
        "href": asking.page(pairs, sort=sort, order=None),
        "sorted": ("descending" if current[name] else "ascending") if name in current else None,
    }


def _groups(pairs: Pairs) -> str:
    found, asked = _aggregated(pairs)
    current = {key.name: key.descending for key in found.query.sort[:1]}
    keys = [(key.name, key.column.declared.label, key.bucket) for key in found.query.by]
    figures = [
        (metric.name, _figure(metric.word), metric.type.name) for metric in found.query.metrics
    ]
    time_key = found.query.by[0].name if len(keys) == 1 and keys[0][2] else None
    return _page(
        "expenses/groups.html",
        pairs,
        asked=asked,
        found=found,
        keys=[
            _heading(pairs, current, name, bucket.capitalize() if bucket else label, "")
            for name, label, bucket in keys
        ],
        figures=[_heading(pairs, current, *each) | {"type": each[2]} for each in figures],
        chips=asking.chips(pairs, found.query.conditions),
        chart=_chart(found, time_key) if time_key else None,
        time_key=time_key,
        rows_page=lambda link: link and link.replace(expenses.path, asking.PAGE, 1),
    )


def _aggregated(pairs: Pairs) -> tuple[Groups, Pairs]:
    """Return the groups, with empty stretches of time where that makes not too many of them."""
    for fills in (True, False):
        asked = asking.grouped(pairs, fills=fills)
        query = parse_groups(expenses, query_text(asked))
        try:
            return aggregate(expenses, query, expenses.scope()), asked
        except InvalidQuery as refused:
            if not fills or refused.errors[0]["parameter"] != "fill":
                raise
    raise AssertionError


def _figure(word: str) -> str:
    known = {"count": "Expenses", "sum(amount)": "Amount", "share(amount)": "Share"}
    return known.get(word, word)


def _chart(found: Groups, time_key: str) -> charts.Chart | None:
    rows = [row for row in found.rows if row[time_key] and row.get("sum_amount")]
    rows.sort(key=lambda row: row[time_key])
    return charts.draw([(row[time_key], Decimal(row["sum_amount"])) for row in rows])


def _page(
    template: str, pairs: Pairs, errors: dict[str, list[str]] | None = None, **shown: Any
) -> str:
    settings = current_settings()
    asked = shown.pop("asked", pairs)
    call = (settings.public_url + asking.api(asked)).replace("'", "%27")
    token = "" if settings.expenses_are_public else ' \\\n  -H "Authorization: Bearer $TOKEN"'
    return render_template(
        template,
        fields=asking.fields(pairs, errors or {}),
        hidden=asking.hidden(pairs),
        groupings=asking.groupings(pairs),
        call=f"curl --globoff '{call}'{token}",
        json=asking.api(asked) if settings.expenses_are_public else None,
        download=asking.download(asked),
        plain=asking.page([each for each in pairs if each[0] == "by"]),
        is_filtered=bool(asking.filters_of(pairs)),
        euros=charts.euros,
        percent=charts.percent,
        spoken=charts.spoken,
        **shown,
    )
