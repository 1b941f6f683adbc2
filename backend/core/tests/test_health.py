from sqlalchemy import text

from backend.app import create_app
from backend.core.database import db


def test_a_process_lives_whatever_its_database_does():
    app = create_app(database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    assert app.test_client().get("/healthz").json == {"status": "ok"}


def test_it_is_ready_on_a_migrated_database(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}


def test_it_is_not_ready_without_a_database():
    app = create_app(database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json["checks"].values()) == {"does not answer"}


def _at_revision(app, revision):
    db.session.execute(text("create temporary table alembic_version (version_num text)"))
    if revision:
        db.session.execute(text("insert into alembic_version values (:r)"), {"r": revision})
    return app.test_client().get("/readyz")


def test_it_is_not_ready_before_the_migrations(app):
    answer = _at_revision(app, "0001")
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "ok"
    assert answer.json["checks"]["migrations"].startswith("at 0001, needs ")


def test_it_is_not_ready_on_an_empty_database(app):
    assert _at_revision(app, None).json["checks"]["migrations"] == "no revision"


def test_it_is_ready_on_a_newer_schema_than_it_knows(app):
    assert _at_revision(app, "9999").status_code == 200
