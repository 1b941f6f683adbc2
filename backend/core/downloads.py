"""Files that callers keep: written whole before the first byte is sent."""

from collections.abc import Iterable
from functools import partial
from tempfile import SpooledTemporaryFile

from flask import Response

from backend.core.errors import Unavailable

IN_MEMORY = 1 << 20
PIECE = 1 << 18


class NoRoom(Unavailable):
    """The file could not be written here before it was to be sent. Ask again later."""


def download(pieces: Iterable[bytes], *, name: str, content_type: str) -> Response:
    """Return the pieces as a file to keep, whose length is told.

    They go into a file without a name first, or into memory while they are few. So a failure in
    the middle is answered as any other, nobody takes a part of a file for the whole, and nothing
    that the pieces are read from waits for a caller who reads slowly.

    :raises NoRoom: when they cannot be written
    """
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed when it is sent
    try:
        for piece in pieces:
            _write(file, piece)
    except BaseException:
        file.close()
        raise
    response = _sent(file)
    response.content_type = content_type
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _sent(file: SpooledTemporaryFile[bytes]) -> Response:
    length = file.tell()
    file.seek(0)
    if length <= IN_MEMORY:
        with file:
            return Response(file.read())
    response = Response(iter(partial(file.read, PIECE), b""))
    response.content_length = length
    response.call_on_close(file.close)
    return response


def _write(file: SpooledTemporaryFile[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise NoRoom("There is no room to write the file just now.") from error
