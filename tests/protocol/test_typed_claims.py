"""What verified tokens say: strict claims as they are, profile claims leniently, and nothing that can be changed."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.protocol.encoding import MAX_DEPTH
from cognito_oidc.protocol.typed_claims import (
    AccessTokenClaims,
    Identity,
    IdTokenClaims,
    TokenClaims,
    freeze,
    maker_of,
    thaw,
)
from tests.factories import ABSENT, CLIENT_ID, ISSUER, NOW, SUB, access_payload, id_payload

LINKED = {
    "userId": "248289761001",
    "providerName": "MyOIDC",
    "providerType": "OIDC",
    "issuer": None,
    "primary": "true",
    "dateCreated": "1642699117273",
}


def access(**changes: object) -> AccessTokenClaims:
    """Return the claims of an access token that differs from a good one, as verifying makes them."""
    return AccessTokenClaims({name: freeze(value) for name, value in access_payload(**changes).items()})


def of_id(**changes: object) -> IdTokenClaims:
    """Return the claims of an ID token that differs from a good one, as verifying makes them."""
    return IdTokenClaims({name: freeze(value) for name, value in id_payload(**changes).items()})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", ISSUER),
        ("sub", SUB),
        ("exp", NOW + 3600),
        ("iat", NOW),
        ("auth_time", NOW),
        ("jti", "b7a1f8a2-0f3c-4bb5-8f0e-2a7f1a6a9c11"),
        ("origin_jti", "0c9b8b5a-3a0e-4c60-9d2c-3cb63e0a1c4a"),
        ("event_id", "8e0f2a56-19c1-4a0f-8e4f-5a9a1f0f1f9d"),
        ("client_id", CLIENT_ID),
        ("scopes", ("openid", "email", "orders/read")),
        ("groups", ("admins", "editors")),
        ("username", "alice"),
        ("version", 2),
        ("aud", "https://api.example.com"),
        ("acr", "urn:cognito:loa:4"),
        ("amr", ("pwd", "otp", "mfa")),
        ("device_key", "eu-west-1_d"),
    ],
)
def test_the_claims_of_an_access_token(name: str, value: object) -> None:
    """Each claim is read under its name, arrays as tuples."""
    claims = access(
        aud="https://api.example.com", acr="urn:cognito:loa:4", amr=["pwd", "otp", "mfa"], device_key="eu-west-1_d"
    )
    assert getattr(claims, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", ISSUER),
        ("sub", SUB),
        ("aud", CLIENT_ID),
        ("username", "alice"),
        ("email", "alice@example.com"),
        ("email_verified", True),
        ("phone_number", "+12065551212"),
        ("phone_number_verified", False),
        ("name", "Alice Liddell"),
        ("given_name", "Alice"),
        ("family_name", "Liddell"),
        ("groups", ("admins",)),
        ("roles", ("arn:aws:iam::111122223333:role/r",)),
        ("preferred_role", "arn:aws:iam::111122223333:role/r"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("at_hash", "t6d-"),
        ("exp", NOW + 3600),
        ("iat", NOW),
        ("auth_time", NOW),
        ("acr", "urn:cognito:loa:1"),
        ("amr", ("fed",)),
    ],
)
def test_the_claims_of_an_id_token(name: str, value: object) -> None:
    """Each claim is read under its name, arrays as tuples."""
    claims = of_id(
        phone_number="+12065551212",
        phone_number_verified=False,
        name="Alice Liddell",
        given_name="Alice",
        family_name="Liddell",
        at_hash="t6d-",
        acr="urn:cognito:loa:1",
        amr=["fed"],
    )
    assert getattr(claims, name) == value


MINIMAL: Mapping[str, object] = {"iss": ISSUER, "sub": SUB, "exp": NOW + 3600, "iat": NOW}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_time", None),
        ("jti", None),
        ("origin_jti", None),
        ("event_id", None),
        ("acr", None),
        ("amr", ()),
        ("groups", ()),
        ("scopes", ()),
        ("username", None),
        ("version", None),
        ("aud", None),
        ("device_key", None),
    ],
)
def test_an_absent_claim_of_an_access_token_is_none_or_empty(name: str, value: object) -> None:
    """A machine token has neither user nor groups; nothing is made up for it."""
    assert getattr(AccessTokenClaims(MINIMAL), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("username", None),
        ("roles", ()),
        ("preferred_role", None),
        ("identities", ()),
        ("nonce", None),
        ("at_hash", None),
        ("email", None),
        ("email_verified", None),
        ("phone_number", None),
        ("phone_number_verified", None),
        ("name", None),
        ("given_name", None),
        ("family_name", None),
    ],
)
def test_an_absent_claim_of_an_id_token_is_none_or_empty(name: str, value: object) -> None:
    """What the token does not say is None, which is not False."""
    assert getattr(IdTokenClaims(MINIMAL), name) == value


@pytest.mark.parametrize("name", ["email_verified", "phone_number_verified"])
@pytest.mark.parametrize(
    ("wire", "value"),
    [
        pytest.param(True, True, id="true"),
        pytest.param(False, False, id="false"),
        pytest.param("true", True, id="string-true"),
        pytest.param("false", False, id="string-false"),
        pytest.param("True", True, id="string-True"),
        pytest.param("FALSE", False, id="string-FALSE"),
        pytest.param("yes", None, id="string-yes"),
        pytest.param("1", None, id="string-1"),
        pytest.param(" true", None, id="string-with-a-space"),
        pytest.param("", None, id="string-empty"),
        pytest.param(1, None, id="number-1"),
        pytest.param(0, None, id="number-0"),
        pytest.param(1.0, None, id="float"),
        pytest.param(None, None, id="null"),
        pytest.param([True], None, id="array"),
        pytest.param({"true": True}, None, id="object"),
    ],
)
def test_a_boolean_of_the_profile_is_read_leniently(name: str, wire: object, value: bool | None) -> None:
    """A Lambda may write booleans as strings; what is no boolean is None, and never counts as verified."""
    assert getattr(of_id(**{name: wire}), name) is value


@pytest.mark.parametrize("name", ["email", "phone_number", "name", "given_name", "family_name"])
@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(None, id="null"),
        pytest.param(1, id="number"),
        pytest.param(True, id="boolean"),
        pytest.param(["a@b.c"], id="array"),
        pytest.param({"value": "a@b.c"}, id="object"),
    ],
)
def test_a_text_of_the_profile_of_another_type_is_none(name: str, wire: object) -> None:
    """A Lambda may write anything; the raw claim keeps it."""
    claims = of_id(**{name: wire})
    assert getattr(claims, name) is None
    assert thaw(claims.raw[name]) == wire


def test_identities_are_converted() -> None:
    """Cognito writes the boolean and the time as strings."""
    assert of_id(identities=[LINKED]).identities == (
        Identity(
            user_id="248289761001",
            provider_name="MyOIDC",
            provider_type="OIDC",
            issuer=None,
            primary=True,
            date_created=1642699117273,
        ),
    )


@pytest.mark.parametrize(
    ("member", "wire", "field", "value"),
    [
        pytest.param("issuer", "https://a", "issuer", "https://a", id="issuer"),
        pytest.param("userId", 5, "user_id", None, id="user-id-number"),
        pytest.param("providerName", None, "provider_name", None, id="provider-name-null"),
        pytest.param("providerType", [], "provider_type", None, id="provider-type-array"),
        pytest.param("primary", False, "primary", False, id="primary-boolean"),
        pytest.param("primary", "false", "primary", False, id="primary-string"),
        pytest.param("primary", 1, "primary", None, id="primary-number"),
        pytest.param("dateCreated", 1642699117273, "date_created", 1642699117273, id="date-number"),
        pytest.param("dateCreated", "0", "date_created", 0, id="date-zero"),
        pytest.param("dateCreated", "9" * 16, "date_created", 10**16 - 1, id="date-16-digits"),
        pytest.param("dateCreated", "9" * 17, "date_created", None, id="date-17-digits"),
        pytest.param("dateCreated", "9" * 9999, "date_created", None, id="date-9999-digits"),
        pytest.param("dateCreated", "-1", "date_created", None, id="date-negative-string"),
        pytest.param("dateCreated", "", "date_created", None, id="date-empty"),
        pytest.param("dateCreated", "1e3", "date_created", None, id="date-exponent"),
        pytest.param("dateCreated", "1_0", "date_created", None, id="date-underscore"),
        pytest.param("dateCreated", "²", "date_created", None, id="date-superscript"),
        pytest.param("dateCreated", "٣", "date_created", None, id="date-digit-of-another-script"),
        pytest.param("dateCreated", True, "date_created", None, id="date-boolean"),
        pytest.param("dateCreated", 1.5, "date_created", None, id="date-float"),
        pytest.param("dateCreated", None, "date_created", None, id="date-null"),
    ],
)
def test_an_odd_member_of_an_identity_is_none(member: str, wire: object, field: str, value: object) -> None:
    """Each member is read leniently; the others are not lost with it."""
    (identity,) = of_id(identities=[LINKED | {member: wire}]).identities
    assert getattr(identity, field) == value


@pytest.mark.parametrize(
    ("wire", "count"),
    [
        pytest.param([], 0, id="empty"),
        pytest.param([LINKED, LINKED], 2, id="two"),
        pytest.param([None, "x", 1, [], LINKED], 1, id="what-is-no-object-is-left-out"),
        pytest.param([{}], 1, id="empty-object"),
        pytest.param(json.dumps([LINKED]), 0, id="a-string-of-json"),
        pytest.param(None, 0, id="null"),
        pytest.param({"0": LINKED}, 0, id="object"),
    ],
)
def test_identities_of_another_form(wire: object, count: int) -> None:
    """Only an array has identities, and only objects are some."""
    assert len(of_id(identities=wire).identities) == count


def test_identities_are_read_where_a_test_made_the_claims() -> None:
    """Claims made directly from a plain payload read the same."""
    assert IdTokenClaims(id_payload(identities=[LINKED])).identities == of_id(identities=[LINKED]).identities


@pytest.mark.parametrize(
    ("wire", "scopes"),
    [
        pytest.param("", (), id="empty"),
        pytest.param("openid", ("openid",), id="one"),
        pytest.param("b a", ("b", "a"), id="in-their-order"),
        pytest.param("  a  b ", ("a", "b"), id="superfluous-spaces"),
        pytest.param("https://api.example.com/read", ("https://api.example.com/read",), id="identifier-is-a-url"),
        pytest.param(
            "a\u00a0admin",
            ("a\u00a0admin",),
            id="no-break-space-separates-nothing",
        ),
        pytest.param(
            "a\tadmin",
            ("a\tadmin",),
            id="tab-separates-nothing",
        ),
    ],
)
def test_scopes_are_split_on_spaces(wire: str, scopes: tuple[str, ...]) -> None:
    """Spaces alone separate scopes (RFC 6749 section 3.3)."""
    assert access(scope=wire).scopes == scopes


CLAIMS = [pytest.param(access, id="access"), pytest.param(of_id, id="id")]


@pytest.mark.parametrize("make", CLAIMS)
def test_claims_cannot_be_set(make: Callable[..., TokenClaims]) -> None:
    """A verified claim stays what it was when it was verified."""
    with pytest.raises(AttributeError):
        make().sub = "evil"  # type: ignore[misc]


@pytest.mark.parametrize("make", CLAIMS)
@pytest.mark.parametrize("name", ["raw", "anything"])
def test_claims_cannot_be_given_attributes(make: Callable[..., TokenClaims], name: str) -> None:
    """Neither the payload can be replaced, nor anything added."""
    with pytest.raises(AttributeError):
        setattr(make(), name, {})


@pytest.mark.parametrize("make", CLAIMS)
def test_claims_cannot_be_deleted(make: Callable[..., TokenClaims]) -> None:
    """Nor can anything be taken away."""
    with pytest.raises(AttributeError):
        del make().raw


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw.__setitem__("sub", "evil"), id="set-a-claim"),
        pytest.param(lambda raw: raw.__delitem__("sub"), id="delete-a-claim"),
        pytest.param(lambda raw: raw.update(sub="evil"), id="update"),
        pytest.param(lambda raw: raw["cognito:groups"].append("root"), id="append-to-an-array"),
        pytest.param(lambda raw: raw["custom"]["a"].__setitem__("b", 1), id="set-at-depth"),
    ],
)
def test_the_raw_payload_cannot_be_changed(change: Callable[[object], object]) -> None:
    """What the memory of verified tokens hands out twice is the same both times."""
    with pytest.raises((TypeError, AttributeError)):
        change(access(custom={"a": {"b": []}}).raw)


@pytest.mark.parametrize("make", CLAIMS)
@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(lambda claims: pickle.loads(pickle.dumps(claims)), id="pickle"),  # noqa: S301 - our own bytes
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
def test_a_copy_is_the_same_value(make: Callable[..., TokenClaims], copied: Callable[[object], TokenClaims]) -> None:
    """Claims go through a queue or a cache and come back equal, of their class, with tuples, and as unchangeable."""
    claims = make(custom={"a": ["b"]})
    again = copied(claims)
    assert type(again) is type(claims)
    assert (again, hash(again), again.groups) == (claims, hash(claims), claims.groups)
    with pytest.raises(TypeError):
        again.raw["custom"]["a"] = "evil"  # type: ignore[index]


@pytest.mark.parametrize(("make", "payload"), [(access, access_payload), (of_id, id_payload)])
def test_the_payload_comes_back_as_plain_json_values(
    make: Callable[..., TokenClaims], payload: Callable[..., dict[str, object]]
) -> None:
    """What a session store keeps is what the token said."""
    members = {"custom": {"a": [1, {"b": None}]}, "identities": [LINKED]}
    assert json.loads(json.dumps(make(**members).to_dict())) == payload(**members)


def test_the_plain_payload_is_a_copy() -> None:
    """Changing it changes no claim."""
    claims = access()
    claims.to_dict()["sub"] = "evil"
    assert claims.sub == SUB


def test_equal_claims_are_equal() -> None:
    """Two verifications of one token give equal claims with one hash."""
    assert access() == access()
    assert hash(access()) == hash(access())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(access(jti="other"), id="another-token"),
        pytest.param(access(scope="openid"), id="other-scopes"),
        pytest.param(access(username=ABSENT), id="no-username"),
        pytest.param(IdTokenClaims(access_payload()), id="another-kind"),
        pytest.param(access_payload(), id="the-payload"),
        pytest.param(None, id="none"),
    ],
)
def test_claims_that_differ_are_not_equal(other: object) -> None:
    """Class and every member count."""
    assert access() != other


def test_a_repr_holds_no_personal_data() -> None:
    """Who and when is in it: an e-mail address, a name or a claim of the pool's own is not."""
    claims = of_id(name="Alice Liddell", phone_number="+12065551212")
    assert repr(claims) == f"IdTokenClaims(sub='{SUB}', exp={NOW + 3600})"


