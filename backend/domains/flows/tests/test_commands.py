import hashlib
import json
import os
import socket

import pytest

from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowReading

LATER = ("QT00000002", "20250403061500")


@pytest.fixture
def write(tmp_path):
    """Put a file into a folder: `write("one.uff", text)`."""

    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


@pytest.fixture
def bring(quintet):
    """Run the import command."""
    return lambda *words: quintet("flows", "import", *words)


def test_totals_go_to_standard_output(bring, write, example):
    result = bring(write("one.uff", example))

    assert result.exit_code == 0
    assert "one.uff: imported as file " in result.stdout
    assert "4 readings imported" in result.stdout
    assert result.stderr == ""


def test_problems_go_to_standard_error_with_line_group_and_item(bring, write, example):
    result = bring(write("one.uff", example.swap(5, "1987.5", "19X7.5")))

    assert result.exit_code == 3
    assert "imported with errors" in result.stdout
    assert "error: line 5, group 030, J0040: " in result.stderr


def test_what_becomes_a_log_quotes_no_line(bring, write, example, tmp_path):
    report = tmp_path / "report.json"

    result = bring("--report", report, write("one.uff", example.swap(2, "6780", "6781")))

    assert "line 2, group 026" in result.stderr
    assert "9900123456781" not in result.output + report.read_text()


def test_a_duplicate_is_success(bring, write, example):
    bring(write("one.uff", example))
    result = bring(write("other.uff", example))

    assert result.exit_code == 0
    assert "Already imported as file" in result.stdout


def test_a_rejected_file_tells_why(bring, write, example):
    result = bring(write("cut.uff", example.line(14, None)))

    assert result.exit_code == 4
    assert "cut.uff: rejected as file" in result.stderr
    assert "no trailer line (ZPT)" in result.stderr
    assert result.stdout == ""


def test_a_quarantined_file_has_the_exit_code_of_a_rejected_one(bring, write, example):
    bring(write("one.uff", example))
    assert bring(write("two.uff", example.swap(4, "4521.0", "4522.0"))).exit_code == 4


def test_every_file_is_tried_and_the_worst_outcome_gives_the_exit_code(bring, write, example):
    good = write("good.uff", example)
    with_errors = write("errors.uff", example.sent(*LATER).swap(5, "1987.5", "19X7.5"))
    rejected = write("rejected.uff", example.line(14, None))

    assert bring(good, with_errors).exit_code == 3
    assert bring(rejected, with_errors, good).exit_code == 4
    result = bring("missing.uff", rejected, good)
    assert result.exit_code == 1
    assert "3 files: 1 failed, 1 rejected, 1 duplicate" in result.stdout


@pytest.fixture
def bad_paths(tmp_path, write):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "sparse.uff").touch()
    os.truncate(tmp_path / "sparse.uff", 2 * 1024**3)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.uff"))
    return {
        "folder": (folder, 1, "this is a folder"),
        "missing": (tmp_path / "missing.uff", 1, "there is no such file"),
        "special": (tmp_path / "socket.uff", 1, "neither a file nor a pipe"),
        # It opens, and every read of it fails.
        "unreadable": ("/proc/self/mem", 1, "it cannot be read"),
        "binary": (write("binary.uff", bytes(range(256)) * 9), 4, "it is no flow file"),
        "empty": (write("empty.uff", b""), 4, "The file is empty"),
        "sparse": (tmp_path / "sparse.uff", 4, "it is no flow file"),
    }


@pytest.mark.parametrize(
    "kind", ["folder", "missing", "special", "unreadable", "binary", "empty", "sparse"]
)
def test_what_is_no_flow_file_gets_a_clear_message(bring, bad_paths, kind):
    path, exit_code, message = bad_paths[kind]

    result = bring(path)

    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_nothing_to_import_is_wrong_usage(bring):
    result = bring()
    assert (result.exit_code, "Name at least one FILE" in result.stderr) == (2, True)


def test_one_hash_for_two_files_is_wrong_usage(bring, write, example):
    path = write("one.uff", example)
    assert bring("--sha256", "0" * 64, path, path).exit_code == 2


def test_a_file_must_have_the_hash_that_was_given(bring, write, example):
    path = write("one.uff", example)
    assert bring("--sha256", "0" * 64, path).exit_code == 4
    assert bring("--sha256", hashlib.sha256(path.read_bytes()).hexdigest(), path).exit_code == 0


def test_switches_change_what_is_accepted(bring, write, example):
    errors = write("errors.uff", example.swap(5, "1987.5", "19X7.5"))
    footer = write("footer.uff", example.swap(14, "|12|", "|99|"))
    test = write("test.uff", example.sent(*LATER).swap(1, "OPER", "TR01"))

    assert bring("--strict", errors).exit_code == 4
    assert bring(footer).exit_code == 4
    assert bring("--lenient-footer", footer).exit_code == 0
    assert bring(test).exit_code == 4
    assert bring("--allow-test", test).exit_code == 0


def test_a_dry_run_says_what_would_be(bring, write, example):
    result = bring("--dry-run", write("one.uff", example))

    assert result.exit_code == 0
    assert "one.uff: would be imported: 4 readings" in result.stdout
    assert db.session.query(FlowFile).count() == 0


def test_the_receipt_names_who_ran_the_command(bring, write, example):
    bring("--actor", "night job", write("one.uff", example))
    assert db.session.query(FlowFile.actor, FlowFile.channel).one() == ("night job", "cli")


