"""E-mail addresses: the one form in which an address is kept and compared."""

import re

LONGEST = 254

# The part before the @ is what RFC 5322 calls a dot-atom; a domain has at least two labels. What
# no address needs in practice (quotes, comments, other scripts) is refused.
_ADDRESS = re.compile(
    r"(?=.{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)


def normalised(address: str) -> str | None:
    """Return the address as it is kept, or none when it is no e-mail address."""
    found = address.strip(" \t\r\n")
    if not found.isascii() or len(found) > LONGEST:
        return None  # Some other letters become ASCII ones in lower case.
    return found.lower() if _ADDRESS.fullmatch(found.lower()) else None
