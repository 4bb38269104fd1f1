"""The base of our own values on the verification path.

`dataclasses` would do the same, but importing it (and `inspect` behind it) costs a third of the time in which a cold
process verifies its first token; each NamedTuple costs a quarter of a millisecond, for it compiles its annotations. Off
that path, values are ordinary frozen dataclasses.
"""

from __future__ import annotations

from typing import ClassVar, Self, dataclass_transform


class Frozen:
    """A value: fields in `__slots__`, set once by its own `__init__` through `_set`, compared by its fields.

    A subclass names in `_hidden` the fields that its repr must not show.
    """

    __slots__ = ()
    _hidden: ClassVar[frozenset[str]] = frozenset()

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for cls in type(self).__mro__ for name in cls.__dict__.get("__slots__", ())}

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a value does not change."""
        msg = f"{type(self).__name__} is frozen; make a new one instead of setting {name!r}."
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        """Refuse: a value does not change."""
        msg = f"{type(self).__name__} is frozen; {name!r} cannot be deleted."
        raise AttributeError(msg)

    def __eq__(self, other: object) -> bool:
        """Compare the fields of two values of one class."""
        if not isinstance(other, Frozen) or type(self) is not type(other):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        """Hash the fields."""
        return hash((type(self), *self._fields().values()))

    def __repr__(self) -> str:
        """Show the fields that may be shown."""
        shown = ", ".join(f"{n}={v!r}" for n, v in self._fields().items() if n not in self._hidden)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy."""
        return _restore, (type(self), self._fields())

    @classmethod
    def _from_fields(cls, fields: dict[str, object]) -> Self:
        value = cls.__new__(cls)
        value._set(**fields)  # noqa: SLF001 - its own class
        return value


@dataclass_transform(frozen_default=True)
class Record(Frozen):
    """A value whose fields are those its class annotates, in that order; what has a default may be left out."""

    def __init__(self, *values: object, **more: object) -> None:
        """Keep the fields."""
        names = type(self).__annotations__
        given = {**dict(zip(names, values, strict=False)), **more}
        missing = [name for name in names if name not in given and not hasattr(type(self), name)]
        if missing or len(given) != len(values) + len(more) or not names.keys() >= given.keys():
            msg = f"{type(self).__name__} takes {', '.join(names)}, each once."
            raise TypeError(msg)
        self.__dict__.update(given)

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in type(self).__annotations__}

    def replaced(self, **changes: object) -> Self:
        """Return a copy in which some fields are others."""
        return type(self)(**{**self._fields(), **changes})


def _restore(cls: type[Frozen], fields: dict[str, object]) -> Frozen:
    return cls._from_fields(fields)