@pytest.mark.parametrize(("kind", "payload"), [(AccessTokenClaims, access_payload), (IdTokenClaims, id_payload)])
def test_a_view_is_the_same_value(kind: type[TokenClaims], payload: Callable[[], dict[str, object]]) -> None:
    """What a verifier makes without a copy equals what is made from the payload, and cannot be changed either."""
    view = maker_of(kind)(kind, {name: freeze(value) for name, value in payload().items()})
    assert (type(view), view) == (kind, kind(payload()))
    with pytest.raises(TypeError):
        view.raw["sub"] = "evil"  # type: ignore[index]


def test_a_class_with_a_constructor_of_its_own_gets_it_called() -> None:
    """A caller's class may make more of the payload; a view would pass it by."""

    class Counted(AccessTokenClaims):
        __slots__ = ("count",)

        def __init__(self, payload: Mapping[str, object]) -> None:
            super().__init__(payload)
            object.__setattr__(self, "count", len(payload))

    made = maker_of(Counted)(Counted, access_payload())
    assert made.count == len(access_payload())  # type: ignore[attr-defined]


def test_claims_that_a_test_made_do_not_change_with_its_payload() -> None:
    """They hold a copy, arrays as tuples."""
    payload = access_payload()
    claims = AccessTokenClaims(payload)
    payload["cognito:groups"] = ["root"]
    assert claims.groups == ("admins", "editors")


