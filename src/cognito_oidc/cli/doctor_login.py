"""What the authorize endpoint takes: the app client, its callback URLs, its scopes, and the provider.

Decides what each answer says about one setting, by what differs between two requests: one that was taken and one that
was not. Pure: the answers are handed in. Sentences of Cognito's error page are shown and never matched on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.doctor_profile import LOCAL_USERS
from cognito_oidc.cli.findings import good, unknown, wrong
from cognito_oidc.cli.spelling import differences, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_oidc.cli.doctor_profile import Subject
    from cognito_oidc.cli.findings import Check
    from cognito_oidc.protocol.authorize_answer import AuthorizeAnswer

    Answers = Mapping[str, AuthorizeAnswer | None]

_TAKEN: Final = ("login", "provider")
_BEYOND_THE_CLIENT: Final = ("redirect_mismatch", "invalid_scope")  # said of a client that is known and may log in
_CALLBACK_TOPIC: Final = "invalid_scope, invalid_request at the callback"
_KNOWN_PROVIDERS: Final = (LOCAL_USERS, "Google", "Facebook", "LoginWithAmazon", "SignInWithApple")
_NO_WORD: Final = (
    "Cognito tells this on its own error page, in the browser of the person who logs in. The application is told "
    "nothing: nobody comes back, and no log has a line about it."
)


def is_taken(answer: AuthorizeAnswer | None) -> bool:
    """Tell whether a login would begin."""
    return answer is not None and answer.outcome in _TAKEN


def knows_callback(uri: str, answer: AuthorizeAnswer | None) -> bool:
    """Tell whether the callback URL is registered: a login begins, or the error itself is sent there."""
    if answer is None:
        return False
    returned = (
        answer.outcome == "refused" and answer.target.partition("?")[0].partition("#")[0] == uri.partition("?")[0]
    )
    return is_taken(answer) or returned


def provider_spellings(name: str) -> tuple[str, ...]:
    """Return other spellings of a provider's name to ask for, likeliest first."""
    known = [each for each in _KNOWN_PROVIDERS if each.casefold() == name.casefold()]
    spellings = (*known, name.strip(), name[:1].upper() + name[1:], name.capitalize(), name.upper(), name.lower())
    return tuple(dict.fromkeys(one for one in spellings if one and one != name))


def judge_client(subject: Subject, answers: Answers, *, other_domain: str | None = None) -> Check:
    """Judge whether the app client exists and may begin a login.

    Args:
        subject: What is looked at.
        answers: Callback URL to what came of a login with it; None where no answer came.
        other_domain: The domain that discovery names, where it is not the profile's.
    """
    about = "app client"
    came = [answer for answer in answers.values() if answer is not None]
    if any(is_taken(one) or one.error_code in _BEYOND_THE_CLIENT for one in came):
        return good(about, f"Cognito knows {subject.client_id}, and it may begin a login.")
    refused = next((one for one in came if one.outcome == "refused"), None)
    if refused is None:
        return unknown(about, _unclear(came))
    if refused.error_code == "unauthorized_client":
        return wrong(
            about,
            code="unauthorized_client",
            found=f"{subject.app_client} may not use the authorization code grant: unauthorized_client.",
            silence="An app client that the API makes has no OAuth at all until it is switched on, and looks complete.",
            cure=(
                "In the console, App clients, Login pages: switch on Authorization code grant. By the API, "
                "AllowedOAuthFlowsUserPoolClient must be true and AllowedOAuthFlows must have code; "
                "UpdateUserPoolClient resets what it is not given."
            ),
            topic="unauthorized_client at the callback",
        )
    return _login_refused(subject, refused, other_domain)


def _login_refused(subject: Subject, refused: AuthorizeAnswer, other_domain: str | None) -> Check:
    """Return the finding about a login that is refused in words nobody has documented."""
    said = f"says '{refused.error}'" if refused.error else f"answers {refused.status} and nothing else"
    domain = ""
    if other_domain is not None:
        domain = f"Discovery names another domain, {other_domain}: try it in {subject.setting('domain')} first. "
    return wrong(
        "app client",
        code="login_refused",
        found=f"The login of {subject.app_client} is refused: Cognito {said}.",
        silence=_NO_WORD,
        cure=(
            f"{domain}Compare {subject.setting('client_id')} with the console: it must be of this very pool. If it "
            "is, look whether the app client has any identity provider (Cognito user pool directory, or others) "
            "switched on."
        ),
        topic="Login option is not available. Please try another one",
    )


