import ast
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import backend.domains
from backend.app import DOMAINS
from backend.core import migrations
from backend.core.config import LOCAL_SECRET, InvalidSettings, Settings
from backend.core.database import Model, db

ROOT = Path(backend.__file__).parent.parent
PACKAGES = [ROOT / name for name in ("backend", "environments", "worker", "bench", "e2e")]
SOURCES = [
    path
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
    if path.parent != migrations.FOLDER / "versions"  # A table is as long as it is.
    if ".venv" not in path.parts  # `make bench` makes one of its own.
]


def test_every_folder_of_domains_is_registered():
    assert {each.name for each in pkgutil.iter_modules(backend.domains.__path__)} == set(DOMAINS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_stays_under_300_lines_and_a_function_under_30(path):
    source = path.read_text()
    assert len(source.splitlines()) < 300
    too_long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.body[0].lineno + 1 >= 30 + _docstring_lines(node)
    ]
    assert too_long == []


def _docstring_lines(node):
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first.end_lineno - first.lineno + 1 if is_docstring else 0


def test_models_and_migrations_agree(app):
    context = MigrationContext.configure(db.session.connection(), opts={"compare_type": True})
    assert compare_metadata(context, Model.metadata) == []


def test_the_history_of_migrations_is_one_line():
    script = ScriptDirectory(str(migrations.FOLDER))
    assert len(script.get_heads()) == 1
    assert all(not each.is_merge_point for each in script.walk_revisions())
    assert migrations.head() == script.get_current_head()
    assert migrations.known() == {each.revision for each in script.walk_revisions()}


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [
        each.metadata["variable"]
        for each in fields(Settings)
        if not re.search(rf"^\| `{each.metadata['variable']}` \|", readme, re.MULTILINE)
    ]
    assert missing == []


def test_no_address_contains_its_domain_twice(app):
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    assert [rule for rule in rules if any(f"/{name}/{name}" in rule for name in DOMAINS)] == []


def test_outside_local_a_start_with_default_secrets_is_refused():
    environ = {"DATABASE_URL": "postgresql://x@y/z", "QUINTET_ENVIRONMENT": "production"}
    with pytest.raises(InvalidSettings) as refusal:
        Settings.from_environment(environ)
    for variable in ("QUINTET_SECRET_KEY", "QUINTET_JWT_KEYS", "QUINTET_PUBLIC_URL"):
        assert variable in str(refusal.value)
    assert LOCAL_SECRET not in str(refusal.value)


def test_a_missing_and_a_malformed_setting_are_named_together():
    with pytest.raises(InvalidSettings, match=r"DATABASE_URL is missing.*QUINTET_PROXY_HOPS"):
        Settings.from_environment({"QUINTET_PROXY_HOPS": "two"})


@pytest.mark.parametrize("name", ["worker", "dev", "bench"])
def test_every_lock_holds_what_the_application_needs(name):
    folder = ROOT / "requirements"
    needed = set((folder / "backend.txt").read_text().splitlines())
    assert needed - set((folder / f"{name}.txt").read_text().splitlines()) == set()


def test_every_benchmark_finds_what_it_imports():
    names = [f"bench.{path.stem}" for path in sorted((ROOT / "bench").glob("*.py"))]
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    variables = os.environ | {"PYTHONPATH": str(ROOT / "bench")} | nowhere
    command = [sys.executable, "-c", f"import {', '.join(names)}"]
    subprocess.run(command, cwd=ROOT, env=variables, check=True)
