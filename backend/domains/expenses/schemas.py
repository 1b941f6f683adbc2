"""What an upload of expenses takes and answers."""

import marshmallow as ma

CHOICE = ma.validate.OneOf(("true", "false"))


class ExpenseImportOptionsSchema(ma.Schema):
    """What is done with bad rows, and with rows that the file no longer has."""

    is_partial = ma.fields.String(
        data_key="partial",
        load_default="false",
        validate=CHOICE,
        metadata={"description": "`true` imports the good rows of a file that has bad ones."},
    )
    removes_gone = ma.fields.String(
        data_key="remove_gone",
        load_default="false",
        validate=CHOICE,
        metadata={"description": "`true` removes the rows that are not in the file."},
    )


class ExpenseFindingSchema(ma.Schema):
    """Something wrong or odd in the file."""

    line = ma.fields.Integer(required=True, metadata={"description": "physical line, from 1"})
    column = ma.fields.String(metadata={"description": "the column's name"})
    column_number = ma.fields.Integer(metadata={"description": "from 1"})
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)
    text = ma.fields.String(metadata={"description": "what the file says, shortened"})
    suggestion = ma.fields.String()


class ExpenseImportSchema(ma.Schema):
    """What came of a file, in rows. An edited row counts as one gone and one inserted."""

    read = ma.fields.Integer(required=True)
    inserted = ma.fields.Integer(required=True)
    unchanged = ma.fields.Integer(required=True)
    gone = ma.fields.Integer(
        required=True, metadata={"description": "rows stored earlier that the file has not"}
    )
    removed = ma.fields.Integer(required=True)
    bad = ma.fields.Integer(required=True)
    errors = ma.fields.List(ma.fields.Nested(ExpenseFindingSchema), required=True)
    warnings = ma.fields.List(ma.fields.Nested(ExpenseFindingSchema), required=True)


class ExpenseImportAnswerSchema(ma.Schema):
    """The report of an import; of its lists at most the first thousand entries."""

    data = ma.fields.Nested(ExpenseImportSchema, required=True)
