"""The check digit of an MPAN core (J0003)."""


def with_check_digit(stem: str) -> str:
    """Return the MPAN of its first twelve digits."""
    raise NotImplementedError


def has_valid_check_digit(mpan: str) -> bool | None:
    """Tell whether thirteen digits end with the right one; None where no rule is published.

    Asset ids (prefix 77 and 78) are such: the weights of 77 are not known, and 78 has no check digit.
    """
    raise NotImplementedError
