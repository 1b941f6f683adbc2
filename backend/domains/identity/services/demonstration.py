"""The people of a person's own machine, with whom everything can be tried."""

from backend.domains.identity.models import User
from backend.domains.identity.services import people

DOMAIN = "quintet.test"
# Rights at a bank come with the domain that knows banks.
PEOPLE = {
    "staff": ("Sam Staff", ["staff"]),
    "ada": ("Ada Member", []),
    "north": ("Nora North", []),
    "south": ("Saul South", []),
    "both": ("Bo Both", []),
    "underwriter": ("Uma Underwriter", ["underwriter"]),
}


def create(*, password: str) -> list[User]:
    """Create the demonstration people who are missing, and return those."""
    created = []
    for local_part, (name, roles) in PEOPLE.items():
        email = f"{local_part}@{DOMAIN}"
        if people.find(email=email) is None:
            user = people.create(
                email=email, name=name, roles=roles, password=password, actor_id=None
            )
            created.append(user)
    return created
