"""Draw docs/images/{login,two-pools,key-set,rings}.svg from the code: its functions, its policy, its imports.

Run by `make diagrams`. A function that a picture names must exist, the ages are those of `CachePolicy`, and the boxes
and counts of the rings come from the import graph that import-linter reads. A test holds the pictures to what this
draws; that of the rings changes with every import, so it is not kept: each build of the documentation draws it.
"""

from __future__ import annotations

from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import grimp

from benchmarks.drawing import FONT, text
from cognito_oidc import CachePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DRAWN_ANEW: Final = "rings"
IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
_WIDTH: Final = 760
_INK: Final = "#17202b"
_SOFT: Final = "#566273"
_OURS: Final = "#0a63c9"
_LINE: Final = "#c4ced9"
_MARK: Final = (
    "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' markerHeight='8' orient='auto'>"
    f"<path d='M0 0 8 4 0 8z' fill='{_SOFT}'/></marker></defs>"
)


def _paper(title: str, subtitle: str, height: float, parts: Sequence[str]) -> str:
    """Return a picture: its paper, its title, and what stands on it."""
    head = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' role='img' {FONT}>",
        f"<title>{escape(title)}</title>",
        _MARK,
        f"<rect width='{_WIDTH}' height='{height:.0f}' rx='10' fill='#fbfcfd' stroke='#dde3ea'/>",
        text(20, 33, title, "start", 17, _INK, "600"),
        text(20, 54, subtitle, "start", 12.5, _SOFT),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def name_of(where: str, *names: str) -> str:
    """Return names of a module as a picture shows them, after a look whether they are there."""
    module = import_module(f"cognito_oidc.{where}".rstrip("."))
    for name in names:
        found: object = module
        for part in name.split("."):
            found = getattr(found, part)
    return " · ".join(names)


# --- who speaks with whom ---------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """An arrow from one lane to another, or a box in one: what is sent or done, and what of the code does it."""

    sender: int
    receiver: int
    what: str
    code: str = ""


def _lanes(title: str, subtitle: str, lanes: Sequence[str], steps: Sequence[Step]) -> str:
    """Return a picture of lanes and the steps between them, from top to bottom."""
    room = (_WIDTH - 40) / len(lanes)
    places = [20 + room * (index + 0.5) for index in range(len(lanes))]
    top, row = 92, 48
    bottom = top + 34 + row * len(steps)
    parts = []
    for place, name in zip(places, lanes, strict=True):
        parts.append(f"<line x1='{place:.1f}' x2='{place:.1f}' y1='{top}' y2='{bottom}' stroke='{_LINE}'/>")
        width = min(room - 14, 150)
        parts.append(
            f"<rect x='{place - width / 2:.1f}' y='{top - 20}' width='{width:.1f}' height='30' rx='6' fill='#e8eef5'/>"
        )
        parts.append(text(place, top, name, "middle", 12.5, _INK, "600"))
    for index, step in enumerate(steps):
        y = top + 48 + index * row
        start, end = places[step.sender], places[step.receiver]
        if step.sender == step.receiver:
            parts.append(f"<circle cx='{start:.1f}' cy='{y}' r='5' fill='{_OURS}'/>")
            side, anchor = (-12, "end") if step.sender == len(lanes) - 1 else (12, "start")
            parts.append(text(start + side, y - 2, step.what, anchor, 12, _INK))
            parts.append(text(start + side, y + 13, step.code, anchor, 11, _OURS))
            continue
        shift = 3 if end > start else -3
        parts.append(
            f"<line x1='{start:.1f}' x2='{end - shift:.1f}' y1='{y}' y2='{y}' stroke='{_SOFT}' stroke-width='1.4'"
            " marker-end='url(#tip)'/>"
        )
        middle = (start + end) / 2
        parts.append(text(middle, y - 7, step.what, "middle", 12, _INK))
        parts.append(text(middle, y + 14, step.code, "middle", 11, _OURS))
    return _paper(title, subtitle, bottom + 18, [part for part in parts if "></text>" not in part])


