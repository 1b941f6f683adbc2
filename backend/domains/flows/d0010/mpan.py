"""The check digit of an MPAN core (J0003), as the catalogue gives it."""

from functools import cache

_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_DIGITS = "01234567890"

# Sums of two or three residues index this, which spares the parser a division for every MPAN.
CHECK_DIGITS = _DIGITS * 3


def check_digit(stem: str) -> str:
    """Return the thirteenth digit that belongs to the first twelve."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, stem, strict=True))
    return _DIGITS[total % 11]


def with_check_digit(stem: str) -> str:
    """Return the MPAN of its first twelve digits."""
    return stem + check_digit(stem)


def has_valid_check_digit(mpan: str) -> bool | None:
    """Tell whether thirteen digits end with the right one; None where that cannot be known.

    Asset ids are such: the weights of prefix 77 are not published, and 78 has no check digit.
    """
    if mpan.startswith(("77", "78")):
        return None
    return mpan[12] == check_digit(mpan[:12])


def quick_check(mpan: str) -> bool:
    """Tell whether thirteen digits that are no asset id end with the right one."""
    first, second, third = residue_tables()
    return CHECK_DIGITS[first[mpan[:4]] + second[mpan[4:8]] + third[mpan[8:12]]] == mpan[12]


@cache
def residue_tables() -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return what each run of four digits adds to the sum modulo 11, at its three places.

    `CHECK_DIGITS[first[mpan[:4]] + second[mpan[4:8]] + third[mpan[8:12]]]` is the check digit.
    """
    runs = [f"{number:04}" for number in range(10_000)]
    first, second, third = (
        {
            run: (int(run[0]) * w0 + int(run[1]) * w1 + int(run[2]) * w2 + int(run[3]) * w3) % 11
            for run in runs
        }
        for w0, w1, w2, w3 in (_WEIGHTS[:4], _WEIGHTS[4:8], _WEIGHTS[8:])
    )
    return first, second, third
