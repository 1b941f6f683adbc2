"""The search for readings, and what staff see of one of them."""

from urllib.parse import urlencode

from flask import Response, render_template, request

from backend.core.downloads import download
from backend.core.errors import Invalid
from backend.domains.flows import d0010
from backend.domains.flows.console.addresses import LARGEST, address, start, ways
from backend.domains.flows.console.blueprint import blueprint
from backend.domains.flows.schemas import SearchSchema, cursor
from backend.domains.flows.services import exports, files, readings, terms

NOTICES = {
    "nothing asked": "Type an MPAN or a meter's serial number, or how it begins.",
    "too short": f"Type at least {terms.SHORTEST_PREFIX} characters. No serial is exactly that.",
    "wrong check digit": "No reading has this MPAN, and its last digit does not fit the other "
    "twelve: it was probably mistyped.",
    "unknown MPAN": "This MPAN is well formed, but no file has brought a reading of it.",
    "unknown": "No MPAN and no serial number begins with that.",
    "unknown serial": "No serial number begins with that.",
    "too many": f"More than {terms.MOST_KEYS} meters begin with that. Choose one, or type more.",
    "without readings": "Files name this meter, but no reading of it was ever accepted.",
    "filtered out": "There are readings of it, but the filters let none through.",
}


class SearchNotUnderstood(Invalid):
    """A field of the search is malformed. Correct it in the form, and search again."""


@blueprint.get("/readings")
def show_readings() -> tuple[str, int]:
    """Show the search for readings, and a page of what it finds."""
    arguments = _arguments()
    problems = SearchSchema().validate(arguments)
    if problems:
        return _search_page(readings.Page(), problems=problems), 422
    asked = SearchSchema().load(arguments)
    page = readings.search(**asked)
    notice = _notice(page.notice, asked["query"].term)
    return _search_page(page, notice=notice), 200


@blueprint.get("/readings.csv")
def export_readings() -> Response:
    """Send what a search finds as CSV.

    :raises SearchNotUnderstood: when a field is malformed
    :raises TooManyMeters: when the search has to be narrowed first
    """
    arguments = _arguments()
    problems = SearchSchema().validate(arguments)
    if problems:
        raise SearchNotUnderstood(
            errors=[
                {"parameter": name, "code": "invalid_value", "detail": messages[0]}
                for name, messages in problems.items()
            ]
        )
    found = readings.export(SearchSchema().load(arguments)["query"])
    lines = exports.as_csv(found, most=readings.EXPORT_ROWS)
    return download(lines, name="readings.csv", content_type="text/csv; charset=utf-8")


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>/readings")
def show_file_readings(file_id: int) -> str:
    """Show the readings of one file in the order of its lines."""
    file = files.one(file_id)
    page = files.readings(file_id=file_id, start=start())
    return render_template("flows/file_readings.html", file=file, page=page, **ways(page))


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>/readings/<int(max=2147483647):line_number>")
def show_reading(file_id: int, line_number: int) -> str:
    """Show one reading: what was sent, what became of it, and where it stands in its file."""
    reading = readings.one(file_id=file_id, line_number=line_number)
    file = files.one(file_id)
    return render_template(
        "flows/reading.html",
        reading=reading,
        file=file,
        history=readings.history(reading),
        visits=readings.visits(reading),
        lines=files.lines_if_kept(file, line_number),
    )


@blueprint.get(f"/files/<int(max={LARGEST}):file_id>/lines/<int(max=2147483647):line_number>")
def show_line(file_id: int, line_number: int) -> str:
    """Show one line of a file as it was sent, among its neighbours."""
    file = files.one(file_id)
    lines = files.lines_around(file, line_number)
    return render_template("flows/line.html", file=file, lines=lines, line_number=line_number)


def _search_page(
    page: readings.Page,
    *,
    notice: str | None = None,
    problems: dict[str, list[str]] | None = None,
) -> str:
    return render_template(
        "flows/readings.html",
        page=page,
        asked=request.args,
        older=address(after=cursor(page.older), before=None) if page.older else None,
        newer=address(before=cursor(page.newer), after=None) if page.newer else None,
        csv_query=urlencode(_arguments()),
        types=[("", "All types"), *_types()],
        notice=notice,
        problems=problems or {},
    )


def _types() -> list[tuple[str, str]]:
    return [(code, f"{code}: {words}") for code, words in d0010.LABELS["J0171"].items()]


def _notice(notice: str | None, term: terms.Term) -> str | None:
    if notice == "unknown" and term.kind != "digits":
        notice = f"unknown {'MPAN' if term.kind == 'mpan' else 'serial'}"
    return notice and NOTICES[notice]


def _arguments() -> dict[str, str]:
    """Return the fields of the form that were filled in: a browser sends the empty ones too."""
    return {name: value for name, value in request.args.items() if value.strip()}
