"""The examples start by the words of their README; the job, which needs no browser, is run here.

The others are gone through by Chromium: tests/interop/test_swagger_ui.py and test_two_pools_web.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `make ([\w-]+)` \| .*\[[\w./]+\]\(([\w./]+)\) \|$", README, re.MULTILINE)
PROGRAMS = sorted((ROOT / "examples").glob("*/main.py"))


def test_every_example_has_a_row() -> None:
    """Each folder is in the table, and the table names what is there."""
    assert [ROOT / "examples" / file for _, file in ROWS if not (ROOT / "examples" / file).is_file()] == []
    assert {Path(file).parts[0] for _, file in ROWS} == {program.parent.name for program in PROGRAMS}


@pytest.mark.parametrize(("target", "file"), ROWS)
def test_a_command_of_the_table_starts_that_example(target: str, file: str) -> None:
    """`make` runs the program of that folder with no arguments; the program starts by itself as well."""
    program = f"examples/{Path(file).parts[0]}/main.py"
    make = ["make", "--no-print-directory", "--dry-run", target]
    dry = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True)
    assert dry.stdout.splitlines()[-1].split() == [".venv/bin/python", program]
    told = subprocess.run([sys.executable, program, "--help"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert told.stdout.startswith("usage: ")


def test_the_job_asks_for_one_token() -> None:
    """Three runs in three processes: the first one's token is good for all of them."""
    program = [sys.executable, "examples/scheduled_job/main.py"]
    run = subprocess.run(program, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    runs = [f"Run {number}: 3 orders are open." for number in (1, 2, 3)]
    assert run.stdout.splitlines() == [*runs, "3 runs asked Cognito for 1 token."]


def test_a_job_that_fails_says_why(tmp_path: Path) -> None:
    """The scheduler sees it by the exit code, whoever reads the log by one sentence, and nobody a secret."""
    settings = {
        "COGNITO_POOL_ID": "eu-west-1_Orders001",
        "COGNITO_DOMAIN": "orders",
        "COGNITO_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens there
        "COGNITO_CLIENT_ID": "1example23456789",
        "COGNITO_CLIENT_SECRET": "secret0of0the0job",
        "JOB_API": "http://127.0.0.1:9",
        "JOB_FOLDER": str(tmp_path / "tokens"),
        "JOB_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }
    job = [sys.executable, "examples/scheduled_job/job.py"]
    run = subprocess.run(job, cwd=ROOT, env={**os.environ, **settings}, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1].startswith("The orders could not be counted: No answer from the token endpoint")
    assert "secret0of0the0job" not in run.stderr
