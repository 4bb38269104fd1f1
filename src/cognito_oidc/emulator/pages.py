"""The pages a person sees: what they say, in which language, and the headers that protect them.

Everything that came with a request is escaped by the templates. The pages need no JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Incoming

_PACKAGE: Final = "cognito_oidc.emulator"
_MAX_TEXT: Final = 200
_LANG_COOKIE_SECONDS: Final = 31_536_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLinks:
    """Where the login page leads besides itself.

    Attributes:
        chooser: The absolute URL that the choice of a provider is sent to, with the request's parameters.
        forgot: The absolute URL for a forgotten password.
        sign_up: The absolute URL for signing up, or None where nobody may.
        can_cancel: Whether the page has a button that gives up.
    """

    chooser: str
    forgot: str
    sign_up: str | None
    can_cancel: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A visible field of a form; its label is the name of a phrase, or stands as it is."""

    name: str
    label: str
    kind: str
    autocomplete: str
    value: str = ""

    def filled(self, value: str) -> Field:
        """Return the field with what was typed before; never a password."""
        return self if self.kind == "password" else replace(self, value=value[:_MAX_TEXT])


def login(
    incoming: Incoming,
    *,
    action: str,
    application: str,
    username: str,
    problem: str | None,
    takes_passwords: bool,
    providers: tuple[str, ...],
    links: LoginLinks,
    signed_in_as: str | None,
) -> Response:
    """Return the login page.

    Args:
        incoming: The request.
        action: The absolute URL that the form is sent to.
        application: The app client's name.
        username: What stands in the first field.
        problem: The name of the phrase that says what went wrong, or None.
        takes_passwords: Whether people of the pool's own directory may sign in.
        providers: External providers to choose from.
        links: Where else the page leads.
        signed_in_as: The person whose session the page offers to go on with, or None.
    """
    return _page(
        incoming,
        "login.html",
        status=200,
        action=action,
        application=application,
        username=username[:_MAX_TEXT],
        problem=problem,
        takes_passwords=takes_passwords,
        providers=providers,
        chooser=links.chooser,
        forgot=links.forgot,
        sign_up=links.sign_up,
        can_cancel=links.can_cancel,
        parameters=incoming.query,
        signed_in_as=signed_in_as,
    )


def form(
    incoming: Incoming,
    title: str,
    *,
    text: str | None = None,
    problem: str | None = None,
    action: str = "",
    fields: tuple[Field, ...] = (),
    submit: str | None = None,
    hidden: Mapping[str, str] | None = None,
    resend: str | None = None,
    back: str | None = None,
) -> Response:
    """Return a page with one form, or with a sentence only.

    Args:
        incoming: The request.
        title: The name of the phrase above it; so are `text` and `submit`.
        text: What the page asks for.
        problem: What went wrong: the name of a phrase, or a sentence of Cognito's API in English.
        action: The absolute URL that the form is sent to.
        fields: Its visible fields.
        submit: What its button says; without it there is no form.
        hidden: Its hidden fields.
        resend: The absolute URL that asks for another code, or None.
        back: The absolute URL of the login page, or None.
    """
    return _page(
        incoming,
        "form.html",
        status=200,
        title=title,
        text=text,
        problem=problem[:_MAX_TEXT] if problem is not None else None,
        action=action,
        fields=fields,
        submit=submit,
        hidden=hidden or {},
        resend=resend,
        back=back,
    )


def error(incoming: Incoming, text: str, *, status: int) -> Response:
    """Return Cognito's error page with a short text, or the code of the error."""
    return _page(incoming, "error.html", status=status, text=text[:_MAX_TEXT])


def parameter_missing(incoming: Incoming, name: str) -> Response:
    """Return the page for a required parameter that is not there."""
    return error(incoming, missing_text(name), status=400)


def missing_text(name: str) -> str:
    """Return what Cognito's page says of a missing parameter.

    Source: https://github.com/aws-amplify/amplify-js/issues/1298
    """
    return f"Required String parameter '{name}' is not present"


def _page(incoming: Incoming, template: str, *, status: int, **values: object) -> Response:
    style = _style()
    language = _language(incoming)
    text = (
        _environment()
        .get_template(template)
        .render(
            **values,
            csrf_token=incoming.csrf_token,
            language=language,
            phrases=_phrases()[language],
            pool_id=incoming.pool.pool_id,
            style=style,
        )
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # No `form-action`: Chromium holds it against the redirects after the post too, and they lead to the application.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    response = HTMLResponse(
        text,
        status_code=status,
        headers={
            "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
            "content-language": language,
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        },
    )
    if incoming.query.get("lang") == language:
        response.set_cookie(
            "lang",
            language,
            max_age=_LANG_COOKIE_SECONDS,
            path=incoming.place.cookie_path,
            secure=incoming.place.secure,
            httponly=True,
            samesite="lax",
        )
    return response


def _language(incoming: Incoming) -> str:
    """Return the language asked for now, or remembered from before, or English."""
    for wanted in (incoming.query.get("lang"), incoming.cookies.get("lang")):
        if wanted in _phrases():
            return str(wanted)
    return "en"


@cache
def _environment() -> Environment:
    loader = PackageLoader(_PACKAGE)
    return Environment(autoescape=True, loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    return files(_PACKAGE).joinpath("templates", "style.css").read_text(encoding="utf-8")


@cache
def _phrases() -> dict[str, dict[str, str]]:
    """Return the phrases by the language tags of `lang` that managed login documents."""
    content: dict[str, dict[str, str]] = json.loads(
        files(_PACKAGE).joinpath("templates", "phrases.json").read_text(encoding="utf-8")
    )
    return content
