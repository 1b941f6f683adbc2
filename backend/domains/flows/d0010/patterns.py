"""The pattern of a reading about which nothing is to be said."""

import re

from backend.domains.flows.d0010.codes import (
    BSC_STATUSES,
    READING_METHODS,
    READING_TYPES,
    REASONS,
)
from backend.domains.flows.d0010.tables import Flow, Role

# The old supplier's estimate belongs to other flows.
_TYPES = "".join(code for code in READING_TYPES if code != "O")


def reading_pattern(flow: Flow) -> re.Pattern[str]:
    """Return a pattern that takes one reading, or else one line, at a time.

    Its groups are the text of the whole match, then MPAN, BSC status, serial, type, register,
    instant, value, flag, method, reason and status; a line that is no such reading fills the first
    group alone. A reading brings the MPAN and meter above it when they come right before, and is
    taken only when the next line opens a group, since what else may follow has to find it.

    Characters that COPY would have escaped are not in it. Prefixes 77 and 78 are asset ids.
    """
    mpan, meter = flow.code(Role.MPAN), flow.code(Role.METER)
    register, result = flow.code(Role.REGISTER), flow.code(Role.RESULT)
    return re.compile(
        "("
        rf"(?:(?:{mpan}\|((?!7[78])[0-9]{{13}})\|([{''.join(BSC_STATUSES)}])\|\n)?"
        rf"{meter}\|(?! +\|)([ -\[\]-{{}}~]{{1,10}})\|([{_TYPES}])\|\n)?"
        rf"{register}\|([0-9A-Za-z]{{1,2}})\|([0-9]{{14}})\|([0-9]{{1,8}}(?:\.[0-9])?)\|\|\|"
        rf"([TF]?)\|([{''.join(READING_METHODS)}])\|\n"
        rf"(?:{result}\|({'|'.join(REASONS)})\|([TF])\|\n)?"
        rf"(?={mpan}\||{meter}\||{register}\|)"
        r"|[^\n]+\n?|\n)"
    )
