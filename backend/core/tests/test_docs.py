import pytest

from backend.core import docs


@pytest.fixture
def page(client):
    return client.get("/docs/").text


def test_every_operation_of_the_document_is_on_the_page(client, page):
    document = client.get("/api/openapi.json").json
    operations = [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method in docs.METHODS
    ]
    assert len(operations) > 10
    for method, path in operations:
        assert f">{method}</span><code>{path}</code>" in page


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(page):
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script src="/static/docs.') == 1


def test_the_operators_of_a_field_are_one_line():
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "format": "date"}}
        for name in ("date", "date[gte]", "date[lt]", "having[count][gt]", "having[sum][gt]")
    ]
    openapi = {"paths": {"/x": {"get": {"parameters": parameters, "tags": ["x"]}}}}
    (section,) = docs.read(openapi)
    lines = [(each.name, each.operators) for each in section.operations[0].parameters]
    assert lines == [("date", ["eq", "gte", "lt"]), ("having[…]", ["gt"])]


def test_an_example_body_is_made_of_what_is_required():
    openapi = {"components": {"schemas": {"Inner": {"type": "string", "enum": ["a", "b"]}}}}
    schema = {
        "type": "object",
        "required": ["one", "list"],
        "properties": {
            "one": {"$ref": "#/components/schemas/Inner"},
            "list": {"type": "array", "items": {"type": "integer", "minimum": 3}},
            "two": {"type": "string"},
        },
    }
    assert docs.sample(openapi, schema) == {"one": "a", "list": [3]}


def test_descriptions_are_text_and_never_markup():
    assert docs.prose("a `b` <i>\n\nc") == "<p>a <code>b</code> &lt;i&gt;</p><p>c</p>"