def login() -> str:
    """Return the picture of a login."""
    return _lanes(
        "A login",
        "The authorization code flow with PKCE. Blue: what of the library does it",
        ("Browser", "Application", "Cognito's domain", "Cognito's issuer"),
        (
            Step(0, 1, "opens a page"),
            Step(1, 1, "makes state, nonce, verifier", name_of("client", "CognitoClient.authorization_request")),
            Step(1, 0, "redirect, and a cookie", name_of("", "AuthorizationRequest.seal")),
            Step(0, 2, "the person signs in on Cognito's pages"),
            Step(2, 0, "redirect to the callback, with code and state"),
            Step(0, 1, "code, state, cookie", name_of("", "AuthorizationRequest.unseal")),
            Step(1, 1, "the state must be the request's", name_of("protocol.callback", "parse_callback")),
            Step(1, 2, "code and verifier", name_of("protocol.tokens", "code_exchange_request")),
            Step(2, 1, "tokens", name_of("protocol.tokens", "parse_token_response")),
            Step(1, 3, "keys, once for all logins", name_of("protocol.jwks", "parse_key_set")),
            Step(1, 1, "signature, nonce, at_hash, times", name_of("", "TokenVerifier.verify_id_token")),
            Step(1, 0, "the person is logged in", name_of("", "TokenSet")),
        ),
    )


def two_pools() -> str:
    """Return the picture of a login through two pools."""
    return _lanes(
        "One pool signs its people in through another",
        "The downstream pool is the application's; the upstream pool is its OpenID provider",
        ("Browser", "Application", "Downstream pool", "Upstream pool"),
        (
            Step(1, 0, "redirect to Corp", name_of("", "CognitoClient.authorization_request")),
            Step(0, 2, "/oauth2/authorize"),
            Step(2, 0, "redirect with a state and nonce of its own"),
            Step(0, 3, "/oauth2/authorize, and the person signs in there"),
            Step(3, 0, "redirect with a code of its own"),
            Step(0, 2, "/oauth2/idpresponse", name_of("", "Federation.callback_url")),
            Step(2, 3, "code and secret"),
            Step(3, 2, "ID token, verified there"),
            Step(2, 3, "userInfo"),
            Step(2, 2, "user Corp_…, attributes mapped", name_of("", "Federation.identity_provider")),
            Step(2, 0, "redirect with the application's code"),
            Step(0, 1, "code and state", name_of("", "CognitoClient.exchange_code")),
            Step(1, 2, "code and verifier"),
            Step(2, 1, "tokens, with identities", name_of("", "IdTokenClaims.identities")),
        ),
    )


# --- the ages of a key set --------------------------------------------------------------------------------------------


def key_set() -> str:
    """Return the picture of a key set's states."""
    policy = CachePolicy()
    colours = {"fresh": "#2f8f5b", "soft": "#8aa82a", "hard": "#d58a17", "dead": "#b5342b"}
    states = (
        ("fresh", 0.0, policy.soft_after, "used", "only for an unknown kid"),
        ("soft", policy.soft_after, policy.hard_after, "used", "one, nobody waits"),
        ("hard", policy.hard_after, policy.dead_after, "used, and said so", f"one caller waits {policy.hard_wait:g} s"),
        ("dead", policy.dead_after, None, "not used: 503", "everybody waits for one"),
    )
    room, top = (_WIDTH - 40) / len(states), 96
    parts = []
    for index, (name, begin, _, keys, fetch) in enumerate(states):
        x = 20 + index * room
        parts.append(f"<rect x='{x:.1f}' y='{top}' width='{room - 4:.1f}' height='34' rx='5' fill='{colours[name]}'/>")
        parts.append(
            f"<text x='{x + room / 2:.1f}' y='{top + 22}' font-size='14' font-weight='600' text-anchor='middle'"
            f" fill='#ffffff'>{name}</text>"
        )
        parts.append(text(x, top - 8, _age(begin), "start", 11.5, _SOFT))
        parts.append(text(x + 4, top + 58, "keys", "start", 11, _SOFT))
        parts.append(text(x + 4, top + 75, keys, "start", 12.5, _INK))
        parts.append(text(x + 4, top + 98, "fetch", "start", 11, _SOFT))
        parts.append(text(x + 4, top + 115, fetch, "start", 12.5, _INK))
    y = top + 150
    parts.append(
        f"<path d='M{_WIDTH - 40} {y - 16} V{y} H40 V{y - 16}' fill='none' stroke='{_SOFT}' stroke-width='1.4'"
        " marker-end='url(#tip)'/>"
    )
    parts.append(
        text(_WIDTH / 2, y + 18, "a good fetch makes a set fresh, and replaces every key of it", "middle", 12, _INK)
    )
    subtitle = "By the time since its last good fetch; the numbers are CachePolicy's"
    return _paper("The states of a key set", subtitle, y + 40, parts)


