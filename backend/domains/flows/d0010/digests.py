"""The two names of a file's content: of its bytes as they are, and of its bytes normalised.

Normalised means: no byte order mark, LF for CRLF, no blank lines at the end, exactly one LF there.
"""

from hashlib import sha256

from backend.domains.flows.d0010.lines import BOM


class Digests:
    """Takes a file's whole-line blocks in order; what is normal already is hashed once."""

    def __init__(self) -> None:
        self._raw = sha256()
        self._normal = self._raw
        self._content = self._raw.copy()
        self._is_first = True

    def take(self, block: bytes) -> None:
        """Add a block of whole lines; only the last one may lack its newline."""
        normal = block.removeprefix(BOM) if self._is_first else block
        self._is_first = False
        if b"\r" in normal:
            normal = normal.replace(b"\r\n", b"\n").removesuffix(b"\r")
        filled = len(normal.rstrip(b" \t\n"))
        end = normal.find(b"\n", filled) + 1
        if not end:
            normal += b"\n"
            end = len(normal)
        if self._normal is self._raw and normal != block:
            self._normal = self._raw.copy()
        if self._normal is not self._raw:
            self._raw.update(block)
        if filled:
            self._normal.update(normal[:end])
            self._content = self._normal.copy()
            self._normal.update(normal[end:])
        else:
            self._normal.update(normal)

    def take_rest(self, block: bytes) -> None:
        """Add bytes that are no lines of a flow."""
        self._raw.update(block)
        self._content.update(block)

    @property
    def raw_hash(self) -> str:
        """Return the SHA-256 of the bytes as they are."""
        return self._raw.hexdigest()

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 of the normalised bytes."""
        return self._content.hexdigest()
