"""People as they are declared once; the API and the console follow from this."""

from sqlalchemy import case, func, select

from backend.core.collections import Col, Collection, Enum, Limits, Text, Timestamp, Uuid
from backend.core.collections.offers import offering
from backend.core.collections.scopes import only
from backend.domains.identity.models import User
from backend.domains.identity.services.people import LONGEST_NAME

LONGEST_ADDRESS = 254
STATES = ("enabled", "invited", "disabled")

_state = case(
    (User.is_disabled, "disabled"), (User.password_hash.is_(None), "invited"), else_="enabled"
)
_people = select(
    User.id,
    User.email,
    User.name,
    _state.label("state"),
    func.array_to_string(User.roles, ", ").label("roles"),
    User.created_at,
    User.tokens_valid_after,
).subquery("person")

people = Collection(
    "people",
    model=_people,
    description="Who may sign in, and in which roles.",
    default_sort="email",
    scope=only("staff"),
    # One key at a time, so that a long address still fits a cursor.
    limits=Limits(sort_keys=1),
    columns=[
        Col("id", Uuid(), nullable=False),
        Col(
            "email",
            Text(LONGEST_ADDRESS, example="ada@example.com"),
            title="E-mail address",
            sortable=True,
            nullable=False,
        ),
        Col("name", Text(LONGEST_NAME, example="Ada Lovelace"), sortable=True, nullable=False),
        Col(
            "state",
            Enum(STATES),
            description="Invited people have not chosen a password yet.",
            sortable=True,
            groupable=True,
            nullable=False,
        ),
        Col("roles", Text(example="staff"), description="Joined by commas.", nullable=False),
        Col("created_at", Timestamp(), title="Created", sortable=True, nullable=False),
        Col(
            "tokens_valid_after",
            Timestamp(),
            title="Signed out everywhere",
            description="When the person was last signed out everywhere.",
        ),
    ],
)

blueprint = offering(
    "identity_collections", tag="identity", role="staff", offered={"/people": people}
)