def test_a_model_of_the_callers_own_is_a_subclass() -> None:
    """It is named in the repr, compared and hashed like ours."""

    class Claims(AccessTokenClaims):
        @property
        def tenant(self) -> object:
            return self.raw.get("tenant")

    claims = Claims(access_payload(tenant="acme"))
    assert (claims.tenant, repr(claims)) == ("acme", f"Claims(sub='{SUB}', exp={NOW + 3600})")
    assert claims != AccessTokenClaims(access_payload(tenant="acme"))


WRAPS = [pytest.param(lambda inner: [inner], id="arrays"), pytest.param(lambda inner: {"a": inner}, id="objects")]


def wrapped(wrap: Callable[[object], object], levels: int) -> object:
    """Return a number in so many containers."""
    start: object = 1
    return reduce(lambda value, _: wrap(value), range(levels), start)


@pytest.mark.parametrize("wrap", WRAPS)
def test_32_levels_are_frozen(wrap: Callable[[object], object]) -> None:
    """As many containers may stand inside each other as JSON may hold at all."""
    assert thaw(freeze(wrapped(wrap, MAX_DEPTH))) == wrapped(wrap, MAX_DEPTH)


@pytest.mark.parametrize("levels", [33, 150, 5000])
@pytest.mark.parametrize("wrap", WRAPS)
def test_more_levels_are_refused(wrap: Callable[[object], object], levels: int) -> None:
    """What nests deeper is refused before Python's stack is asked."""
    with pytest.raises(ValueError, match=r"^nests deeper than 32 levels$"):
        freeze(wrapped(wrap, levels))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_any_json_value_is_frozen_and_thawed_again(value: object) -> None:
    """No value is lost, and none that could be changed is left."""
    frozen = freeze(value)
    assert thaw(frozen) == value
    assert not isinstance(frozen, list | dict)


TEXTS = ("email", "phone_number", "name", "given_name", "family_name")
FLAGS = ("email_verified", "phone_number_verified")


@given(st.fixed_dictionaries(dict.fromkeys((*TEXTS, *FLAGS, "identities"), json_values)))
def test_any_profile_is_read(profile: dict[str, object]) -> None:
    """No value of a profile claim makes reading raise; texts are texts, booleans are booleans, and the rest is None."""
    claims = of_id(**profile)
    assert all(isinstance(getattr(claims, name), str | None) for name in TEXTS)
    assert all(isinstance(getattr(claims, name), bool | None) for name in FLAGS)
    assert all(isinstance(one, Identity) for one in claims.identities)


def test_a_frozen_object_is_a_read_only_mapping() -> None:
    """Objects become mapping proxies, arrays tuples, at every level."""
    assert freeze({"a": [{"b": []}]}) == MappingProxyType({"a": (MappingProxyType({"b": ()}),)})


@pytest.mark.parametrize("value", [float("inf"), [float("-inf")], {"a": [float("inf")]}])
def test_a_number_without_end_is_not_frozen(value: object) -> None:
    """What could not be written as JSON again never gets into claims."""
    with pytest.raises(ValueError, match="holds a number without end"):
        freeze(value)
