"""The README's comparison is what the benchmarks found."""

from benchmarks import summary
from benchmarks.shared import mapping


def test_tables_of_the_readme_are_those_of_the_kept_results() -> None:
    """Nobody has improved a figure by hand: `python -m benchmarks.summary` writes the same."""
    page = summary.README.read_text(encoding="utf-8")
    assert [block for block, text in summary.blocks().items() if text not in page] == []


def test_ours_accepts_nothing_wrong() -> None:
    """The rows that matter most: no wrong token, and no hostile login."""
    outcomes = [str(case["cognito_oidc"]) for case in mapping(summary.kept("callbacks")["cases"]).values()]
    assert not mapping(summary.kept("verify")["accepted"])["cognito_oidc"]
    assert len(outcomes) >= 40
    assert "accepted" not in outcomes
