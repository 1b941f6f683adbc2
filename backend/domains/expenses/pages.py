"""Expenses for people: one page that filters, sorts, groups and draws, and its file."""

from functools import partial

from flask import redirect, request
from werkzeug.wrappers import Response

from backend.core import auth
from backend.core.auth import PageBlueprint
from backend.core.sections import Section, mount
from backend.domains.expenses.collections import expenses
from backend.domains.expenses.services import choices

blueprint = PageBlueprint(
    "expenses_pages",
    __name__,
    public=lambda settings: settings.expenses_are_public,
    url_prefix="",
)
mount(
    blueprint,
    Section(
        expenses,
        name="expenses",
        singular="expense",
        main="date",
        columns=("date", "departments", "project_name", "member_name", "amount"),
        filters=(
            *("departments", "project_name", "member_name", "project_name[contains]"),
            *("amount[gte]", "amount[lte]", "date[gte]", "date[lte]"),
        ),
        choices={
            name: partial(choices.few_values, name)
            for name in ("departments", "project_name", "member_name")
        },
        figures=("count", "sum(amount)", "share(amount)"),
        empty="No expenses yet. Staff import a file with “quintet expenses import”, or by the API.",
    ),
    "/expenses",
)


@blueprint.get("/expanses_data")
@auth.public
def redirect_list() -> Response:
    """Lead a request in its first form to the list."""
    return _elsewhere(expenses.path)


@blueprint.get("/aggregates")
@auth.public
def redirect_aggregates() -> Response:
    """Lead a request in its first form to the aggregates."""
    return _elsewhere(f"{expenses.path}/aggregates")


def _elsewhere(path: str) -> Response:
    query = request.query_string.decode("ascii", "replace")
    return redirect(f"{path}?{query}" if query else path, 308)
