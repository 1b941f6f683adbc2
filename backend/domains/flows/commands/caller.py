"""Whoever is at the command line, for the record."""

import getpass
import socket


def name() -> str:
    """Return the user and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "nobody"  # A container's user may have no name.
    return f"{user}@{socket.gethostname()}"
