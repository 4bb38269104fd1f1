"""The benchmarks run: with tiny counts, without Node.js, and without the peers that are not installed here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import redis_server
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


@pytest.mark.parametrize("name", [*NAMES, "callbacks", "command_line", "refresh_storm", "fleet"])
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


def test_a_storm_costs_one_request_and_no_session(tmp_path: Path) -> None:
    """Processes that all find a session expired ask once, and all get a token; a kill leaves every store whole."""
    if os.environ.get("CI") == "true":
        assert redis_server.installed()
    figures = _figures("refresh_storm", tmp_path)
    ours = {name: case for name, case in figures["cases"].items() if name.startswith("cognito_oidc")}
    assert len(ours) == 1 + redis_server.installed()
    for case in ours.values():
        assert (case["requests_most"], case["served"], case["dead"]) == (1, case["tasks"], 0)
    for name, case in figures["writes"].items():
        assert name == "`write_text`" or case["whole"] == case["kills"] == 50
    assert figures["locks"]["FileTokenStore"]["slowest"] < 10
    assert "RedisTokenStore" not in figures["locks"] or figures["locks"]["RedisTokenStore"]["slowest"] < 2 + 10


def test_a_fleet_that_shares_a_token_asks_for_one(tmp_path: Path) -> None:
    """However many workers share a store, they buy the tokens of one; with tokens of their own each buys its own."""
    cases = _figures("fleet", tmp_path)["cases"]
    for size in (10, 100):
        assert 24 <= cases[f"machine, {size}, shared, jitter"]["granted"] <= 26
        assert cases[f"machine, {size}, private, jitter"]["granted"] >= 24 * size


def _figures(name: str, folder: Path) -> dict[str, Any]:
    output = folder / "figures.json"
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", "--quick", "--json", str(output)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return figures


@pytest.mark.parametrize("name", ["verify"])
def test_kept_figures_show_no_bad_token_accepted(name: str) -> None:
    """Of the tokens that must be refused, ours accepts none."""
    kept = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert kept["accepted"]["cognito_oidc"] == []
