"""Bodies of requests: JSON without surprises, numbers never turned into floats."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from flask import request

from backend.core.collections.types import unkeepable
from backend.core.errors import Malformed, UnsupportedMediaType


def read_json() -> Any:
    """Return the request's body.

    :raises UnsupportedMediaType: when it does not say that it is JSON
    :raises Malformed: when it is none, or holds what PostgreSQL could not keep
    """
    if not request.is_json:
        entry = {"header": "Content-Type", "code": "not_json", "detail": request.mimetype}
        raise UnsupportedMediaType("The body has to be application/json.", errors=[entry])
    try:
        content = json.loads(
            request.get_data(), parse_float=Decimal, parse_int=_integer, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error
    if _is_unkeepable(content):
        raise Malformed("The body holds U+0000 or half a character.")
    return content


def _integer(text: str) -> int | Decimal:
    # Python refuses to convert thousands of digits; as a decimal they fail in the column's type.
    return int(text) if len(text) < 100 else Decimal(text)  # noqa: PLR2004


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_unkeepable(content: Any) -> bool:
    # What JSON's reader still takes is nested more deeply than functions may call themselves.
    waiting = [content]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and unkeepable(each):
            return True
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
    return False
