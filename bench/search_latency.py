"""How long a search takes by MPAN and by serial, as the number of readings grows tenfold.

It fills databases of a throw-away but durable server with 10⁵, 10⁶ and, with BIG=1, 10⁷ readings:
each meter has two registers read on ten days by ten files, and one meter in twenty has had a
reading corrected. Then it asks for meters at random, through the service alone and through the
whole application. The goal: the service's p99 under 10 ms at 10⁷ readings, and at most 1.5 times
that at 10⁵.
"""

import logging
import os
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus

import psycopg
import structlog
from flask import Flask
from keeping import durable_server, empty_database, keep

from backend.app import create_app
from backend.core.database import db, transaction
from backend.domains.flows.services import readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term
from backend.domains.identity.services import people

SEED = 20260428
SIZES = (10**5, 10**6) + ((10**7,) if os.environ.get("BIG") else ())
READINGS_PER_METER = 20
SEARCHES = {"service": 2000, "http": 500}
WARMING = 100
EMAIL = "bench@quintet.test"
PASSWORD = "only-for-this-benchmark"  # noqa: S105  of a server that is thrown away
Results = dict[str, dict[str, dict[str, float]]]

FILES = """
    insert into flow_file (name, channel, status, actor, source, options, message, flow, version,
        file_identifier, from_role, from_participant, created_at_local, is_test, records_total,
        records_accepted, records_rejected, roots_total, roots_accepted, roots_rejected,
        readings_total, readings_accepted, readings_rejected, visits_total, errors_total,
        warnings_total)
    select 'month-' || month || '.uff', 'cli', 'imported', '', '', '{}', '', 'D0010', '002',
        'QT' || month, 'D', 'QDCA',
        timestamp '2024-01-01' + month * interval '1 month', false,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    from generate_series(1, 11) month
    returning id, created_at_local
"""
LINES = """
    insert into flow_reading (file_id, line_number, reading_at_local, is_flag_valid, mpan,
        bsc_status, serial, serial_key, reading_type, register, value, value_text, method)
    select %(file)s, meter * 3 + place, %(at)s, true,
        '99' || lpad((meter::bigint * 7919 %% 99999999977)::text, 11, '0'), 'V',
        'QA ' || lpad(meter::text, 8, '0'), 'QA' || lpad(meter::text, 8, '0'), 'R', register,
        meter %% 90000 + 0.5, (meter %% 90000) || '.5', 'P'
    from generate_series(1, %(last)s::int, %(step)s) meter,
        unnest(array['DY', 'NT']) with ordinality registers (register, place)
"""


def mpan(meter: int) -> str:
    """Return the MPAN that the filling gives to a meter."""
    return f"99{meter * 7919 % 99999999977:011}"


def serial(meter: int) -> str:
    """Return the serial of a meter as a person may type it."""
    return f"qa {meter:08}"


def fill(url: str, meters: int) -> None:
    """Put in the readings of the meters, file by file, as imports do."""
    with psycopg.connect(url, autocommit=True) as connection:
        files = connection.execute(FILES).fetchall()
        months, (correction, _) = files[:10], files[10]
        for file, created in months:
            connection.execute(LINES, {"file": file, "at": created, "last": meters, "step": 1})
        corrected = {"file": correction, "at": months[-1][1], "last": meters, "step": 20}
        connection.execute(LINES, corrected)
        connection.execute("vacuum analyze flow_file, flow_reading")


def through_service(app: Flask) -> Callable[[str], None]:
    """Return a search with the service alone."""

    def ask(typed: str) -> None:
        with app.app_context():
            page = readings.search(Query(term=Term.of(typed)))
        assert len(page.hits) == READINGS_PER_METER, (typed, len(page.hits))

    return ask


def through_http(app: Flask) -> Callable[[str], None]:
    """Return a search through the whole application, signed in as staff."""
    client = app.test_client()
    who = {"email": EMAIL, "password": PASSWORD}
    assert client.post("/login", data=who).status_code == HTTPStatus.FOUND, "the login failed"

    def ask(typed: str) -> None:
        response = client.get("/admin/flows/readings", query_string={"q": typed})
        assert response.status_code == HTTPStatus.OK, response.status
        assert response.data.count(b"month-9.uff") > 0, typed

    return ask


def prepare(variables: dict[str, str], size: int) -> Flask:
    """Return an application on an empty database that now has that many readings."""
    owner = variables["QUINTET_DATABASE_OWNER_URL"]
    urls = {"database_url": variables["DATABASE_URL"], "database_owner_url": owner}
    app = create_app(WTF_CSRF_ENABLED=False, **urls)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with app.app_context(), transaction():
        people.create(email=EMAIL, name="Bench", roles=["staff"], password=PASSWORD, actor_id=None)
    fill(owner, size // READINGS_PER_METER)
    return app


def measure(
    asks: dict[int, Callable[[str], None]], term: Callable[[int], str], count: int
) -> dict[int, dict[str, float]]:
    """Return the latencies at each size, in milliseconds, of searches for meters at random.

    The sizes take turns, so whatever else the machine does slows them alike.
    """
    chance = random.Random(SEED)  # noqa: S311  no secret
    taken: dict[int, list[float]] = {size: [] for size in asks}
    for number in range(WARMING + count):
        for size, ask in asks.items():
            typed = term(chance.randint(1, size // READINGS_PER_METER))
            began = time.perf_counter()
            ask(typed)
            if number >= WARMING:
                taken[size].append(1000 * (time.perf_counter() - began))
    marks = {size: statistics.quantiles(each, n=100) for size, each in taken.items()}
    return {size: {"p50": each[49], "p99": each[98]} for size, each in marks.items()}


def run(apps: dict[int, Flask]) -> Results:
    """Measure each way of asking at every size, and print how the figures grow."""
    results: Results = {}
    for name, way in (("service", through_service), ("http", through_http)):
        asks = {size: way(app) for size, app in apps.items()}
        for term in (mpan, serial):
            found = measure(asks, term, SEARCHES[name])
            for size, figures in found.items():
                results.setdefault(f"{size:,}", {})[f"{name} by {term.__name__}"] = {
                    mark: round(value, 2) for mark, value in figures.items()
                } | {"p99 to smallest": round(figures["p99"] / found[SIZES[0]]["p99"], 2)}
    for size, ways in results.items():
        for name, figures in ways.items():
            print(f"{size:>12} readings, {name:<17} {figures}")
    return results


def hang_up(app: Flask) -> None:
    """Close an application's connections, so that its database can be dropped."""
    with app.app_context():
        db.engine.dispose()


def main() -> None:
    """Measure on a server that is thrown away, and keep the figures."""
    with durable_server("bench-search") as postgres, ExitStack() as lent:
        apps = {}
        for size in SIZES:
            variables = lent.enter_context(empty_database(postgres, f"search_{size}"))
            apps[size] = prepare(variables, size)
            lent.callback(hang_up, apps[size])
        keep("search_latency", run(apps))


if __name__ == "__main__":
    main()
