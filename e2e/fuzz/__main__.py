"""`python -m e2e.fuzz`: hold the running platform to everything that its document promises.

First the control: a hole that the check of objects has to find. Then schemathesis over the whole
document, then what no client library would send. Words are passed on to schemathesis.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import CompletedProcess

import requests

from e2e.fuzz import control, hooks, oddities, stand
from environments.local import places

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
FOUND = "Object-level authorization bypass"


def main(words: list[str]) -> int:
    """Try everything; return 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        people = Path(folder) / "people.json"
        people.write_text(json.dumps({"auth": [stand.person(each) for each in stand.PEOPLE]}))
        with stand.database(Path(folder)) as variables:
            with stand.served("holed", variables) as address:
                is_sharp = _finds_the_hole(address, people)
            with stand.served("whole", variables) as address:
                is_kept = _run(address, people, *words).returncode == 0
                return int(not (_sends_oddities(address) and is_kept and is_sharp))


def _finds_the_hole(address: str, people: Path) -> bool:
    phases = ("--phases", "fuzzing,stateful", "--include-tag", control.TAG)
    said = _run(address, people, *phases, capture_output=True, text=True).stdout
    is_found = FOUND in said
    print("control: the hole was", "found" if is_found else f"NOT FOUND\n{said}")
    return is_found


def _run(address: str, people: Path, *words: str, **options: bool) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    command += ["run", f"{address}/api/openapi.json", *words]
    variables = {"FUZZ_PEOPLE": str(people), "PYTHONPATH": str(places.CHECKOUT)}
    environ = os.environ | variables
    return subprocess.run(command, cwd=places.CHECKOUT, env=environ, check=False, **options)  # type: ignore[call-overload, no-any-return]  # noqa: S603  our own command


def _sends_oddities(address: str) -> bool:
    person = {"email": stand.PEOPLE["staff"], "password": stand.PASSWORD}
    answer = requests.post(f"{address}/api/auth/login", json=person, timeout=oddities.SECONDS)
    token = answer.json()["data"]["access_token"]
    count, wrong = oddities.send_all(address, token, hooks.SEED)
    print(f"oddities: {count} requests, {len(wrong)} badly answered", *wrong[:20], sep="\n")
    return not wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