def _age(seconds: float) -> str:
    minute, hour = 60, 3600
    if seconds >= 2 * hour:
        return f"{seconds / hour:g} h"
    return f"{seconds / minute:g} min" if seconds else "fetched"


# --- the rings --------------------------------------------------------------------------------------------------------

_RINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "3  what others plug in, and users of the library": ("integrations", "emulator", "testing", "cli", "__main__"),
    "2  how bytes move, and in which order": (),  # whatever is in no other
    "1  what is true: values in, values out": ("protocol",),
    "0  every exception, in one tree": ("errors", "_frozen"),
}


def rings() -> str:
    """Return the picture of the rings: their modules, and how many imports lead from one to another."""
    graph = grimp.build_graph(
        "cognito_oidc", include_external_packages=False, exclude_type_checking_imports=True, cache_dir=None
    )
    modules = sorted(name for name in graph.modules if name != "cognito_oidc")
    ring_of = {name: _ring(name) for name in modules}
    names = list(_RINGS)
    parts, y = [], 78.0
    middles = {}
    for ring in names:
        shown = _shown({name for name, its in ring_of.items() if its == ring})
        lines = _wrapped(shown, width=98)
        height = 40 + 17 * len(lines)
        parts.append(f"<rect x='20' y='{y:.0f}' width='640' height='{height}' rx='8' fill='#eef3f8' stroke='#dde3ea'/>")
        parts.append(text(34, y + 22, ring, "start", 13, _INK, "600"))
        parts += [text(34, y + 44 + 17 * index, line, "start", 11.5, _OURS) for index, line in enumerate(lines)]
        middles[ring] = y + height / 2
        y += height + 14
    for index, (upper, lower) in enumerate(_pairs(names)):
        count = sum(
            ring_of.get(imported) == lower
            for importer in modules
            if ring_of[importer] == upper
            for imported in graph.find_modules_directly_imported_by(importer)
        )
        if count:
            x = 672 + 13 * index
            parts.append(
                f"<path d='M660 {middles[upper]:.0f} H{x} V{middles[lower]:.0f} H664' fill='none' stroke='{_SOFT}'"
                " stroke-width='1.2' marker-end='url(#tip)'/>"
            )
            parts.append(text(x, middles[upper] - 6 - 11 * (index % 3), str(count), "middle", 11, _INK))
    subtitle = "Imports lead down only; the numbers count them. Ring 3 reaches ring 2 through the door"
    return _paper("The rings", subtitle, y + 6, parts)


def _ring(module: str) -> str:
    part = module.split(".")[1]
    return next((ring for ring, parts in _RINGS.items() if part in parts), list(_RINGS)[1])


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(upper, lower) for index, upper in enumerate(names) for lower in names[index + 1 :]]


def _shown(modules: set[str]) -> list[str]:
    """Return the files of a ring by their short names; a folder of ring 3 with how many it has."""
    found: dict[str, int] = {}
    for module in modules:
        _, part, *rest = module.split(".")
        inside = part == "protocol" and rest
        found.setdefault(rest[0] if inside else part, 0)
        if rest and not inside:
            found[part] += 1
    found.pop("protocol", None)
    return [f"{name}/ ({count} files)" if count else f"{name}" for name, count in sorted(found.items())]


def _wrapped(words: Sequence[str], *, width: int) -> list[str]:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word}   "
    return [line.strip() for line in lines]


PICTURES: Final[Mapping[str, Callable[[], str]]] = {
    "login": login,
    "two-pools": two_pools,
    "key-set": key_set,
    "rings": rings,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(draw(), encoding="utf-8")
