"""The pages of a section: its list, the list as a file, a record, and what is done with it."""

from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.core import collections
from backend.core.auth import Identity, current_identity, may_enter, required_identity
from backend.core.collections.doors import Doors
from backend.core.database import db
from backend.core.errors import DomainError, Invalid
from backend.core.sections import lists
from backend.core.sections.asking import MOMENTS, Asked, mistakes
from backend.core.sections.cells import cells, record_address, sections, written
from backend.core.sections.declaration import Action, Record, Section, Values

CONSOLE = ("Staff console", "/admin/")


class Views:
    """The views of one section; each translates, and calls one."""

    def __init__(self, section: Section, blueprint: str) -> None:
        self.section = section
        self.blueprint = blueprint

    def show_list(self) -> tuple[str, int]:
        """Show a page of the list, or what is wrong with what was asked."""
        section, identity = self.section, current_identity()
        drawn = lists.draw(
            self._asked(), lambda record: self._offers(record, identity, in_list=True)
        )
        page = render_template(
            section.template,
            section=section,
            list=drawn,
            parents=self._parents(),
            buttons=[(label, url_for(endpoint)) for label, endpoint in section.buttons],
            **section.context(),
        )
        return page, drawn.status

    def export(self) -> Response:
        """Send the whole list, filtered and sorted as its page is, as a file."""
        asked = self._asked()
        if "format" not in request.args:
            return redirect(asked.download())
        doors = Doors(self.section.collection)
        return doors.aggregates() if asked.by else doors.list()

    def show(self, key: str) -> str:
        """Show one record with all that is known of it, and what can be done."""
        return self._record_page(key, self._record(key), {}, [])

    def act(self, action: Action, key: str) -> Response | tuple[str, int]:
        """Do what the form of an action asks for."""
        record, value = self._record(key), self._key(key)
        try:
            action.call(value, required_identity(), _values(action))
        except Invalid as refused:
            db.session.rollback()
            if not action.inputs:
                raise
            at_fields, elsewhere = mistakes({each.name for each in action.inputs}, refused.errors)
            wrong = elsewhere or ([] if at_fields else [str(refused)])
            page = self._record_page(key, record, at_fields, wrong, tried=(action.name,))
            return page, refused.status
        flash(action.done, "good")
        shown = record_address(self.section.collection.name, record[self.section.collection.key])
        return redirect(self._address() if action.to_list else shown or self._address())

    def _asked(self) -> Asked:
        file = url_for(f"{self.blueprint}.export_{self.section.name}")
        return Asked.of(request.query_string, section=self.section, path=self._address(), file=file)

    def _address(self) -> str:
        return url_for(f"{self.blueprint}.show_{self.section.name}")

    def _parents(self) -> list[tuple[str, str]]:
        return [CONSOLE] if self._address().startswith(CONSOLE[1]) else []

    def _record(self, key: str) -> dict[str, Any]:
        return collections.read_one(self.section.collection, key)

    def _key(self, key: str) -> Any:
        return Doors(self.section.collection).key(key)

    def _offers(
        self, record: Record, identity: Identity | None, *, in_list: bool = False
    ) -> list[tuple[Action, str]]:
        """Return what the person can do with the record, and the address for it."""
        collection = self.section.collection
        if identity is None or len(record) < len(collection.columns):
            return []  # What is not shown of a record might decide.
        key = record[collection.key]
        return [
            (each, url_for(f"{self.blueprint}.{each.name}_{self.section.singular}", key=key))
            for each in self.section.actions
            if (each.in_list or not in_list) and each.offered(record, identity)
        ]

    def _record_page(
        self,
        key: str,
        record: Record,
        errors: dict[str, list[str]],
        wrong: list[str],
        tried: tuple[str, ...] = (),
    ) -> str:
        section = self.section
        return render_template(
            "sections/record.html",
            section=section,
            list_address=self._address(),
            parents=self._parents(),
            heading=_named(section, record),
            cells=cells(section, record, section.collection.columns),
            more=section.more(self._key(key)),
            related=_related(section, record),
            actions=self._offers(record, current_identity()),
            record=record,
            given=request.form,
            errors=errors,
            wrong=wrong,
            tried=tried,
        )


def _named(section: Section, record: Record) -> str:
    """Return what the record is called; a day alone would name none."""
    column = section.collection.columns[section.main]
    name = written(section, column, record[section.main], record)
    return f"{section.singular.capitalize()} of {name}" if column.type.name in MOMENTS else name


def _related(section: Section, record: Record) -> list[tuple[str, str]]:
    """Return the lists of what refers to the record, of those that the caller may read."""
    found = []
    key = str(record[section.collection.key])
    for other, blueprint in sections().values():
        columns = other.collection.columns.values()
        refers = [each for each in columns if each.declared.links_to == section.collection.name]
        if not refers or not may_enter(current_app.blueprints[blueprint]):  # type: ignore[arg-type]  # sections are of page blueprints
            continue
        try:
            other.collection.scope()
        except DomainError:
            continue
        for each in refers:
            path = url_for(f"{blueprint}.show_{other.name}")
            address = collections.link(path, {each.name: key})
            found.append((f"{other.collection.title} ({each.declared.label})", address))
    return found


def _values(action: Action) -> Values:
    """Return what the form says of the declared inputs, and nothing else that it may hold."""
    values: Values = {}
    for each in action.inputs:
        if each.kind == "choices":
            values[each.name] = request.form.getlist(each.name)
        elif each.kind == "check":
            values[each.name] = bool(request.form.get(each.name))
        else:
            values[each.name] = request.form.get(each.name, "")
    return values
