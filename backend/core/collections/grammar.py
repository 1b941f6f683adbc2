"""The text of a query: pairs of the address, and lists whose items may be quoted."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from backend.core.collections.problems import Mistakes
from backend.core.collections.types import Refused

_NAME = re.compile(r"([^\[\]]*)(?:\[([^\[\]]*)\])?(?:\[([^\[\]]*)\])?")


@dataclass(frozen=True)
class Given:
    """One parameter with everything that was sent under its name."""

    name: str
    at: int
    values: list[str]

    def parts(self) -> tuple[str, str | None, str | None]:
        """Return the name before the brackets and what stands in the first two of them."""
        found = _NAME.fullmatch(self.name)
        return (found[1], found[2], found[3]) if found else (self.name, None, None)


def read_pairs(query_string: str, mistakes: Mistakes) -> list[tuple[str, str]]:
    """Return the pairs of a query string in their order, and note the unreadable ones."""
    pairs = []
    for at, piece in enumerate(query_string.split("&")):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        try:
            pairs.append(
                (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            )
        except UnicodeDecodeError:
            shown = unquote_plus(name, errors="replace")
            mistakes.add(shown, "invalid_encoding", "This is not UTF-8.", at=at)
    return pairs


def gather(pairs: list[tuple[str, str]]) -> dict[str, Given]:
    """Return the pairs by name, in the order in which the names first came."""
    gathered: dict[str, Given] = {}
    for at, (name, value) in enumerate(pairs):
        gathered.setdefault(name, Given(name, at, [])).values.append(value)
    return gathered


def read_list(texts: list[str]) -> list[str]:
    """Return the items of a list that was given once or several times.

    An item with a comma or a double quote is wrapped in double quotes, inner ones doubled.

    :raises Refused: when the list or a bare item is empty, or a quote is not closed
    """
    return [item for text in texts for item in _items(text)]


def _items(text: str) -> list[str]:
    items, at = [], 0
    while True:
        item, at = _quoted(text, at) if text.startswith('"', at) else _bare(text, at)
        items.append(item)
        if at == len(text):
            return items
        if text[at] != ",":
            raise Refused("A closing quote is followed by a comma.")
        at += 1


def _bare(text: str, at: int) -> tuple[str, int]:
    end = text.find(",", at)
    end = len(text) if end < 0 else end
    item = text[at:end]
    if not item:
        raise Refused('An item is empty; "" stands for the empty text.')
    if '"' in item:
        raise Refused("An item with a quote is wrapped in quotes, inner ones doubled.")
    return item, end


def _quoted(text: str, at: int) -> tuple[str, int]:
    item, at = "", at + 1
    while True:
        end = text.find('"', at)
        if end < 0:
            raise Refused("A quote is not closed.")
        item += text[at:end]
        if not text.startswith('""', end):
            return item, end + 1
        item, at = item + '"', end + 2


def write_item(text: str) -> str:
    """Return the item as it stands in a list."""
    if text == "" or "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text
