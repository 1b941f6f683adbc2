"""Collections that need no views of their own get their addresses from one blueprint."""

from collections.abc import Mapping

from backend.core.auth import ApiBlueprint
from backend.core.collections.declaration import Collection
from backend.core.collections.routes import mount


def offering(
    name: str, *, role: str, offered: Mapping[str, Collection], description: str = "", tag: str = ""
) -> ApiBlueprint:
    """Return a blueprint with each collection at its path, for those with the role.

    `tag` names the domain whose routes stand in the same part of the document.
    """
    blueprint = ApiBlueprint(name, __name__, role=role, description=description, tag=tag)
    for path, collection in offered.items():
        mount(blueprint, collection, path)
    return blueprint