def judge_callback(subject: Subject, uri: str, answer: AuthorizeAnswer | None, spellings: Answers) -> Check:
    """Judge whether a callback URL is registered.

    Args:
        subject: What is looked at.
        uri: The callback URL.
        answer: What came of a login with it.
        spellings: Other spellings of it to what came of a login with them.
    """
    about = "callback URL"
    if knows_callback(uri, answer):
        return good(about, f"Cognito takes {uri}.")
    if answer is None or answer.error_code != "redirect_mismatch":
        return unknown(about, f"Whether {uri} is registered cannot be told: {_unclear([answer] if answer else [])}")
    registered = next((one for one, came in spellings.items() if knows_callback(one, came)), None)
    cure = (
        f"Add exactly {visible(uri)} to the callback URLs of {subject.app_client} (console: App clients, Login pages)"
    )
    if registered is not None:
        told = ", ".join(differences(uri, registered))
        cure = (
            f"{visible(registered)} is registered, which has {told}. Change {subject.setting('redirect_uris')} to it, "
            f"or add {visible(uri)} to the callback URLs of the app client"
        )
    return wrong(
        about,
        code="redirect_mismatch",
        found=f"{visible(uri)} is not among the callback URLs of {subject.app_client}: redirect_mismatch.",
        silence=f"{_NO_WORD} Sending it back would help whoever put a false address into the link.",
        cure=f"{cure}; they are compared character by character.",
        topic="redirect_mismatch",
    )


def judge_scopes(subject: Subject, answer: AuthorizeAnswer | None, single: Answers) -> Check:
    """Judge whether the scopes may be asked for.

    Args:
        subject: What is looked at.
        answer: What came of a login with all of them.
        single: Scope to what came of a login with it (beside `openid`).
    """
    about, asked = "scopes", " ".join(subject.scopes)
    if is_taken(answer):
        without = "" if "openid" in subject.scopes else " Without openid there is no ID token, and userInfo refuses."
        return good(about, f"Cognito takes {asked}.{without}")
    if answer is None or answer.error_code != "invalid_scope":
        return unknown(
            about, f"Whether {asked} may be asked for cannot be told: {_unclear([answer] if answer else [])}"
        )
    refused = [scope for scope, came in single.items() if came is not None and came.error_code == "invalid_scope"]
    which = ", ".join(map(visible, refused)) or f"one of {asked}"
    return wrong(
        about,
        code="invalid_scope",
        found=f"{subject.app_client} may not ask for {which}: invalid_scope.",
        silence=(
            "Cognito refuses the whole login and does not name the scope; discovery lists scopes of the pool, not of "
            "the client."
        ),
        cure=(
            "Switch it on for the app client (console: App clients, Login pages, OpenID Connect scopes or Custom "
            f"scopes), or take it out of {subject.setting('scopes')}. A custom scope needs its resource server first."
        ),
        topic=_CALLBACK_TOPIC,
    )


def judge_provider(
    subject: Subject, provider: str, *, plain: AuthorizeAnswer | None, named: AuthorizeAnswer | None, spellings: Answers
) -> Check:
    """Judge whether people can sign in with a provider: the same login is asked for with and without its name.

    Args:
        subject: What is looked at.
        provider: Its name.
        plain: What came of the login without the name.
        named: What came of the login with it.
        spellings: Other spellings of the name to what came of a login with them.
    """
    about = "provider"
    if named is not None and named.outcome == "provider":
        return good(about, f"A login with {provider} leaves for another host, as it should.")
    if named is not None and named.outcome == "login":
        if provider == LOCAL_USERS:
            return good(about, "A login with COGNITO shows the pool's own login page.")
        said = (
            f"A login with {provider} shows the pool's own page, and not the provider's: it may be one that posts a "
            "form."
        )
        return unknown(about, said)
    if named is None or named.outcome != "refused" or not is_taken(plain):
        return unknown(about, f"Whether {provider} is offered cannot be told: {_unclear([named] if named else [])}")
    if named.error_code is not None and any(knows_callback(uri, named) for uri in subject.callbacks):
        said = f"Cognito knows {provider} and could not begin with it: {named.error}. Look at the provider's addresses."
        return unknown(about, said)
    offered = next((one for one, came in spellings.items() if is_taken(came)), None)
    cure = (
        f"Create the provider under exactly this name, or switch it on for {subject.app_client} (console: App "
        "clients, Login pages, Identity providers)."
    )
    if offered is not None:
        cure = (
            f"{visible(offered)} is offered: write that into {subject.setting('provider')}. Upper and lower case count."
        )
    words = f": Cognito says '{named.error}'" if named.error else ""
    return wrong(
        about,
        code="login_option_not_available",
        found=f"{subject.app_client} does not offer a provider named {visible(provider)}{words}.",
        silence=f"{_NO_WORD} The words are the same for a provider that is not there, not switched on, or misspelt.",
        cure=cure,
        topic="Login option is not available. Please try another one",
    )


def _unclear(answers: list[AuthorizeAnswer]) -> str:
    """Say why answers do not tell."""
    if not answers:
        return "no answer came."
    answer = answers[0]
    if answer.outcome == "refused":
        said = answer.error or f"status {answer.status}"
        return f"the login is refused for another reason ({said})."
    if answer.outcome in _TAKEN:
        return "the login begins."
    return f"the answer has status {answer.status} and says nothing about it."
