"""The benchmarks run: with tiny counts, without Node.js, and without the peers that are not installed here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cognito_oidc import errors

ROOT = Path(__file__).parent.parent
NAMES = ["verify", "cold_start", "fairness", "keys", "api_load"]


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_runs_and_writes_its_figures(name: str, tmp_path: Path) -> None:
    """A run with tiny counts ends well, and its JSON has figures of ours; how large they are is no matter here."""
    output = tmp_path / "figures.json"
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", "--quick", "--json", str(output)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text(encoding="utf-8"))
    found = figures["scenarios"]["stampede"] if name == "keys" else figures["cases"]
    assert any("TokenVerifier" in case for case in found)


def test_a_cached_token_costs_at_most_three_imports_of_click(tmp_path: Path) -> None:
    """A run of the command's benchmark with tiny counts: the short way is taken, and is short."""
    output = tmp_path / "figures.json"
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.command_line", "--quick", "--json", str(output)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text(encoding="utf-8"))
    assert figures["loaded"] == []
    assert figures["cases"]["token, cached"]["ratio_of_minima"] <= 3


@pytest.mark.parametrize("name", [*NAMES, "callbacks", "command_line"])
def test_page_is_what_the_kept_figures_say(name: str) -> None:
    """The tables of the page are those of the kept figures: nobody has improved them by hand."""
    module = __import__(f"benchmarks.{name}", fromlist=[name])
    kept = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    missing = [block for block, text in module.blocks_of(kept).items() if text not in page]
    assert missing == []


def test_no_hostile_callback_logs_anybody_in(tmp_path: Path) -> None:
    """Of forty callbacks and answers that must be refused, ours accepts none, and says so with an error of ours."""
    output = tmp_path / "figures.json"
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.callbacks", "--quick", "--json", str(output)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cases = json.loads(output.read_text(encoding="utf-8"))["cases"]
    outcomes = {outcomes["cognito_oidc"] for outcomes in cases.values()}
    assert len(cases) == 40
    assert all(issubclass(getattr(errors, outcome, str), errors.CognitoOidcError) for outcome in outcomes), outcomes


@pytest.mark.parametrize("name", ["verify"])
def test_kept_figures_show_no_bad_token_accepted(name: str) -> None:
    """Of the tokens that must be refused, ours accepts none."""
    kept = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert kept["accepted"]["cognito_oidc"] == []
