"""Invented flow files of any size, for demonstration and benchmarks.

The same arguments always give the same bytes. No distributor is known to use prefix 99, so an MPAN
of these files is nobody's.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import BinaryIO
from zlib import crc32

# The weights of an MPAN's check digit, kept here so that this module stands alone.
_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_CREATED = "20250402061500"
_COMPLETED = "20250402063000"
_DAYS = [f"{date(2025, 4, 1) - timedelta(days=back):%Y%m%d}" for back in range(60)]
_STATUSES = "VVVVVVVVVUF"
_MAKERS = ("E10", "K12", "L81", "S95", "QA ")
_REASONS = ("03", "05", "11", "22", "27")
_TYPES = "RRRRRRRRRRRRCCPS"
# Odd and no multiple of five, so that multiplying by it reorders the ten-digit numbers.
_STEP = 7_142_857_139
_NUMBERS = 10**10
_LINES = 4096
# Shares of the MPANs: so that there are about seven for ten readings.
_TWO_READINGS = 0.43
_EXCHANGES = 0.05
# Shares of the lines that may have something unusual below them.
_SUSPECT = 0.02
_RARE = 0.005


def write_sample(
    stream: BinaryIO, *, readings: int, seed: int = 1, distributor: str = "99"
) -> None:
    """Write a valid D0010 file of so many readings, with every group in it, in constant memory."""
    file_id = f"QT{crc32(f'{readings} {seed} {distributor}'.encode()) % 10**8:08}"
    stream.write(f"ZHV|{file_id}|D0010002|D|QDCA|X|QSUP|{_CREATED}||||OPER|\n".encode())
    groups = roots = 0
    lines: list[str] = []
    for tree in _trees(readings, random.Random(seed), distributor):  # noqa: S311 - No secret.
        roots += 1
        groups += len(tree)
        lines += tree
        if len(lines) >= _LINES:
            stream.write("".join(lines).encode())
            lines.clear()
    lines.append(f"ZPT|{file_id}|{groups}||{roots}|{_COMPLETED}|\n")
    stream.write("".join(lines).encode())


def _trees(readings: int, chance: random.Random, distributor: str) -> Iterator[list[str]]:
    """Yield the lines of one MPAN after another; the first has every group."""
    number = chance.randrange(_NUMBERS)
    is_first = True
    while readings > 0:
        number = (number + _STEP) % _NUMBERS
        shape = chance.random()
        lines = [f"026|{_mpan(f'{distributor}{number:010}')}|{chance.choice(_STATUSES)}|\n"]
        if is_first or chance.random() < _RARE:
            lines.append("027|10|Meter changed on site|\n")
        count = 2 if shape < _TWO_READINGS and readings > 1 else 1
        if count > 1 and shape < _EXCHANGES:
            lines += _meter(chance, "F", ("S",), has_all=is_first)
            lines += _meter(chance, "I", ("S",))
        else:
            registers = ("DY", "NT") if count > 1 else ("S",)
            lines += _meter(chance, chance.choice(_TYPES), registers, has_all=is_first)
        yield lines
        readings -= count
        is_first = False


def _meter(
    chance: random.Random, reading_type: str, registers: tuple[str, ...], *, has_all: bool = False
) -> Iterator[str]:
    maker = chance.choice(_MAKERS)
    yield f"028|{maker}{chance.randrange(10**7):07}|{reading_type}|\n"
    if has_all or chance.random() < _RARE:
        yield "029|06|Seal replaced|\n"
    time = f"{chance.randrange(8, 18):02}{chance.randrange(60):02}00"
    instant = chance.choice(_DAYS) + (time if reading_type == "S" else "000000")
    for register in registers:
        tenths = chance.randrange(10**6)
        value = f"{tenths // 10:05}.{tenths % 10}"
        is_suspect = has_all or chance.random() < _SUSPECT
        reset = f"{instant}|1" if chance.random() < _RARE else "|"
        flag, method = "F" if is_suspect else "T", chance.choice("NP")
        yield f"030|{register}|{instant}|{value}|{reset}|{flag}|{method}|\n"
        if is_suspect:
            yield f"032|{chance.choice(_REASONS)}|{chance.choice('TF')}|\n"
        if has_all or chance.random() < _RARE:
            yield "033|15|Dial stopped|\n"


def _mpan(stem: str) -> str:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, stem, strict=True))
    return f"{stem}{total % 11 % 10}"
