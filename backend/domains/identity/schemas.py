"""What the API takes and gives when somebody signs in."""

from marshmallow import Schema, fields
from marshmallow.validate import Length

from backend.domains.identity import passwords


class SignInSchema(Schema):
    """An e-mail address and its password."""

    email = fields.String(required=True, validate=Length(max=1000))
    password = fields.String(required=True, validate=Length(max=passwords.LONGEST), load_only=True)
    remember = fields.Boolean(
        load_default=False,
        metadata={
            "description": "for the browser: the refresh token goes into a cookie that no script"
            " reads, instead of the body"
        },
    )


class RefreshSchema(Schema):
    """A refresh token, unless the cookie has it."""

    refresh_token = fields.String(
        metadata={"description": "left out by the browser, whose cookie has it"}
    )


class TokensSchema(Schema):
    """A pair of tokens."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(metadata={"description": "missing when a cookie has it"})
    expires_in = fields.Integer(
        required=True, metadata={"description": "seconds that the access token holds"}
    )


class TokensAnswerSchema(Schema):
    """The answer with a pair of tokens."""

    data = fields.Nested(TokensSchema, required=True)


class MeSchema(Schema):
    """The person whom the access token proves."""

    id = fields.UUID(required=True, attribute="user_id")
    email = fields.String(required=True)
    name = fields.String(required=True)
    roles = fields.Function(
        lambda identity: sorted(identity.roles),
        metadata={"type": "array", "items": {"type": "string"}},
    )


class MeAnswerSchema(Schema):
    """The answer with the person."""

    data = fields.Nested(MeSchema, required=True)
