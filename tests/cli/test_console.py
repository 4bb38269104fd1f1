import anyio
import pytest

from cognito_oidc.cli.console import Console, StepFailedError, shortened
from cognito_oidc.errors import ExpiredTokenError, ProtocolError


async def held() -> None:
    """Be a step that holds."""


async def failed() -> None:
    """Be a step that does not."""
    raise StepFailedError("the door is open", expected="open", came="shut")


async def broken() -> None:
    """Be a step that ends in an error."""
    raise ProtocolError("no JSON")


def test_steps_run_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps are numbered and titled, and good if each one is."""

    async def tell() -> bool:
        return await Console().tell([("One", held), ("Two", held)], failures=())

    assert anyio.run(tell)
    assert capsys.readouterr().out == "\n 1. One\n\n 2. Two\n"


def test_first_failure_ends_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes after a step that did not hold would prove nothing: it is not run."""

    async def tell() -> bool:
        return await Console().tell([("One", held), ("Two", failed), ("Three", held)], failures=())

    assert not anyio.run(tell)
    assert capsys.readouterr().out == (
        "\n 1. One\n\n 2. Two\n    FAILED  the door is open\n        expected  open\n        came      shut\n"
        "\nStep 2 of 3 did not hold.\n"
    )


def test_error_of_a_step_is_its_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that a step may end with is shown with its name."""

    async def tell() -> bool:
        return await Console().tell([("One", broken)], failures=(ProtocolError,))

    assert not anyio.run(tell)
    assert "        came      ProtocolError: no JSON\n" in capsys.readouterr().out


def test_a_fault_is_not_a_failure() -> None:
    """What nobody expected is a bug, and is not dressed up."""

    async def tell() -> bool:
        return await Console().tell([("One", broken)], failures=())

    with pytest.raises(ProtocolError):
        anyio.run(tell)


def test_check_counts_what_held(capsys: pytest.CaptureFixture[str]) -> None:
    """A check that holds is said and counted."""
    console = Console()
    console.check("sub: Ann", "ann", expected="ann")
    assert (console.held, capsys.readouterr().out) == (1, "    ok  sub: Ann\n")


@pytest.mark.parametrize(
    ("came", "expected", "shown"),
    [
        pytest.param("bob", "ann", ("ann", "bob"), id="text"),
        pytest.param(["jwks"], [], ("[]", "['jwks']"), id="list"),
        pytest.param(None, 403, ("403", "None"), id="nothing"),
    ],
)
def test_check_that_fails_says_both(came: object, expected: object, shown: tuple[str, str]) -> None:
    """What was expected and what came are kept as text, and nothing is counted."""
    console = Console()
    with pytest.raises(StepFailedError) as caught:
        console.check("it holds", came, expected=expected)
    assert (caught.value.what, caught.value.expected, caught.value.came, console.held) == ("it holds", *shown, 0)


def test_nothing_is_wider_than_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Prose is wrapped, values are cut; an address to be copied alone is left whole."""
    console = Console()
    console.say("word " * 40)
    console.rows({"short": "1", "a_longer_name": "x" * 200}, notes={"short": "a note " * 20})
    console.rows({"url": "https://" + "x-y." * 50, "list": "a, b"}, whole=True)
    console.check("word " * 40, 1, expected=1)
    console.error(ExpiredTokenError("word " * 40, claim="exp", expected="later"), explain=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 79] == []
    console.verbatim("x" * 200)
    assert capsys.readouterr().out == "\n" + "x" * 200 + "\n\n"


def test_random_value_is_cut() -> None:
    """Of a random value the beginning is enough; a short one is whole."""
    assert (shortened("a" * 43), shortened("S256")) == ("aaaaaaaa...", "S256")
