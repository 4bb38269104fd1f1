"""Bars in SVG: no library, and legible on a light and on a dark page, since the picture brings its own paper."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 760
_LABELS: Final = 248  # where bars begin
_ROW: Final = 27
_MOST_STEPS: Final = 8
_TOP: Final = 88
FONT: Final = "font-family='system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif'"
_COLOURS: Final = {"ours": "#0a63c9", "peer": "#a9b4c2", "limit": "#3a4452"}


class Bar(NamedTuple):
    """A bar.

    Attributes:
        label: What stands left of it.
        value: Its length, in the unit of the axis.
        note: What stands right of it.
        kind: `ours`, `peer` or `limit`.
    """

    label: str
    value: float
    note: str
    kind: str = "peer"


def bars(title: str, subtitle: str, rows: Sequence[Bar], *, goal: float | None = None, axis: str = "") -> str:
    """Return a picture of horizontal bars.

    Args:
        title: What is shown.
        subtitle: How to read it.
        rows: The bars, from top to bottom.
        goal: Where a dashed line stands, in the unit of the axis.
        axis: What the axis counts.
    """
    longest = max(row.value for row in rows)
    room = _WIDTH - _LABELS - 138
    bottom = _TOP + len(rows) * _ROW
    height = bottom + 44
    step = next(step for power in range(-1, 9) for step in _steps(power) if longest / step <= _MOST_STEPS)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' role='img' {FONT}>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height}' rx='10' fill='#fbfcfd' stroke='#dde3ea'/>",
        f"<text x='20' y='33' font-size='17' font-weight='600' fill='#17202b'>{escape(title)}</text>",
        f"<text x='20' y='54' font-size='12.5' fill='#566273'>{escape(subtitle)}</text>",
    ]
    for tick in range(int(longest / step) + 1):
        x = _LABELS + room * tick * step / longest
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{_TOP - 6}' y2='{bottom}' stroke='#e6ebf1'/>")
        parts.append(text(x, bottom + 16, f"{tick * step:g}", "middle", 11.5, "#566273"))
    parts.append(text(_LABELS + room / 2, bottom + 33, axis, "middle", 11.5, "#566273"))
    if goal is not None:
        x = _LABELS + room * goal / longest
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{_TOP - 6}' y2='{bottom}' stroke='#d0541b' stroke-dasharray='4 3'/>"
        )
        parts.append(text(x, _TOP - 9, f"goal {goal:g}", "middle", 11, "#b3430f"))
    for index, row in enumerate(rows):
        y = _TOP + index * _ROW
        length = max(1.5, room * row.value / longest)
        weight = "600" if row.kind == "ours" else "400"
        parts.append(text(_LABELS - 10, y + 14.5, row.label, "end", 12.5, "#17202b", weight))
        parts.append(
            f"<rect x='{_LABELS}' y='{y + 1}' width='{length:.1f}' height='18' rx='3' fill='{_COLOURS[row.kind]}'/>"
        )
        parts.append(text(_LABELS + length + 7, y + 14.5, row.note, "start", 12.5, "#17202b", weight))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _steps(power: int) -> tuple[float, float, float]:
    return (10.0**power, 2 * 10.0**power, 5 * 10.0**power)


def text(x: float, y: float, text: str, anchor: str, size: float, colour: str, weight: str = "400") -> str:  # noqa: PLR0917 - SVG's own
    """Return a line of text on the picture's paper."""
    halo = "stroke='#fbfcfd' stroke-width='4' paint-order='stroke'"  # lines stay legible behind it
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}'"
        f" fill='{colour}' {halo}>{escape(text)}</text>"
    )
