"""What a person does about their account: sign up, confirm it, reset or change the password.

Decides the steps and their pages. Codes are not sent anywhere: they are in the log and in `EmulatedPool.messages`.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-endpoints.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from cognito_oidc.emulator import pages, sessions
from cognito_oidc.emulator.app_clients import LOCAL_USERS
from cognito_oidc.emulator.authorization import RefusedError, judge, redirect
from cognito_oidc.emulator.directory import CodeRefusedError
from cognito_oidc.emulator.pages import Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from cognito_oidc.emulator.addresses import Incoming
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.users import EmulatedUser

_SIGN_UP_CLOSED: Final = "SignUp is not permitted for this user pool"
_NO_ADDRESS: Final = "Cannot reset password for the user as there is no registered/verified email or phone_number"
_NOT_IN_THIS_STATE: Final = "User password cannot be reset in the current state."
_USERNAME: Final = Field("username", "username", "text", "username")
_EMAIL: Final = Field("email", "email", "email", "email")
_PASSWORD: Final = Field("password", "password", "password", "new-password")
_CODE: Final = Field("code", "code", "text", "one-time-code")
_NEW_PASSWORDS: Final = (
    Field("new_password", "new_password", "password", "new-password"),
    Field("new_password_again", "new_password_again", "password", "new-password"),
)


def sign_up_page(incoming: Incoming) -> Response:
    """Answer `GET /signup`."""
    return _answer(incoming, lambda _: _sign_up_form(incoming, problem=_closed(incoming)), is_form=False)


def sign_up(incoming: Incoming) -> Response:
    """Answer `POST /signup`: make an unconfirmed person and ask for the code."""

    def act(_: Demand) -> Response:
        pool, form = incoming.pool, incoming.form
        names = [field.name for field in _sign_up_fields(incoming)]
        problem = _closed(incoming) or pool.password_policy.problem(form.get("password", ""))
        if missing := [name for name in names if not form.get(name, "").strip()]:
            problem = f"Required String parameter '{missing[0]}' is not present"
        if form.get("username", "") in pool.users:
            problem = "user_exists"
        if problem is not None:
            return _sign_up_form(incoming, problem=problem)
        attributes = {name: form[name][:2_048] for name in names if name not in {"username", "password"}}
        user = pool.create_user(
            form["username"],
            password=form["password"],
            status="UNCONFIRMED",
            attributes=attributes | {"email_verified": "false"},
        )
        pool.send_code(user, "sign_up")
        return confirm_page(incoming, user)

    return _answer(incoming, act)


def confirm_page(incoming: Incoming, user: EmulatedUser, *, problem: str | None = None) -> Response:
    """Return the page that asks an unconfirmed person for the code."""
    return pages.form(
        incoming,
        "confirm_title",
        text="code_text",
        problem=problem,
        action=_url(incoming, "confirm"),
        fields=(_CODE,),
        submit="confirm",
        hidden=_challenge(incoming, user, "sign_up"),
        resend=_url(incoming, "resendcode"),
        back=_url(incoming, "login"),
    )


def confirm(incoming: Incoming) -> Response:
    """Answer `POST /confirm`: the person exists from now on, and is signed in."""

    def act(demand: Demand) -> Response:
        user = _challenged(incoming, "sign_up")
        if user is None:
            raise RefusedError(_nowhere(incoming))
        try:
            incoming.pool.confirm_user(user, incoming.form.get("code", ""))
        except CodeRefusedError as refused:
            return confirm_page(incoming, user, problem=refused.phrase)
        return _signed_in(incoming, demand, user)

    return _answer(incoming, act)


def resend_code(incoming: Incoming) -> Response:
    """Answer `POST /resendcode`: another code, and the same page."""

    def act(_: Demand) -> Response:
        user = _challenged(incoming, "sign_up")
        if user is None:
            raise RefusedError(_nowhere(incoming))
        incoming.pool.send_code(user, "sign_up")
        return confirm_page(incoming, user)

    return _answer(incoming, act)


def confirm_by_link(incoming: Incoming) -> Response:
    """Answer `GET /confirmUser`, the link of a verification mail; its parameters are those of many mails seen."""
    user = incoming.pool.users.get(incoming.query.get("user_name", ""))
    if user is None or incoming.query.get("client_id") not in incoming.pool.clients:
        return _nowhere(incoming)
    try:
        incoming.pool.confirm_user(user, incoming.query.get("confirmation_code", ""))
    except CodeRefusedError as refused:
        return pages.form(incoming, "confirm_title", problem=refused.phrase)
    return pages.form(incoming, "confirmed_title", text="confirmed_text")


def forgot_password_page(incoming: Incoming) -> Response:
    """Answer `GET /forgotPassword`."""
    return _answer(incoming, lambda _: _forgot_form(incoming, problem=None), is_form=False)


def forgot_password(incoming: Incoming) -> Response:
    """Answer `POST /forgotPassword`; it does not tell whether there is such a person."""

    def act(_: Demand) -> Response:
        user = incoming.pool.users.get(incoming.form.get("username", ""))
        if user is not None and user.password is not None:
            if user.status == "FORCE_CHANGE_PASSWORD":
                return _forgot_form(incoming, problem=_NOT_IN_THIS_STATE)
            if not user.has_verified_address:
                return _forgot_form(incoming, problem=_NO_ADDRESS)
            incoming.pool.send_code(user, "forgot_password")
        return _reset_form(incoming, user, problem=None)

    return _answer(incoming, act)


def reset_password(incoming: Incoming) -> Response:
    """Answer `POST /confirmforgotPassword`: with the code comes a new password, and then the login page."""

    def act(_: Demand) -> Response:
        if incoming.form.get("session") is None:
            raise RefusedError(_nowhere(incoming))
        user = _challenged(incoming, "forgot_password")
        problem = _new_password_problem(incoming)
        if problem is not None or user is None:
            return _reset_form(incoming, user, problem=problem or "code_mismatch")
        try:
            incoming.pool.use_code(user, "forgot_password", incoming.form.get("code", ""))
        except CodeRefusedError as refused:
            return _reset_form(incoming, user, problem=refused.phrase)
        user.password, user.status = incoming.form["new_password"], "CONFIRMED"
        return redirect(_url(incoming, "login"))

    return _answer(incoming, act)


def change_page(incoming: Incoming, user: EmulatedUser, *, problem: str | None = None) -> Response:
    """Return the page that asks for a new password in place of a temporary one."""
    return pages.form(
        incoming,
        "change_title",
        text="change_text",
        problem=problem,
        action=_url(incoming, "login"),
        fields=_NEW_PASSWORDS,
        submit="change",
        hidden=_challenge(incoming, user, "new_password"),
    )


def change_password(incoming: Incoming, demand: Demand) -> Response:
    """Answer the form of `change_page`: `FORCE_CHANGE_PASSWORD` becomes `CONFIRMED`, and the person is signed in."""
    user = _challenged(incoming, "new_password")
    if user is None:
        return _nowhere(incoming)
    problem = _new_password_problem(incoming)
    if problem is not None:
        return change_page(incoming, user, problem=problem)
    user.password, user.status = incoming.form["new_password"], "CONFIRMED"
    return _signed_in(incoming, demand, user)


def not_reached_by_link(incoming: Incoming) -> Response:
    """Answer GET where only a form leads: the page cannot be opened by itself."""
    return _nowhere(incoming)


def _answer(incoming: Incoming, act: Callable[[Demand], Response], *, is_form: bool = True) -> Response:
    """Check the form's origin and the authorization request behind it, then act."""
    try:
        if is_form:
            sessions.check_form(incoming)
        demand = judge(incoming)
        if not demand.takes_passwords:
            return _nowhere(incoming)
        return act(demand)
    except RefusedError as refused:
        return refused.response


