"""Who may read a collection at all, where its rows are the same for all who may."""

from collections.abc import Callable

from backend.core.auth import required_identity
from backend.core.auth.blueprints import RoleMissing
from backend.core.collections.declaration import Scope


def only(role: str) -> Callable[[], Scope]:
    """Return the scope of a collection that nobody reads without the role.

    The blueprint asks the same at the door; this holds wherever else the collection is read.
    """

    def scope() -> Scope:
        if not required_identity().has(role):
            raise RoleMissing(f"It needs the role “{role}”.")
        return Scope(role)

    return scope
