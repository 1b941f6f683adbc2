"""The addresses of pages, and where in a list they begin."""

from urllib.parse import urlencode

from flask import request

from backend.domains.flows.services import files
from backend.domains.flows.services.files import Start

LARGEST = 2**63 - 1


def address(**changes: object) -> str:
    """Return the address of this page with other arguments; none removes one."""
    arguments = {**request.args.to_dict(), **changes}
    given = {name: value for name, value in arguments.items() if value is not None}
    return f"{request.path}?{urlencode(given)}"


def start() -> Start | None:
    """Return where a page of a numbered list begins, as its address says."""
    for name in ("after", "before"):
        number = request.args.get(name, type=int)
        if number is not None:
            return Start(max(0, min(number, LARGEST)), is_backward=name == "before")
    return None


def ways(page: files.Page) -> dict[str, str | None]:
    """Return the addresses of the pages before and after."""
    back, on = page.previous, page.next
    return {
        "previous": address(before=back.number, after=None) if back else None,
        "next": address(after=on.number, before=None) if on else None,
    }
