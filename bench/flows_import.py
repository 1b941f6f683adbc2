"""How fast a flow file is imported, against the floor: PostgreSQL's own COPY of the same rows.

Both sides start on an empty database of the same durable server, with the same tables, indexes and
role, and end with their commit; they take turns. The import is the command `quintet flows import`:
its time is what it reports (the first pass, the parsing, the archive and the audit row are all in
it), its memory the proportional set size of all processes that it starts, looked at every 20 ms.
The floor sends rows that were parsed before, from memory, in the same three statements:

    copy flow_reading (...) from stdin
    copy flow_site_visit (...) from stdin
    copy flow_meter (...) from stdin

The goal: at least 0.70 of the floor at 10⁶ readings, under 150 MB of memory at any size.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keeping
import psutil
import psycopg

from backend.domains.flows import d0010, sample
from environments.local.postgres import Postgres

SEED = 20260428
SIZES = (10**5, 10**6) + ((10**7,) if os.environ.get("BIG") else ())
FLOOR_UP_TO = 10**6  # Beyond that, its rows would not fit into memory.
RUNS = 3
TABLES = {
    "flow_reading": ("readings", d0010.READING_FIELDS),
    "flow_site_visit": ("visits", d0010.VISIT_FIELDS),
    "flow_meter": ("meters", d0010.METER_FIELDS),
}
Rows = dict[str, list[bytes]]


def parsed(path: Path) -> Rows:
    """Return the rows of a file as COPY takes them, in the importer's batches."""
    rows: Rows = {table: [] for table in TABLES}
    with path.open("rb") as stream:
        survey = d0010.survey(stream)
        stream.seek(0)
        for batch in d0010.parse(stream, survey, d0010.Options()):
            for table, (attribute, _) in TABLES.items():
                rows[table].append(d0010.render(getattr(batch, attribute), before=["1"]))
    return rows


def load(variables: dict[str, str], rows: Rows) -> float:
    """Return the seconds of the floor."""
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        began = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor:
            for table, (_, columns) in TABLES.items():
                statement = f"copy {table} (file_id, {', '.join(columns)}) from stdin"
                with cursor.copy(statement.encode()) as copy:
                    for part in rows[table]:
                        copy.write(part)
        return time.perf_counter() - began


def imported(variables: dict[str, str], path: Path, readings: int) -> dict[str, float]:
    """Return the seconds of the import, those of the whole command, and the peak memory in MB."""
    began = time.perf_counter()
    command = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "backend.cli", "flows", "import", "--json", str(path)],
        env=os.environ | variables | {"QUINTET_FILES_URL": str(path.parent / "files")},
        stdout=subprocess.PIPE,
    )
    peak = 0
    while command.poll() is None:
        peak = max(peak, proportional_memory(psutil.Process(command.pid)))
        time.sleep(0.02)
    taken = time.perf_counter() - began
    assert command.stdout is not None
    (file,) = json.load(command.stdout)["files"]
    assert command.returncode == 0, file
    assert file["readings"]["accepted"] == readings, file
    return {"import": file["seconds"], "command": taken, "peak MB": peak / 2**20}


def proportional_memory(command: psutil.Process) -> int:
    """Return the bytes of a process and all that it started, shared ones counted in shares."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in (command, *command.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


def measure(postgres: Postgres, folder: Path, readings: int) -> dict[str, float]:
    """Return the medians of both sides at one size, and what one is of the other."""
    path = folder / "sample.uff"
    with path.open("wb") as stream:
        sample.write_sample(stream, readings=readings, seed=SEED)
    rows = parsed(path) if readings <= FLOOR_UP_TO else None
    runs: list[dict[str, float]] = []
    for number in range(RUNS if rows else 1):
        with keeping.empty_database(postgres, f"import_{readings}_{number}") as variables:
            figures = imported(variables, path, readings)
        if rows:
            with keeping.empty_database(postgres, f"floor_{readings}_{number}") as variables:
                figures["floor"] = load(variables, rows)
        runs.append(figures)
    medians = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
    return medians | {"of the floor": medians["floor"] / medians["import"]} if rows else medians


def main() -> None:
    """Measure, print the figures and keep them."""
    results: dict[str, object] = {"seed": SEED}
    with keeping.durable_server("bench-import") as postgres, tempfile.TemporaryDirectory() as name:
        results["postgres"] = str(postgres.programs)
        for readings in SIZES:
            figures = measure(postgres, Path(name), readings)
            results[f"{readings:,}"] = {key: round(value, 2) for key, value in figures.items()}
            print(f"{readings:>12,} readings: {results[f'{readings:,}']}", flush=True)
    keeping.keep("flows_import", results)


if __name__ == "__main__":
    main()
