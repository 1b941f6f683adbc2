"""The pages of a section: its list, the list as a file, a record, and what is done with it."""

from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.core import collections
from backend.core.auth import may_enter, required_identity
from backend.core.collections.doors import Doors
from backend.core.collections.problems import InvalidQuery
from backend.core.console import forms
from backend.core.console.asking import Asked, mistakes
from backend.core.console.cells import cells, record_address, sections, written
from backend.core.console.declaration import Action, Record, Section, Values
from backend.core.database import db
from backend.core.errors import DomainError, Invalid

FIGURES = {"integer", "decimal", "money", "date", "timestamp", "local timestamp"}


class Views:
    """The views of one section; each translates, and calls one."""

    def __init__(self, section: Section, blueprint: str) -> None:
        self.section = section
        self.blueprint = blueprint

    def show_list(self) -> tuple[str, int]:
        """Show a page of the list, or what is wrong with what was asked."""
        asked = self._asked()
        try:
            found = collections.read(self.section.collection, asked.pairs)
        except InvalidQuery as refused:
            at_fields, elsewhere = mistakes(forms.names(self.section), refused.errors)
            return self._list_page(asked, at_fields, wrong=elsewhere), refused.status
        identity = required_identity()
        rows = [self._row(record, identity) for record in found.rows]
        page = self._list_page(
            asked,
            {},
            found=found,
            rows=rows,
            has_buttons=any(row["actions"] for row in rows),
            headings=self._headings(asked, found),
            chips=asked.chips(found.query.conditions),
            previous=asked.link(cursor=found.prev, page=None) if found.prev else None,
            following=asked.link(cursor=found.next, page=None) if found.next else None,
        )
        return page, 200

    def export(self) -> Response:
        """Send the whole list, filtered and sorted as its page is, as a file."""
        if "format" not in request.args:
            return redirect(self._asked().download())
        return Doors(self.section.collection).list()

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
            at_fields, elsewhere = _marked(action, refused)
            page = self._record_page(key, record, at_fields, elsewhere, tried=(action.name,))
            return page, refused.status
        flash(action.done, "good")
        shown = record_address(self.section.collection.name, record[self.section.collection.key])
        return redirect(self._address() if action.to_list else shown or self._address())

    def _asked(self) -> Asked:
        return Asked.of(self.section, self._address(), request.query_string)

    def _address(self) -> str:
        return url_for(f"{self.blueprint}.show_{self.section.name}")

    def _record(self, key: str) -> dict[str, Any]:
        return collections.read_one(self.section.collection, key)

    def _key(self, key: str) -> Any:
        return Doors(self.section.collection).key(key)

    def _list_page(
        self, asked: Asked, errors: dict[str, list[str]], *, found: Any = None, **shown: Any
    ) -> str:
        section = self.section
        return render_template(
            section.template,
            section=section,
            asked=asked,
            form=forms.form(asked, errors),
            found=found,
            buttons=[(label, url_for(endpoint)) for label, endpoint in section.buttons],
            **section.context(),
            **shown,
        )

    def _headings(self, asked: Asked, found: collections.Page) -> list[dict[str, Any]]:
        current = {key.column.name: key.descending for key in found.query.sort[:1]}
        known = {each.name: each for each in collections.headings(self.section.collection)}
        return [_heading(asked, current, known[name]) for name in self.section.shown]

    def _row(self, record: Record, identity: Any) -> dict[str, Any]:
        offered = [
            (each, self._action_address(each, record))
            for each in self.section.actions
            if each.in_list and each.offered(record, identity)
        ]
        return {"cells": cells(self.section, record, self.section.shown), "actions": offered}

    def _action_address(self, action: Action, record: Record) -> str:
        endpoint = f"{self.blueprint}.{action.name}_{self.section.singular}"
        return url_for(endpoint, key=record[self.section.collection.key])

    def _record_page(
        self,
        key: str,
        record: Record,
        errors: dict[str, list[str]],
        wrong: list[str],
        tried: tuple[str, ...] = (),
    ) -> str:
        section, identity = self.section, required_identity()
        collection = section.collection
        main = collection.columns[section.main]
        return render_template(
            "console/record.html",
            section=section,
            list_address=self._address(),
            heading=written(section, main, record[section.main]),
            cells=cells(section, record, tuple(collection.columns)),
            more=section.more(self._key(key)),
            related=_related(section, record),
            actions=[
                (each, self._action_address(each, record))
                for each in section.actions
                if each.offered(record, identity)
            ],
            record=record,
            given=request.form,
            errors=errors,
            wrong=wrong,
            tried=tried,
        )


def _heading(asked: Asked, current: dict[str, bool], each: collections.Heading) -> dict[str, Any]:
    is_figure = each.type in FIGURES
    descending = not current[each.name] if each.name in current else is_figure
    sort = f"-{each.name}" if descending else each.name
    order = "descending" if current.get(each.name) else "ascending"
    return {
        "label": each.label,
        "kind": "number" if each.type in {"integer", "decimal", "money"} else "",
        "href": asked.link(sort=sort, order=None) if each.sortable else None,
        "sorted": order if each.name in current else None,
    }


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


def _marked(action: Action, refused: Invalid) -> tuple[dict[str, list[str]], list[str]]:
    known = {each.name for each in action.inputs}
    at_fields: dict[str, list[str]] = {}
    elsewhere = []
    for each in refused.errors:
        name = str(each.get("pointer", "")).strip("/").partition("/")[0]
        words = str(each["detail"])
        if name in known:
            at_fields.setdefault(name, []).append(words)
        else:
            elsewhere.append(words)
    return at_fields, elsewhere or ([] if at_fields else [str(refused)])
