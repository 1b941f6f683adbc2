"""What the documents of all operations say alike: who may call one, and how it may be refused."""

from http import HTTPStatus
from typing import Any

from apispec import BasePlugin
from flask import Flask
from werkzeug.routing import Rule

from backend.core.auth import ApiBlueprint
from backend.core.auth.blueprints import is_open, role_for
from backend.core.limits import READING

TOKEN = {"accessToken": list[str]()}
OPTIONAL = [{}, TOKEN]
BODY = (HTTPStatus.BAD_REQUEST, HTTPStatus.LENGTH_REQUIRED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

Operation = dict[str, Any]


class Operations(BasePlugin):
    """Completes each operation from the door that it stands at, which is also what guards it."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def operation_helper(
        self,
        path: str | None = None,  # noqa: ARG002  the parent's signature
        operations: dict[str, Operation] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add tag, security and refusals; what an operation says of itself stands."""
        rule: Rule = kwargs["rule"]
        view = self.app.view_functions[rule.endpoint]
        blueprint = self.app.blueprints[rule.endpoint.rpartition(".")[0]]
        for method, operation in (operations or {}).items():
            statuses = [HTTPStatus.SERVICE_UNAVAILABLE]
            if isinstance(blueprint, ApiBlueprint):
                operation["tags"] = [blueprint.tag]
                statuses += self._guard(operation, blueprint, view)
            if rule.arguments:
                statuses.append(HTTPStatus.NOT_FOUND)
            if "requestBody" in operation:
                statuses += BODY
            if method.upper() not in READING and not getattr(view, "only_reads", False):
                statuses.append(HTTPStatus.TOO_MANY_REQUESTS)
            _add(operation, statuses)

    def _guard(self, operation: Operation, blueprint: ApiBlueprint, view: Any) -> list[HTTPStatus]:
        """Say who may call the operation, and return how others are refused."""
        with self.app.app_context():
            if is_open(blueprint, view):
                # Where everybody may enter, a token does no harm.
                operation.setdefault("security", OPTIONAL)
                return []
        refused = [HTTPStatus.UNAUTHORIZED]
        return refused + ([HTTPStatus.FORBIDDEN] if role_for(blueprint, view) else [])


def _add(operation: Operation, statuses: list[HTTPStatus]) -> None:
    responses: dict[Any, Any] = operation.setdefault("responses", {})
    named = {int(each) for each in responses}
    responses.update({int(each): each.name for each in statuses if each not in named})
