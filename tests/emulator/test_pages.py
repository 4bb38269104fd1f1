import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import httpx
import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from tests.emulator.support import APP_DOMAIN, CALLBACK, DOMAIN, authorize_url

pytestmark = pytest.mark.anyio

ATTACK = "\"'><script>alert(1)</script>"


class Outline(HTMLParser):
    """The start tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def login_page(aws: CognitoEmulator, client: EmulatedAppClient, **changes: str) -> httpx.Response:
    """Return the login page of an authorization request."""
    async with aws.http_client() as http:
        return await http.get(authorize_url(client, **changes), follow_redirects=True)


@pytest.mark.parametrize("parameter", ["state", "nonce", "login_hint", "lang", "code_challenge", "scope", "error"])
async def test_parameters_are_escaped_on_the_login_page(
    aws: CognitoEmulator, web: EmulatedAppClient, parameter: str
) -> None:
    """Markup in a parameter never becomes markup of the page."""
    page = await login_page(aws, web, **{parameter: ATTACK})
    assert "<script" not in page.text
    assert not Outline(page.text).all("script")


async def test_parameters_are_escaped_on_the_error_page(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The error page shows markup as text, and no more than a line of it."""
    async with aws.http_client() as http:
        page = await http.get(f"{DOMAIN}/error", params={"error": ATTACK + "x" * 5_000})
    assert page.status_code == 400
    assert "&lt;script&gt;" in page.text
    assert not Outline(page.text).all("script")
    assert "x" * 300 not in page.text


async def test_the_name_of_a_person_is_escaped(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """What was typed into the form comes back as text."""
    async with aws.http_client() as http:
        page = await http.get(authorize_url(web), follow_redirects=True)
        csrf = Outline(page.text).all("input")[0]["value"]
        answer = await http.post(page.url, data={"_csrf": csrf or "", "username": ATTACK, "password": "x"})
    assert not Outline(answer.text).all("script")
    assert Outline(answer.text).all("input")[1]["value"] == ATTACK


async def test_pages_cannot_be_framed_or_cached_and_run_no_script(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The headers forbid frames, scripts and caching, and allow the page's own style by its hash."""
    page = await login_page(aws, web)
    found = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "no-store" in page.headers["cache-control"]


async def test_every_field_has_a_label_and_every_page_a_title(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """Visible fields are labelled, told to password managers, and the page names its language."""
    outline = Outline((await login_page(aws, web)).text)
    labels = {each["for"] for each in outline.all("label")}
    fields = [each for each in outline.all("input") if each.get("type") != "hidden"]
    assert {each["id"] for each in fields} == labels == {"username", "password"}
    assert [each["autocomplete"] for each in fields] == ["username", "current-password"]
    assert outline.all("html")[0]["lang"] == "en"
    assert len(outline.all("title")) == len(outline.all("main")) == len(outline.all("h1")) == 1
    assert outline.all("meta")[1]["content"] == "width=device-width, initial-scale=1"


@pytest.mark.parametrize("path", ["login", "signup", "forgotPassword"])
async def test_every_page_is_labelled(aws: CognitoEmulator, app: EmulatedPool, path: str) -> None:
    """Also with providers and links: one heading, a label for each field, a text on each button and link, no script."""
    shop = app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["COGNITO", "Corp"])
    async with aws.http_client() as http:
        page = await http.get(authorize_url(shop, root=APP_DOMAIN).replace("/oauth2/authorize", f"/{path}"))
    outline = Outline(page.text)
    visible = [each for each in outline.all("input") if each.get("type") != "hidden"]
    assert {each["id"] for each in visible} == {each["for"] for each in outline.all("label")}
    assert all(each["autocomplete"] for each in visible)
    assert len(outline.all("h1")) == len(outline.all("title")) == len(outline.all("main")) == 1
    assert not outline.all("script")
    assert not re.search(r"<(button|a)[^>]*>\s*</", page.text)
    ids = [attributes["id"] for _, attributes in outline.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("lang", "language", "text"),
    [
        pytest.param("de", "de", "Anmelden", id="german"),
        pytest.param("pt-BR", "pt-BR", "Entrar", id="brazilian"),
        pytest.param("xx", "en", "Sign in", id="unknown"),
        pytest.param("", "en", "Sign in", id="none"),
    ],
)
async def test_pages_speak_the_language_asked_for(
    aws: CognitoEmulator, web: EmulatedAppClient, lang: str, language: str, text: str
) -> None:
    """`lang` chooses among the languages that managed login has."""
    page = await login_page(aws, web, lang=lang)
    assert Outline(page.text).all("html")[0]["lang"] == page.headers["content-language"] == language
    assert f"<h1>{text}</h1>" in page.text


async def test_the_language_is_remembered(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """The choice stays in the cookie `lang`."""
    async with aws.http_client() as http:
        await http.get(authorize_url(web, lang="fr"), follow_redirects=True)
        page = await http.get(f"{DOMAIN}/error")
    assert page.headers["content-language"] == "fr"


def test_every_language_has_every_phrase() -> None:
    """The languages of managed login are all there, and complete."""
    phrases = json.loads(files("cognito_oidc.emulator").joinpath("templates", "phrases.json").read_text("utf-8"))
    assert set(phrases) == {"de", "en", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW"}
    assert {tuple(sorted(each)) for each in phrases.values()} == {tuple(sorted(phrases["en"]))}
