"""How fast a collection is, against its peers and against PostgreSQL itself, with its limits.

First the filtered list of one million expenses beside other frameworks (`collection_lists.py`),
the export of all of them beside PostgreSQL's own COPY, and an answer of 304 while the role may not
read a single row. Then, with five million, a page far behind beside the first one, and groups of
two keys beside the same SQL. What is compared takes turns on the same server and database.
`ROWS=` makes both tables smaller, for a trial.
"""

import os

import collection_lists
import collection_parts as parts
import expense_rows
import keeping
import serving

ROWS = int(os.environ.get("ROWS", "5_000_000"))
LISTED = min(ROWS, 1_000_000)
Figures = dict[str, dict[str, float]]


def main() -> None:
    """Measure, print the figures and keep them."""
    serving.environment()
    with (
        keeping.durable_server("bench-collections") as postgres,
        keeping.empty_database(postgres, "collections") as variables,
    ):
        results: dict[str, object] = {"postgres": str(postgres.programs), "rows": [LISTED, ROWS]}
        owner = variables["QUINTET_DATABASE_OWNER_URL"]
        expense_rows.fill(owner, LISTED)
        lists = collection_lists.measure(variables)
        results["lists"] = show(lists) | show(collection_lists.compare(lists))
        with serving.served(serving.QUINTET, serving.OURS, variables) as ours:
            results["exports"] = show(parts.exports(ours, variables, LISTED))
            results["unchanged"] = show(parts.unchanged(ours, owner))
            expense_rows.fill(owner, ROWS)
            results["paging"] = show(parts.paging(ours, ROWS))
            results["aggregates"] = show(parts.aggregates(ours, variables))
    keeping.keep("collections", results)


def show(figures: Figures) -> Figures:
    """Print the figures, and return them rounded."""
    found = {
        name: {key: round(value, 2) for key, value in each.items()}
        for name, each in figures.items()
    }
    for name, each in found.items():
        print(f"{name:32} {each}", flush=True)
    return found


if __name__ == "__main__":
    main()
