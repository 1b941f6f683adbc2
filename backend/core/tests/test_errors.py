from errno import ENOSPC

import marshmallow as ma
import pytest
from flask import abort
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from backend.app import create_app
from backend.core import errors
from backend.core.api import Api
from backend.core.auth import ApiBlueprint
from backend.core.database import db

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class TeapotEmpty(errors.Conflict):
    """The teapot is empty. Fill it first."""


class Cup(ma.Schema):
    sugar = ma.fields.Integer(required=True)
    label = ma.fields.String()


class Tray(ma.Schema):
    cups = ma.fields.List(ma.fields.Nested(Cup), required=True)


class Order(ma.Schema):
    size = ma.fields.Integer()


kettle_blueprint = ApiBlueprint("kettle", __name__, public=True)


@kettle_blueprint.post("/trays")
@kettle_blueprint.arguments(Tray)
def fill_tray(tray):
    return tray


@kettle_blueprint.get("/trays")
@kettle_blueprint.arguments(Order, location="query")
def list_trays(order):
    return order


@kettle_blueprint.get("/pot")
def pour():
    raise TeapotEmpty("Pot 7 is empty.", errors=[{"pointer": "/pot", "code": "empty"}], pot=7)


@kettle_blueprint.get("/bugs/<kind>")
def break_down(kind):
    raise {
        "bug": ZeroDivisionError("secret of the house"),
        "lost": OperationalError("select secret", {}, Exception("secret")),
        "busy": PoolTimeoutError("secret"),
        "full": OSError(ENOSPC, "secret"),
        "teapot": errors.Unavailable(),
    }[kind]


@kettle_blueprint.get("/statuses/<int:status>")
def stop(status):
    abort(status)


@pytest.fixture(scope="module")
def kettle_app():
    app = create_app(database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    titles = {"title": "Kettle", "version": "1", "openapi_version": "3.1.0"}
    api = Api(app, config_prefix="KETTLE", spec_kwargs=titles)
    api.register_blueprint(kettle_blueprint, url_prefix="/api/kettle")
    return app


@pytest.fixture
def kettle(kettle_app):
    return kettle_app.test_client()


def test_an_error_becomes_a_problem_with_everything_it_was_raised_with(kettle):
    response = kettle.get("/api/kettle/pot", headers={"X-Request-ID": "r1"})
    assert response.status_code == 409
    assert response.mimetype == "application/problem+json"
    assert response.json == {
        "type": "/problems/teapot-empty",
        "title": "The teapot is empty",
        "status": 409,
        "detail": "Pot 7 is empty.",
        "instance": "/requests/r1",
        "errors": [{"pointer": "/pot", "code": "empty"}],
        "pot": 7,
    }


@pytest.mark.parametrize("address", ["/nowhere", "/api/nowhere"])
def test_an_unknown_address_is_a_problem(kettle, address):
    response = kettle.get(address)
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    assert response.json["type"] == "/problems/not-found"
    assert response.json["detail"] == f"There is nothing at {address}."


def test_a_problem_without_words_of_its_own_says_what_to_do(kettle, kettle_app):
    response = kettle.get("/api/kettle/bugs/teapot")
    assert response.json["detail"] == (
        "The service cannot answer just now. Nothing was changed; repeat the request in a while."
    )
    with kettle_app.test_request_context(headers=BROWSER):
        page = errors.answer(errors.Unavailable()).get_data(as_text=True)
    assert ">The service cannot answer just now</h1>" in page
    assert ">Nothing was changed; repeat the request in a while.</p>" in page


def test_a_browser_gets_the_same_problem_as_a_page(kettle):
    response = kettle.get("/<b>nowhere</b>", headers=BROWSER | {"X-Request-ID": "r2"})
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "/&lt;b&gt;nowhere" in response.text
    assert "r2" in response.text


def test_the_api_answers_a_browser_in_json(kettle):
    response = kettle.get("/api/nowhere", headers=BROWSER)
    assert response.mimetype == "application/problem+json"


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(kettle):
    response = kettle.delete("/api/kettle/trays")
    assert (response.status_code, response.json["type"]) == (405, "/problems/method-not-allowed")
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"cups": NaN}',
        b'{"cups": Infinity}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"cups": "\\u0000"}',
        b'{"cups": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_json_we_could_keep_is_a_problem(kettle, body):
    response = kettle.post("/api/kettle/trays", data=body, content_type="application/json")
    assert (response.status_code, response.json["type"]) == (400, "/problems/malformed")


def test_broken_json_is_answered_with_the_place_where_reading_stopped(kettle):
    response = kettle.post(
        "/api/kettle/trays", data='{"cups":\n  [}', content_type="application/json"
    )
    assert response.json["detail"].endswith("line 2, column 4.")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_kind_is_a_problem_that_names_the_header(kettle, kind):
    response = kettle.post("/api/kettle/trays", data='{"cups": []}', content_type=kind)
    assert (response.status_code, response.json["type"]) == (
        415,
        "/problems/unsupported-media-type",
    )
    assert response.json["errors"][0]["header"] == "Content-Type"


