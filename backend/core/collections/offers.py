"""Collections that need no views of their own get their addresses from one blueprint."""

from collections.abc import Mapping

from backend.core.auth import ApiBlueprint
from backend.core.collections.declaration import Collection
from backend.core.collections.routes import mount


def offering(
    name: str, *, role: str, offered: Mapping[str, Collection], description: str
) -> ApiBlueprint:
    """Return a blueprint with each collection at its path, for those with the role."""
    blueprint = ApiBlueprint(name, __name__, role=role, description=description)
    for path, collection in offered.items():
        mount(blueprint, collection, path)
    return blueprint
