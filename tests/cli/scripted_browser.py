"""A browser without a window, as the BROWSER variable wants one: opens an address, signs in, follows redirects.

    BROWSER="python scripted_browser.py FOLDER %s"

FOLDER holds `password`, and gets `cookies.json`, which the next start reads.
"""

import json
import re
import sys
import time
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx

_PATIENCE = 10.0
_NEW_PASSWORD = "Another-1-password"


def password_in(folder: Path) -> str:
    """Read the password off the terminal, which the test keeps in a file, as soon as it is there."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        found = re.search(
            r"with the (?:temporary )?password (\w+)\n", (folder / "terminal").read_text(encoding="utf-8")
        )
        if found is not None:
            return found[1]
        time.sleep(0.05)
    raise TimeoutError


def browse(http: httpx.Client, address: str, username: str, password: str) -> httpx.Response:
    """Open an address; where a page asks for a password, type it in, and a new one where it asks for that."""
    page = http.get(address)
    for _ in range(2):
        forms = re.findall(r'<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
        action, form = next(((action, form) for action, form in forms if 'type="password"' in form), ("", ""))
        if not form:
            return page
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
        renewal = 'name="new_password"' in form
        new = dict.fromkeys(("new_password", "new_password_again"), _NEW_PASSWORD)
        answers = new if renewal else {"username": username, "password": password}
        data = {**{name: unescape(value) for name, value in hidden}, **answers}
        page = http.post(urljoin(str(page.url), unescape(action)), data=data)
    return page


def main() -> None:
    """Run once, as a browser that is started with an address."""
    folder, address = Path(sys.argv[1]), sys.argv[2]
    jar = folder / "cookies.json"
    with httpx.Client(trust_env=False, follow_redirects=True) as http:
        for name, value, domain, path in json.loads(jar.read_text()) if jar.exists() else ():
            http.cookies.set(name, value, domain, path)
        page = browse(http, address, "ann", password_in(folder))
        jar.write_text(json.dumps([(each.name, each.value, each.domain, each.path) for each in http.cookies.jar]))
    with (folder / "pages").open("a", encoding="utf-8") as pages:
        pages.write(f"{page.status_code} {page.url.path}?{page.url.query.decode()} {page.text}\n")


if __name__ == "__main__":
    main()