def test_every_mistake_in_a_body_is_named_by_its_pointer(kettle):
    body = {"cups": [{"sugar": 1}, {"sugar": "much", "label": None}, {}], "a/b~c": 1}
    response = kettle.post("/api/kettle/trays", json=body)
    assert (response.status_code, response.json["type"]) == (422, "/problems/invalid")
    found = {each["pointer"]: each["code"] for each in response.json["errors"]}
    assert found == {
        "/cups/1/sugar": "invalid-value",
        "/cups/1/label": "null",
        "/cups/2/sugar": "missing",
        "/a~1b~0c": "unknown",
    }


def test_an_empty_body_lacks_what_is_required(kettle):
    response = kettle.post("/api/kettle/trays")
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == "/cups"


def test_a_body_that_is_no_object_is_named_as_a_whole(kettle):
    response = kettle.post("/api/kettle/trays", json=[1])
    assert response.json["errors"][0]["pointer"] == ""


def test_a_mistake_in_the_query_is_named_by_its_parameter(kettle):
    response = kettle.get("/api/kettle/trays?size=big")
    assert (response.status_code, response.json["type"]) == (400, "/problems/malformed")
    assert response.json["errors"][0] == {
        "parameter": "size",
        "code": "invalid-value",
        "detail": "Not a valid integer.",
    }


def test_what_is_our_own_fault_says_nothing_but_the_id(kettle):
    response = kettle.get("/api/kettle/bugs/bug", headers={"X-Request-ID": "r3"})
    assert response.status_code == 500
    assert response.json == {
        "type": "/problems/unexpected",
        "title": "Something went wrong on our side",
        "status": 500,
        "detail": "Something went wrong on our side. Give the request's id to support.",
        "instance": "/requests/r3",
    }


@pytest.mark.parametrize("kind", ["lost", "busy", "full", "teapot"])
def test_a_database_or_a_disk_that_fails_is_a_reason_to_repeat(kettle, kind):
    response = kettle.get(f"/api/kettle/bugs/{kind}")
    assert (response.status_code, response.json["type"]) == (503, "/problems/unavailable")
    assert response.headers["Retry-After"] == "5"
    assert "secret" not in response.text


@pytest.mark.parametrize("status", [400, 401, 403, 406, 409, 413, 418, 422, 429, 501, 503])
def test_every_status_of_the_framework_has_the_same_form(kettle, status):
    response = kettle.get(f"/api/kettle/statuses/{status}")
    assert (response.status_code, response.json["status"]) == (status, status)
    assert response.mimetype == "application/problem+json"
    assert kettle.get(response.json["type"]).status_code == 200


def test_every_kind_of_problem_is_explained_at_its_address(kettle):
    for code, kind in errors.problem_types().items():
        page = kettle.get(f"/problems/{code}")
        assert page.status_code == 200
        assert kind.title
        assert "  " not in kind.explanation
    assert kettle.get("/problems/unheard-of").status_code == 404


def test_the_document_describes_errors_as_they_are_answered(kettle_app):
    spec = kettle_app.extensions["flask-smorest"]["apis"]["KETTLE_"]["ext_obj"].spec.to_dict()
    operation = spec["paths"]["/api/kettle/trays"]
    assert "422" in operation["post"]["responses"]
    assert "400" in operation["get"]["responses"]
    refused = spec["components"]["responses"]["UNPROCESSABLE_ENTITY"]
    assert list(refused["content"]) == ["application/problem+json"]
    members = spec["components"]["schemas"]["Problem"]["properties"]
    assert {"type", "title", "status", "detail", "instance", "errors"} == set(members)


def _refusal(statement):
    with pytest.raises(DBAPIError) as caught, db.session.begin_nested():
        db.session.execute(text(statement))
    return caught.value


def test_a_database_that_may_only_be_read_is_a_reason_to_repeat(app):
    db.session.execute(text("set transaction read only"))
    with app.test_request_context():
        error = _refusal("create table t ()")
        assert errors.answer_database(error).status_code == 503


def test_a_value_that_the_database_cannot_hold_is_the_callers_to_correct(app):
    with app.test_request_context("/api/x"):
        assert errors.answer_database(_refusal("select 99999999999::int")).status_code == 422


def test_a_value_that_exists_is_a_conflict(app):
    db.session.execute(text("create temporary table cup (id int primary key)"))
    error = _refusal("insert into cup values (1), (1)")
    with app.test_request_context("/api/x"):
        assert errors.answer_database(error).status_code == 409


def test_a_missing_value_is_our_own_mistake(app):
    db.session.execute(text("create temporary table cup (tea text not null)"))
    error = _refusal("insert into cup values (null)")
    with app.test_request_context("/api/x"), pytest.raises(IntegrityError):
        errors.answer_database(error)
