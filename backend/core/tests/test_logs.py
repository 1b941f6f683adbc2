import io
import json
import logging
import sys

import pytest
import structlog

from backend.app import create_app
from backend.core import logs


@pytest.fixture(scope="module")
def quiet_app():
    app = create_app(database_url="postgresql://nobody@127.0.0.1:1/nowhere")

    @app.get("/told/<secret>")
    def tell(secret):
        logs.bind(user_id="7")
        structlog.get_logger("told").info("told", secret=secret)
        return "ok"

    return app


@pytest.fixture
def lines(capsys):
    def read():
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


def test_a_request_is_one_line_of_json_without_its_path(quiet_app, lines):
    quiet_app.test_client().get("/told/tea", headers={"X-Request-ID": "a.b-c_1"})
    told, request = lines()
    assert request.pop("duration_ms") >= 0
    assert request.pop("timestamp").endswith("Z")
    assert request == {
        "event": "request",
        "level": "info",
        "logger": "backend.core.logs",
        "method": "GET",
        "request_id": "a.b-c_1",
        "route": "/told/<secret>",
        "status": 200,
        "user_id": "7",
    }
    assert told["request_id"] == "a.b-c_1"


def test_the_answer_carries_the_id_of_the_request(quiet_app):
    client = quiet_app.test_client()
    assert client.get("/told/x", headers={"X-Request-ID": "r1"}).headers["X-Request-ID"] == "r1"
    assert client.get("/nowhere", headers={"X-Request-ID": "r2"}).headers["X-Request-ID"] == "r2"


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "<script>", "é", "a/b"])
def test_an_id_that_could_be_anything_is_replaced(quiet_app, given):
    client = quiet_app.test_client()
    assert (
        len(client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]) == 36
    )


def test_nothing_of_one_request_is_said_of_the_next(quiet_app, lines):
    client = quiet_app.test_client()
    client.get("/told/x")
    lines()
    client.get("/nowhere")
    (line,) = lines()
    assert "user_id" not in line


def test_health_is_not_worth_a_line(quiet_app, lines):
    quiet_app.test_client().get("/healthz")
    assert lines() == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("to ada.b+c@quintet.test now", "to [e-mail] now"),
        ("MPAN 1200023305967.", "MPAN ****5967."),
        ("12 0002 3305 967", "**** 967"),
        ("030|1200023305967|V", "030|****5967|V"),
        ("GB33BUKB20201555555555", "****5555"),
        ("GB33 BUKB 2020 1555 5555 55", "****5 55"),
        ("12345678901", "****8901"),
        ("20261103, 8 digits", "20261103, 8 digits"),
        ("0b3c1f9e-1234-4aaa-8bbb-123456789012", "0b3c1f9e-1234-4aaa-8bbb-123456789012"),
        ("0B3C1F9E-1234-4AAA-8BBB-123456789012", "0B3C1F9E-1234-4AAA-8BBB-123456789012"),
        ("sha " + "1234567890abcdef" * 4, "sha " + "1234567890abcdef" * 4),
        ("after 0.12345678901234 s", "after 0.12345678901234 s"),
        ("2026-11-20T18:56:12.123456Z", "2026-11-20T18:56:12.123456Z"),
        ("2026-11-20 18:56:12", "2026-11-20 18:56:12"),
        ("mpan-1200023305967-x", "mpan-****5967-x"),
        ("12-0002-3305-967", "****5967"),
        ("no file /drop/flow.1200023305967.uff", "no file /drop/flow.****5967.uff"),
        ("a1200023305967", "a****5967"),
    ],
)
def test_personal_data_is_masked(said, kept):
    assert logs.mask(said) == kept


@pytest.mark.parametrize("piece", ["a", "a.", "1 ", "a@", "A1", "ab-"])
def test_masking_a_very_long_text_takes_no_longer_than_its_length(piece):
    assert len(logs.mask(piece * 200_000 + "!1")) > 1


def test_a_method_that_nobody_knows_is_not_repeated(quiet_app, lines):
    quiet_app.test_client().open("/nowhere", method="A" * 100_000 + "1")
    (line,) = lines()
    assert (line["method"], line["status"]) == ("other", 404)


def test_masking_reaches_every_depth_and_type(quiet_app, lines):
    structlog.get_logger("x").info(
        "to ada@quintet.test",
        mpan=1200023305967,
        rows=[{"mpan": "1200023305967"}, ("1200023305967",)],
        count=1_000_000,
        ratio=0.5,
        none=None,
    )
    (line,) = lines()
    assert "2330" not in json.dumps(line)
    assert "ada@" not in json.dumps(line)
    assert (line["count"], line["ratio"], line["none"]) == (1_000_000, 0.5, None)


def test_an_exception_is_told_in_one_masked_line(quiet_app, lines):
    def fail():
        raise ValueError("no meter at 1200023305967")

    try:
        fail()
    except ValueError:
        structlog.get_logger("x").exception("failed")
    (line,) = lines()
    assert "ValueError: no meter at ****5967" in line["exception"]


def test_a_log_that_cannot_be_written_breaks_no_request(quiet_app, monkeypatch, capsys):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert quiet_app.test_client().get("/told/tea").status_code == 200
    assert "closed file" in capsys.readouterr().err


def test_the_standard_library_and_its_warnings_go_the_same_way(quiet_app, lines):
    logging.getLogger("sqlalchemy.pool").warning("lost %s", "ada@quintet.test")
    logging.getLogger("_granian").info("Listening")
    first, second = lines()
    assert (first["event"], first["level"]) == ("lost [e-mail]", "warning")
    assert (second["event"], second["logger"]) == ("Listening", "_granian")


def test_a_command_keeps_its_stdout_for_its_result(quiet_app, capsys):
    @quiet_app.cli.command("talk")
    def talk():
        logs.configure()
        structlog.get_logger("x").warning("beside the result")
        sys.stdout.write("result\n")

    result = quiet_app.test_cli_runner().invoke(args=["talk"])
    logs.configure()
    assert result.stdout == "result\n"
    assert "beside the result" in result.stderr
