"""How fast a flow file is surveyed, parsed and rendered for COPY, and in how much memory.

Nothing here touches a database or waits, so the time is the processor's. Each figure is the median
of three runs, each in a process of its own so that its peak memory is known; the smallest file
tells whether it grows.
"""

import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import keeping

from backend.domains.flows import d0010, sample

SEED = 20260428
SIZES = (10**5, 10**6) + ((10**7,) if os.environ.get("BIG") else ())
RUNS = 3
STEPS = ("survey", "parse", "parse and render", "all")


def parse(path: Path, survey: d0010.Survey, *, is_rendered: bool) -> int:
    """Read a file as an import does and return how many readings it accepted."""
    accepted = 0
    with path.open("rb") as stream:
        for batch in d0010.parse(stream, survey, d0010.Options()):
            if is_rendered:
                for rows in (batch.readings, batch.visits, batch.meters):
                    d0010.render(rows, before=["1"])
            accepted = batch.counters.readings_accepted
    return accepted


def run(path: Path, readings: int) -> dict[str, float]:
    """Return the readings per second of each step, and the peak resident memory in MB."""
    began = time.process_time()
    with path.open("rb") as stream:
        survey = d0010.survey(stream)
    surveyed = time.process_time()
    assert parse(path, survey, is_rendered=False) == readings
    parsed = time.process_time()
    assert parse(path, survey, is_rendered=True) == readings
    rendered = time.process_time()
    seconds = (surveyed - began, parsed - surveyed, rendered - parsed)
    taken = dict(zip(STEPS, (*seconds, seconds[0] + seconds[2]), strict=True))
    figures: dict[str, float] = {step: round(readings / each) for step, each in taken.items()}
    return figures | {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def measure(folder: Path, readings: int) -> dict[str, float]:
    """Return the medians for a file of so many readings."""
    path = folder / "sample.uff"
    with path.open("wb") as stream:
        sample.write_sample(stream, readings=readings, seed=SEED)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        runs = [pool.apply(run, (path, readings)) for _ in range(RUNS)]
    return {name: statistics.median(each[name] for each in runs) for name in runs[0]}


def main() -> None:
    """Measure, print the figures and keep them."""
    results: dict[str, object] = {"seed": SEED}
    with tempfile.TemporaryDirectory() as folder:
        for readings in SIZES:
            results[f"{readings:,}"] = figures = measure(Path(folder), readings)
            print(f"{readings:>12,} readings, per second: {figures}")
    keeping.keep("flows_parse", results)


if __name__ == "__main__":
    main()