def test_a_name_that_is_no_text_is_imported_like_any_other(bring, write, example):
    odd = write(os.fsdecode(b"n\xff.uff"), example)
    good = write("good.uff", example.sent(*LATER))

    result = bring("--actor", os.fsdecode(b"J\xfcrgen"), odd, good)

    assert result.exit_code == 0, result.output
    found = db.session.query(FlowFile.name, FlowFile.actor).order_by(FlowFile.id).all()
    assert found == [("n\ufffd.uff", "J\\xfcrgen"), ("good.uff", "J\\xfcrgen")]
    folder = bring("--source", odd.parent)
    assert (folder.exit_code, "2 files: 2 duplicate" in folder.stdout) == (0, True)
    sources = [each for (each,) in db.session.query(FlowFile.source)]
    assert sum(each.endswith("/n\\xff.uff") for each in sources) == 2


def test_a_report_that_cannot_be_written_is_known_before_anything_is_imported(
    bring, write, example, tmp_path
):
    for report in (tmp_path / "missing" / "report.json", tmp_path):
        result = bring("--report", report, write("one.uff", example))
        assert (result.exit_code, "--report" in result.stderr) == (2, True)
    assert db.session.query(FlowFile).count() == 0


def test_json_is_for_machines(bring, write, example):
    good = write("one.uff", example)
    broken = write("two.uff", example.sent(*LATER).swap(5, "1987.5", "19X7.5"))

    result = bring("--json", good, broken)

    told = json.loads(result.stdout)
    assert (told["exit_code"], told["readings"]) == (3, 7)
    assert told["statuses"] == {"imported": 1, "imported_with_errors": 1}
    assert told["files"][1]["readings"] == {"total": 4, "accepted": 3, "rejected": 1}
    finding = told["files"][1]["findings"][0]
    assert (finding["line"], finding["group"], finding["item"]) == (5, "030", "J0040")


def test_a_report_fits_into_a_jobs_last_message(bring, write, example, tmp_path):
    report = tmp_path / "report.json"
    many = [write(f"{number}.uff", f"ZHV|{'x' * 200}|\n") for number in range(40)]

    bring("--report", report, write("one.uff", example))
    assert json.loads(report.read_text())["files"][0]["status"] == "imported"

    bring("--report", report, *many)
    assert len(report.read_bytes()) <= 4096
    assert json.loads(report.read_text())["statuses"] == {"rejected": 40}


def test_a_source_may_be_a_folder_whose_unfinished_files_are_left(bring, write, example, tmp_path):
    write("in/b.uff", example)
    write("in/a.uff", example.sent(*LATER))
    write("in/.hidden", "x")
    write("in/c.uff.part", "x")

    result = bring("--source", tmp_path / "in")

    assert result.exit_code == 0
    assert result.stdout.index("a.uff: imported") < result.stdout.index("b.uff: imported")
    assert "2 files: 2 imported; 8 readings" in result.stdout


def test_a_source_may_be_an_address(bring, write, example):
    path = write("one.uff", example)
    assert bring("--source", f"file://{path}").exit_code == 0
    assert db.session.query(FlowReading).count() == 4


def test_a_source_that_cannot_be_reached_is_a_message(bring):
    for address in ("nothing-knows://me:secret@this", "memory://nothing/here.uff"):
        result = bring("--source", address)
        assert (result.exit_code, "Traceback" in result.output) == (1, False)
        assert address.replace(":secret", "") in result.stderr


def test_show_tells_status_counters_and_findings(quintet, bring, write, example):
    bring(write("one.uff", example.swap(5, "1987.5", "19X7.5")))
    file_id = db.session.query(FlowFile.id).scalar()

    result = quintet("flows", "show", file_id)

    assert result.exit_code == 0
    assert "imported with errors" in result.stdout
    assert "4, 3 accepted, 1 rejected" in result.stdout
    assert "error: line 5, group 030, J0040: " in result.stdout

    told = json.loads(quintet("flows", "show", file_id, "--json").stdout)
    assert (told["status"], told["findings"][0]["line"]) == ("imported_with_errors", 5)


@pytest.mark.parametrize("command", ["show", "release", "discard", "reprocess"])
def test_a_number_that_no_file_can_have_is_wrong_usage(quintet, command):
    reason = ["--reason", "x"] if command in {"release", "discard"} else []
    result = quintet("flows", command, *reason, 99999999999999999999)
    assert (result.exit_code, "is not in the range" in result.stderr) == (2, True)


def test_show_of_an_unknown_file_is_a_message(quintet):
    result = quintet("flows", "show", 404)
    assert (result.exit_code, "There is no file 404." in result.stderr) == (1, True)


def test_generate_writes_so_many_readings(quintet, bring, tmp_path):
    path = tmp_path / "big.uff"
    assert quintet("flows", "generate", 300, path).exit_code == 0

    result = bring(path)

    assert (result.exit_code, "300 readings imported" in result.stdout) == (0, True)


def test_the_demonstration_is_imported_once(quintet):
    first = quintet("flows", "demo")
    assert first.exit_code == 0
    assert "imported with errors" in first.stdout
    before = db.session.query(FlowFile).count()

    assert quintet("flows", "demo").exit_code == 0
    assert db.session.query(FlowFile).count() == before
