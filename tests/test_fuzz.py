"""The fuzz targets: their corpus is what it says, and random changes of it break no rule; `make fuzz` looks longer."""

from collections.abc import Callable

import pytest

from tests.fuzz import engine, fuzz_parsers, fuzz_verifier

REFUSED = {
    "callback-error",
    "json-twice",
    "refresh-html",
    "refresh-throttled",
    "revocation",
    "tokens-error",
    "userinfo-error",
}
PARSER_SEEDS = sorted(path.name for path in (engine.CORPUS / "parsers").iterdir())


@pytest.mark.parametrize("name", PARSER_SEEDS)
def test_a_seed_is_read_or_refused_as_its_name_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus begins where the parsers accept: a seed that they refuse is meant to be one."""
    accepted: list[object] = []

    def remember(parse: Callable[[object], object]) -> Callable[[object], object]:
        return lambda response: accepted.append(parse(response))

    monkeypatch.setattr(fuzz_parsers, "PARSERS", tuple(remember(parse) for parse in fuzz_parsers.PARSERS))  # type: ignore[arg-type]  # any parser
    fuzz_parsers.check((engine.CORPUS / "parsers" / name).read_bytes())
    assert bool(accepted) is (name not in REFUSED)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param("parsers", fuzz_parsers.check, id="parsers"),
        pytest.param("verifier", fuzz_verifier.check, id="verifier"),
    ],
)
def test_random_changes_break_no_rule(name: str, check: Callable[[bytes], None]) -> None:
    """Any octets give a value or an error of ours, and nothing else."""
    engine.changed_at_random(name, 3_000, check)


def test_a_parser_that_lets_a_foreign_error_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule can fail: what is no `CognitoOidcError` goes up, and so does a secret that was told."""

    def breaks(_: object) -> object:
        raise KeyError("access_token")

    monkeypatch.setattr(fuzz_parsers, "PARSERS", (breaks,))
    with pytest.raises(KeyError):
        fuzz_parsers.check(b"\0")
