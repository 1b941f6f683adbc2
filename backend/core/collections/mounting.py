"""Put a collection's views under its blueprint's address, with their documents."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response
from flask.sansio.blueprints import BlueprintSetupState
from flask_smorest import Blueprint

from backend.core.collections.declaration import Collection
from backend.core.collections.document_parameters import ZONE, zone_schema
from backend.core.collections.document_search import filter_schemas
from backend.core.collections.registry import register

View = Callable[..., Response]


class Mounting:
    """Adds rules below a path. Flask itself would put a slash before `:search`."""

    def __init__(self, blueprint: Blueprint, collection: Collection, path: str) -> None:
        self.blueprint = blueprint
        self.collection = collection
        self.path = path.rstrip("/")
        blueprint.record(self._remember)

    def _remember(self, state: BlueprintSetupState) -> None:
        self.collection.path = (state.url_prefix or "").rstrip("/") + self.path
        register(state.app, self.collection, self.blueprint)
        api = state.app.extensions["flask-smorest"]["blp_name_to_api"][state.name]
        components = api.spec.components
        for name, schema in filter_schemas(self.collection).items():
            components.schema(name, schema)
        if ZONE not in components.schemas:
            components.schema(ZONE, zone_schema())

    def __call__(
        self,
        suffix: str,
        endpoint: str,
        view: View,
        operation: dict[str, Any] | None,
        methods: tuple[str, ...] = ("GET",),
    ) -> None:
        """Add one rule; without an operation it stays out of the document."""
        called = documented(view, operation)

        def add(state: BlueprintSetupState) -> None:
            state.app.add_url_rule(
                (state.url_prefix or "").rstrip("/") + self.path + suffix,
                f"{state.name_prefix}.{state.name}.{endpoint}".lstrip("."),
                called,
                methods=list(methods),
                defaults={},
            )

        self.blueprint.record(add)
        if operation is not None:
            # What `add_url_rule` of flask-smorest does beside adding the rule.
            self.blueprint._store_endpoint_docs(  # noqa: SLF001
                endpoint, called, None, None, methods=list(methods)
            )


def documented(view: View, operation: dict[str, Any] | None) -> View:
    """Return the view as a function of its own that carries its document."""

    @wraps(view)
    def called(**arguments: Any) -> Response:
        return view(**arguments)

    called._apidoc = {"manual_doc": operation or {}}  # type: ignore[attr-defined]  # noqa: SLF001  flask-smorest's place
    return called
