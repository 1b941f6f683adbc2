import json

from sqlalchemy import func, select

from backend.core.database import db
from backend.domains.expenses.models import Expense


def file(tmp_path, content):
    path = tmp_path / "expenses.csv"
    path.write_text(content)
    return path


def count():
    return db.session.scalar(select(func.count(Expense.id)))


def test_a_file_is_imported_and_its_rows_are_counted(quintet, tmp_path, example):
    result = quintet("expenses", "import", file(tmp_path, example))
    assert result.exit_code == 0, result.output
    assert "read 5, inserted 5, unchanged 0, gone 0, removed 0, bad 0" in result.output
    assert count() == 5


def test_a_bad_row_is_told_by_line_and_column_and_ends_with_4(quintet, tmp_path, example):
    result = quintet("expenses", "import", file(tmp_path, example + "\nLegal,P,12€,1/1/2024,I"))
    assert result.exit_code == 4
    assert "line 7, column 3 (amount): Exactly two decimals are expected." in result.output
    assert count() == 0


def test_a_partial_import_ends_with_3_and_keeps_the_rest(quintet, tmp_path, example):
    path = file(tmp_path, example + "\nLegal,P,12€,1/1/2024,I")
    result = quintet("expenses", "import", path, "--partial")
    assert result.exit_code == 3
    assert count() == 5


def test_gone_rows_are_named_and_removed_when_asked(quintet, tmp_path, example):
    quintet("expenses", "import", file(tmp_path, example))
    fewer = file(tmp_path, example.rpartition("\n")[0])
    told = quintet("expenses", "import", fewer)
    assert "gone 1, removed 0" in told.output
    assert "--remove-gone" in told.output
    assert "gone 1, removed 1" in quintet("expenses", "import", fewer, "--remove-gone").output
    assert count() == 4


def test_partial_and_remove_gone_contradict_each_other(quintet, tmp_path, example):
    path = file(tmp_path, example)
    assert quintet("expenses", "import", path, "--partial", "--remove-gone").exit_code == 2


def test_the_report_is_told_as_json(quintet, tmp_path, example):
    result = quintet("expenses", "import", file(tmp_path, example), "--json")
    assert json.loads(result.stdout)["inserted"] == 5


def test_the_demonstration_is_imported_once(quintet):
    assert "420 demonstration expenses imported" in quintet("expenses", "demo").output
    assert quintet("expenses", "demo").output == ""
    assert count() == 420