def _signed_in(incoming: Incoming, demand: Demand, user: EmulatedUser) -> Response:
    if not user.enabled:
        return pages.error(incoming, "User is not enabled.", status=400)
    context = sessions.password_context(incoming)
    return sessions.sign_in(incoming, demand, user, provider=LOCAL_USERS, context=context)


def _sign_up_fields(incoming: Incoming) -> tuple[Field, ...]:
    more = sorted(incoming.pool.required_attributes - {"email", "email_verified", "phone_number_verified"})
    return (_USERNAME, _EMAIL, *(Field(name, name, "text", "off") for name in more), _PASSWORD)


def _sign_up_form(incoming: Incoming, *, problem: str | None) -> Response:
    values = {field.name: incoming.form.get(field.name, "") for field in _sign_up_fields(incoming)}
    return pages.form(
        incoming,
        "sign_up",
        problem=problem,
        action=_url(incoming, "signup"),
        fields=tuple(field.filled(values[field.name]) for field in _sign_up_fields(incoming)),
        submit="sign_up",
        back=_url(incoming, "login"),
    )


def _forgot_form(incoming: Incoming, *, problem: str | None) -> Response:
    return pages.form(
        incoming,
        "reset_title",
        text="reset_text",
        problem=problem,
        action=_url(incoming, "forgotPassword"),
        fields=(_USERNAME.filled(incoming.form.get("username", "")),),
        submit="send_code",
        back=_url(incoming, "login"),
    )


def _reset_form(incoming: Incoming, user: EmulatedUser | None, *, problem: str | None) -> Response:
    return pages.form(
        incoming,
        "reset_title",
        text="code_text",
        problem=problem,
        action=_url(incoming, "confirmforgotPassword"),
        fields=(_CODE, *_NEW_PASSWORDS),
        submit="change",
        hidden=_challenge(incoming, user, "forgot_password"),
        back=_url(incoming, "login"),
    )


def _closed(incoming: Incoming) -> str | None:
    return None if incoming.pool.self_sign_up else _SIGN_UP_CLOSED


def _new_password_problem(incoming: Incoming) -> str | None:
    new = incoming.form.get("new_password", "")
    if new != incoming.form.get("new_password_again", ""):
        return "passwords_differ"
    return incoming.pool.password_policy.problem(new)


def _challenge(incoming: Incoming, user: EmulatedUser | None, purpose: str) -> dict[str, str]:
    """Return the hidden field that says who filled in the form before this one."""
    now = incoming.pool.surroundings.clock()
    return {"session": incoming.pool.ledger.add_challenge(user, purpose, now)}


def _challenged(incoming: Incoming, purpose: str) -> EmulatedUser | None:
    now = incoming.pool.surroundings.clock()
    return incoming.pool.ledger.find_challenge(incoming.form.get("session", ""), purpose, now)


def _nowhere(incoming: Incoming) -> Response:
    """Return the page for a step that cannot be taken now: too late, or out of order."""
    return pages.error(incoming, "", status=400)


def _url(incoming: Incoming, page: str) -> str:
    return f"{incoming.place.root}/{page}?{urlencode(incoming.query)}"
