"""Groups as files; there are few of them, so that they are written at once."""

import csv
import io
from typing import Any

from backend.core.collections.aggregates import Groups
from backend.core.collections.query import dumps
from backend.core.collections.types import FORMULA_MARKS


def groups_csv(groups: Groups) -> str:
    """Return the groups as CSV, texts made harmless as in the export of rows."""
    texts = {key.name for key in groups.query.by if key.column.type.is_text and not key.bucket}
    texts |= {m.name for m in groups.query.metrics if m.type.is_text}
    names = [key.name for key in groups.query.by]
    names += [metric.name for metric in groups.query.metrics] + ["rows"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(names)
    for row in groups.rows:
        writer.writerow(_cell(row[name], is_text=name in texts) for name in names)
    return file.getvalue()


def groups_ndjson(groups: Groups) -> str:
    """Return the groups as one JSON object on each line."""
    return "".join(dumps(row) + "\n" for row in groups.rows)


def _cell(value: Any, *, is_text: bool) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_text and isinstance(value, str) and value.startswith(tuple(FORMULA_MARKS)):
        return "'" + value
    return value
