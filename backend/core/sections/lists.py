"""A list drawn: the form, the table or the mistakes, and the call that gives the same."""

from dataclasses import dataclass

from flask import request, url_for

from backend.core.collections.problems import InvalidQuery
from backend.core.collections.registry import is_public
from backend.core.config import current_settings
from backend.core.sections import forms, groups, tables
from backend.core.sections.asking import Asked, mistakes
from backend.core.sections.cells import sections
from backend.core.sections.declaration import Pairs, Section
from backend.core.sections.tables import Offers, Table

OK = 200


@dataclass(frozen=True)
class List:
    """What a template draws; without a table something is `wrong` with what was asked."""

    asked: Asked
    form: forms.Form
    table: Table | None
    wrong: list[str]
    status: int

    @property
    def groupings(self) -> list[tuple[str, list[tuple[str, str, bool]]]]:
        """Return the ways to group it."""
        return groups.groupings(self.asked)

    @property
    def is_filtered(self) -> bool:
        """Whether something else might be there without the filters."""
        return bool(self.asked.filters()) and not self.is_start

    @property
    def is_start(self) -> bool:
        """Whether it is what the section shows when nothing is asked for."""
        return self.asked.pairs == list(self.asked.section.start)

    @property
    def is_public(self) -> bool:
        """Whether the API gives the same to everybody."""
        return is_public(self.asked.section.collection)

    @property
    def call(self) -> str:
        """Return the command that gives the same, or nothing where the API has none of it."""
        path = self.table.called.api() if self.table else ""
        token = "" if self.is_public else ' \\\n  -H "Authorization: Bearer $TOKEN"'
        return f"curl --globoff '{current_settings().public_url}{path}'{token}" if path else ""


def draw(asked: Asked, offers: Offers = lambda _: []) -> List:
    """Return the list that is asked for, or what is wrong with what was asked."""
    try:
        table = groups.table(asked) if asked.by else tables.table(asked, offers)
    except InvalidQuery as refused:
        at_fields, elsewhere = mistakes(forms.names(asked.section), refused.errors)
        return List(asked, forms.form(asked, at_fields), None, elsewhere, refused.status)
    return List(asked, forms.form(asked, {}), table, [], OK)


def part(section: Section, *, fixed: Pairs, anchor: str) -> List:
    """Return a list that stands at an anchor of the page that is asked for, with fixed filters."""
    _, blueprint = sections()[section.collection.name]
    asked = Asked.of(
        request.query_string,
        section=section,
        path=request.path,
        file=url_for(f"{blueprint}.export_{section.name}"),
        fixed=fixed,
        anchor=f"#{anchor}",
    )
    return draw(asked)
