import re
from datetime import date

import pytest

from backend.app import create_app
from backend.core.auth import ApiBlueprint
from backend.core.collections.local_times import LocalTimestamp


def operations(app):
    """Yield the endpoint's view and blueprint with each documented operation."""
    document = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        path = re.sub(r"<(?:[^:<>]*:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in rule.methods & {"GET", "POST", "PATCH", "DELETE"}:
            operation = document["paths"].get(path, {}).get(method.lower())
            if operation and isinstance(blueprint, ApiBlueprint):
                yield blueprint, app.view_functions[rule.endpoint], method, operation


def test_whoever_may_be_refused_is_told_so_in_the_document(app):
    found = list(operations(app))
    assert len(found) > 40
    for blueprint, view, method, operation in found:
        statuses = set(operation["responses"])
        with app.app_context():
            is_open = blueprint.public or getattr(view, "is_public", False)
        role = getattr(view, "role", None) or blueprint.role
        is_guarded = bool(getattr(view, "role", None)) or not is_open
        assert ("401" in statuses) >= is_guarded
        assert ("403" in statuses) == (is_guarded and role is not None)
        is_counted = method != "GET" and not getattr(view, "only_reads", False)
        assert ("429" in statuses) >= is_counted
        assert ("413" in statuses) == ("requestBody" in operation)
        assert "503" in statuses
        assert "default" not in statuses


@pytest.mark.parametrize("is_public", [True, False])
def test_a_token_is_needed_for_expenses_only_where_reading_is_not_public(is_public):
    app = create_app(database_url="postgresql://nowhere", expenses_public=is_public)
    document = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()
    read = document["paths"]["/api/expenses"]["get"]
    assert read.get("security") == ([{}, {"accessToken": []}] if is_public else None)
    assert ("401" in read["responses"]) is not is_public
    assert document["security"] == [{"accessToken": []}]
    assert "security" not in document["paths"]["/api/expenses/imports"]["post"]


def test_each_part_of_the_document_is_a_domains_and_is_told_once(app):
    document = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()
    told = [each["name"] for each in document["tags"]]
    used = {tag for *_, operation in operations(app) for tag in operation["tags"]}
    assert len(told) == len(set(told))
    assert used == set(told)
    assert not [each for each in told if "_" in each]


def test_the_documented_local_times_are_those_that_there_are():
    pattern = re.compile(LocalTimestamp().operand()["pattern"])
    for year in (0, 1, 4, 96, 100, 400, 1900, 2000, 2023, 2024, 2100, 2400, 9996, 9999):
        for month in range(14):
            for day in range(33):
                try:
                    is_day = bool(date(year, month, day))
                except ValueError:
                    is_day = False
                text = f"{year:04}-{month:02}-{day:02}"
                assert bool(pattern.search(text)) is is_day, text
                assert bool(pattern.search(f"{text}T23:59:00")) is is_day
    assert not pattern.search("2024-03-01T24:00:00")
