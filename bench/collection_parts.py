"""What is measured of Quintet's own server: exports, 304, pages far behind, and groups."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from urllib.parse import quote

import expense_rows
import load
import psycopg
from serving import Served

RUNS = 3
PIECE = 1 << 18
FAR_PAGE = 10_000
LIMIT = 25
BIGGEST = 200
SORTS = ("-date", "departments", "-amount")
EXPORT = "/api/expenses?format=csv"
COPY = """
copy (select {columns} from expense {order}) to stdout (format csv, header true)"""
GROUPS = {
    "departments,month(date)": """
        select departments, date_trunc('month', date::timestamp)::date, count(*), sum(amount)
        from expense group by 1, 2""",
    "departments,project_name": """
        select departments, project_name, count(*), sum(amount) from expense group by 1, 2""",
}
Figures = dict[str, dict[str, float]]


class Caller:
    """Asks one server on one connection, and times it."""

    def __init__(self, server: Served) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def ask(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Return the answer, whose body is still to be read."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", path, headers=named)
        return self.connection.getresponse()

    def read(self, path: str) -> dict[str, object]:
        """Return the content of an answer."""
        response = self.ask(path)
        body = response.read()
        assert response.status == http.client.OK, f"{path}: {body[:1000]!r}"
        found: dict[str, object] = json.loads(body)
        return found

    def seconds(self, path: str) -> float:
        """Return how long an answer took, to its end."""
        began = time.perf_counter()
        response = self.ask(path)
        body = response.read()
        taken = time.perf_counter() - began
        assert response.status == http.client.OK, f"{path}: {body[:1000]!r}"
        return taken


def exports(server: Served, variables: Mapping[str, str], rows: int) -> Figures:
    """Return the speed of the CSV of all rows as a part of COPY's, and the memory it takes.

    COPY is asked for the same rows in the same order, and also as they lie in the table.
    """
    copies = {
        "the same order": COPY.format(columns=expense_rows.COLUMNS, order="order by date desc, id"),
        "no order": COPY.format(columns=expense_rows.COLUMNS, order=""),
    }
    first, peak, mine = server.memory(), 0.0, []
    theirs: dict[str, list[float]] = {name: [] for name in copies}
    for _ in range(RUNS):
        taken, high = watched(server, lambda: export(server, rows))
        mine.append(taken)
        peak = max(peak, high)
        for name, statement in copies.items():
            theirs[name].append(copy(variables["DATABASE_URL"], statement))
    seconds = statistics.median(mine)
    found = {"memory": {"before MB": first / 2**20, "at most MB": peak / 2**20}}
    for name, times in theirs.items():
        floor = statistics.median(times)
        figures = {"seconds": seconds, "copy": floor, "of copy": floor / seconds, "goal": 0.5}
        found[f"export / copy in {name}"] = figures
    return found


def export(server: Served, rows: int) -> float:
    """Return the seconds of an export, and check that it was whole."""
    with closing(Caller(server).connection) as connection:
        began = time.perf_counter()
        connection.request("GET", EXPORT)
        response, lines = connection.getresponse(), 0
        while piece := response.read(PIECE):
            lines += piece.count(b"\n")
        taken = time.perf_counter() - began
    assert lines == rows + 1, f"{lines} lines"
    return taken


def copy(url: str, statement: str) -> float:
    """Return the seconds of PostgreSQL's COPY, read by its driver and thrown away."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        with cursor.copy(statement.encode()) as stream:
            for _ in stream:
                pass
        return time.perf_counter() - began


def watched(server: Served, work: Callable[[], float]) -> tuple[float, int]:
    """Return what the work returns, and the most memory of the server meanwhile."""
    done, peaks = threading.Event(), [server.memory()]

    def look() -> None:
        while not done.wait(0.05):
            peaks.append(server.memory())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        return work(), max(peaks)
    finally:
        done.set()
        watcher.join()


def unchanged(server: Served, owner_url: str) -> Figures:
    """Return the answers per second of 304, beside those of 200, while no row can be read at all.

    Whoever reads a row of the table meanwhile fails: the role has no right to.
    """
    path = f"/api/expenses?departments=Legal&count=none&limit={LIMIT}"
    caller = Caller(server)
    response = caller.ask(path)
    response.read()
    tag = response.headers["ETag"]
    full = load.drive(server.port, [load.get(path)], seconds=3)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("revoke select on expense from quintet_app")
        try:
            response = caller.ask(path)
            response.read()
            assert response.status == http.client.INTERNAL_SERVER_ERROR, "The role reads on."
            asked = [load.get(path, If_None_Match=tag)]
            known = load.drive(server.port, asked, seconds=3, status=304)
        finally:
            connection.execute("grant select on expense to quintet_app")
    return {"304 / 200, no row readable": {"304": known.rate, "200": full.rate}}


def paging(server: Served, rows: int) -> Figures:
    """Return how long a page far behind takes beside the first one, by several orders."""
    caller, found = Caller(server), {}
    number = min(FAR_PAGE, rows // LIMIT // 2)
    for sort in SORTS:
        first = f"/api/expenses?sort={sort}&count=none&limit={LIMIT}"
        far = first + "&cursor=" + quote(walk(caller, sort, (number - 1) * LIMIT))
        times = [(caller.seconds(first), caller.seconds(far)) for _ in range(200)]
        ms = [1000 * statistics.median(each) for each in zip(*times, strict=True)]
        figures = {"first ms": ms[0], "far ms": ms[1], "far / first": ms[1] / ms[0], "goal": 1.2}
        found[f"page {number:,} by {sort}"] = figures
    return found


def walk(caller: Caller, sort: str, rows: int) -> str:
    """Return the cursor behind so many rows, reached in the biggest steps that there are."""
    cursor = ""
    while rows:
        step = min(rows, BIGGEST)
        path = f"/api/expenses?sort={sort}&fields=id&count=none&limit={step}"
        page = caller.read(path + (f"&cursor={quote(cursor)}" if cursor else ""))["page"]
        assert isinstance(page, dict)
        cursor, rows = page["next"], rows - step
    return cursor


def aggregates(server: Served, variables: Mapping[str, str]) -> Figures:
    """Return how long groups of two keys take, beside the same SQL through the driver alone."""
    caller, found = Caller(server), {}
    with psycopg.connect(variables["DATABASE_URL"], autocommit=True) as connection:
        for by, statement in GROUPS.items():
            path = f"/api/expenses/aggregates?by={by}&metrics=count,sum(amount)&top=1000"
            caller.seconds(path)
            times = [(caller.seconds(path), run(connection, statement)) for _ in range(RUNS)]
            mine, raw = (statistics.median(each) for each in zip(*times, strict=True))
            figures = {"seconds": mine, "sql": raw, "of sql": mine / raw, "goal": 1.2}
            found[f"by {by}"] = figures
    return found


def run(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> float:
    """Return the seconds of a statement with all its rows."""
    began = time.perf_counter()
    connection.execute(statement.encode()).fetchall()
    return time.perf_counter() - began
