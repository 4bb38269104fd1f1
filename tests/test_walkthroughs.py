"""What a newcomer types: the pages that say how to run or to test a program without AWS, followed line by line.

The program is the page's first block with its second one in the place that the page names; the commands are the
page's own lines, in a shell each, with free ports in the place of the fixed ones.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from cognito_oidc.emulator import Person

GUIDE = Path(__file__).parent.parent / "docs" / "guide"
PATIENCE = 30.0  # seconds, on a busy machine
HEADING = "\n## Run it here, without AWS\n"


class Page:
    """A page of the guide, with the parts that a newcomer copies."""

    def __init__(self, name: str) -> None:
        text = re.sub(r"<!--.*?-->", "", (GUIDE / name).read_text(encoding="utf-8"), flags=re.DOTALL)
        before, _, after = text.partition(HEADING)
        section = after.partition("\n## ")[0]
        self.program = _blocks(before, "python")[0]
        [self.local] = _blocks(section, "python")
        self.consoles = [block.splitlines() for block in _blocks(section, "console")]
        self.prose = section

    def commands(self, index: int) -> str:
        """Return what is typed into one terminal; what is to be installed is here already."""
        typed = [line.removeprefix("$ ") for line in self.consoles[index] if line.startswith("$ ")]
        return "\n".join(line for line in typed if not line.startswith("pip install "))


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGNITO_")}
    return kept | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def _terminal(commands: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Type into a terminal of one's own, and close it at the end."""
    process = subprocess.Popen(
        ["bash", "-e", "-c", commands], cwd=folder, env=_environment(folder), start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # it ended by itself, which the test has told
                os.killpg(process.pid, signal.SIGTERM)


def _wait_for(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not ready():
        assert process.poll() is None, f"{process.args!r} ended"
        assert time.monotonic() < ends, f"{process.args!r} is not ready"
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _running(page: Page, program: str, folder: Path) -> Iterator[int]:
    """Do what the first two terminals of the page do; give the program's port."""
    (folder / "main.py").write_text(program, encoding="utf-8")
    cognito, port = _free_port(), _free_port()
    emulate = page.commands(0).replace(" emulate ", f" emulate --port {cognito} ")
    serve = re.sub(r"--port \d+", f"--port {port}", page.commands(1))
    with _terminal(emulate, folder) as first:
        _wait_for(first, lambda: _listens(cognito) and bool((folder / ".env").read_text(encoding="utf-8")))
        with _terminal(serve, folder) as second:
            _wait_for(second, lambda: _listens(port))
            yield port


def test_the_protected_api_answers_as_its_page_shows(tmp_path: Path) -> None:
    """Three terminals: the local Cognito, the API, and a call with a token of the command."""
    page = Page("protect-an-api.md")
    lines = r'^pool = UserPool\(.*\)\nverifier = TokenVerifier\(pool, client_ids=\["1example23456789"\]\)\n'
    program, times = re.subn(lines, lambda _: page.local, page.program, flags=re.MULTILINE)
    assert times == 1
    with _running(page, program, tmp_path) as port:
        call = page.commands(2).replace(":8000/", f":{port}/")
        answer = subprocess.run(
            ["bash", "-e", "-c", call],
            cwd=tmp_path,
            env=_environment(tmp_path),
            check=True,
            capture_output=True,
            text=True,
        )
        assert answer.stdout == page.consoles[2][-1]
        assert httpx.get(f"http://127.0.0.1:{port}/orders").text in page.prose


@pytest.mark.parametrize(("username", "provider"), [("bob", None), ("ann", "Corp")])
def test_a_person_logs_in_at_the_program_of_the_page(username: str, provider: str | None, tmp_path: Path) -> None:
    """Two terminals and a browser, with the names, passwords and the button that the page names."""
    page = Page("log-people-in.md")
    lines = r"^client = CognitoClient\(\n.*?^\)\n"
    program, times = re.subn(lines, lambda _: page.local, page.program, flags=re.MULTILINE | re.DOTALL)
    assert times == 1
    assert [told for told in (f"`{username}`", f"`{username}s-password`") if told not in page.prose] == []
    assert provider is None or f'"Continue with {provider}"' in page.prose
    person = Person(
        username,
        f"{username}s-password",
        open_client=lambda: httpx.AsyncClient(trust_env=False),
        serves=lambda _: False,
        provider=provider,
    )
    with _running(page, program, tmp_path) as port, httpx.Client(trust_env=False) as browser:
        here = f"http://localhost:{port}/"
        kept: dict[str, str] = {}  # as Chrome and Firefox do: `Secure` cookies of localhost among them
        answer = browser.get(here)
        while answer.has_redirect_location:
            kept |= {cookie.name: cookie.value or "" for cookie in answer.cookies.jar}
            url = str(answer.url.join(answer.headers["location"]))
            if not url.startswith(here):
                url = asyncio.run(person.follow(url)).replace("http://localhost:3000/", here)
            answer = browser.get(url, headers={"Cookie": "; ".join(f"{name}={kept[name]}" for name in kept)})
        assert answer.text == f"Hello, {username}@{'corp' if provider else 'app'}.example."


def test_the_test_file_of_the_page_passes(tmp_path: Path) -> None:
    """The page's tests with pytest pass as a file of their own, beside an application that makes its verifier so."""
    guide = (GUIDE / "test-your-app.md").read_text(encoding="utf-8")
    [tests] = [block for block in _blocks(guide, "python") if "from shop import make_verifier" in block]
    (tmp_path / "test_shop.py").write_text(tests, encoding="utf-8")
    (tmp_path / "shop.py").write_text("from cognito_oidc import TokenVerifier as make_verifier\n", encoding="utf-8")
    alone = ("-p", "no:asyncio", "-p", "no:cacheprovider")  # the extra `testing` brings no pytest-asyncio
    run = [sys.executable, "-m", "pytest", "-q", *alone, "-W", "error", "test_shop.py"]
    result = subprocess.run(run, cwd=tmp_path, env=_environment(tmp_path), check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
