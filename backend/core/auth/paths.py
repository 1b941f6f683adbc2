"""Addresses inside this site, to which a person may be sent back after signing in."""

import re
from urllib.parse import urlsplit

# Browsers drop tabs and line ends, and read a backslash as a slash: "/\t/x" would leave the site.
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")


def local_path(target: str | None, default: str = "/") -> str:
    """Return the target if it is a path of this site, else the default."""
    if not target or not _PATH.fullmatch(target):
        return default
    try:
        parts = urlsplit(target)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else target
