import copy
import pickle
from unittest import mock

import pytest

from cognito_oidc._frozen import Frozen


class Point(Frozen):
    __slots__ = ("secret", "x")
    _hidden = frozenset({"secret"})

    def __init__(self, x: object, secret: object = "s3cret") -> None:
        self._set(x=x, secret=secret)


class Other(Frozen):
    __slots__ = ("secret", "x")

    def __init__(self, x: object, secret: object = "s3cret") -> None:
        self._set(x=x, secret=secret)


class Deeper(Point):
    __slots__ = ("y",)

    def __init__(self, x: object, y: object) -> None:
        super().__init__(x)
        self._set(y=y)


def test_a_field_cannot_be_set() -> None:
    """A value refuses a new value for a field, and says what to do instead."""
    with pytest.raises(AttributeError, match=r"Point is frozen; make a new one instead of setting 'x'\."):
        Point(1).x = 2


def test_a_field_cannot_be_deleted() -> None:
    """A value refuses to lose a field."""
    with pytest.raises(AttributeError, match=r"Point is frozen; 'x' cannot be deleted\."):
        del Point(1).x  # type: ignore[attr-defined]


def test_there_is_no_room_for_other_fields() -> None:
    """A value has slots and no dict: nothing can be hung on it past the fence."""
    with pytest.raises(AttributeError):
        object.__setattr__(Point(1), "z", 1)


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        pytest.param(Point(1), True, id="same fields"),
        pytest.param(Point(2), False, id="another field"),
        pytest.param(Point(1, "other"), False, id="another hidden field"),
        pytest.param(Other(1), False, id="another class"),
        pytest.param(Deeper(1, 2), False, id="a subclass"),
        pytest.param((1, "s3cret"), False, id="a tuple"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_equality_is_of_class_and_fields(other: object, equal: bool) -> None:
    """Two values are equal when they are of one class and all their fields are, hidden ones too."""
    assert (Point(1) == other) is equal


def test_equality_leaves_the_last_word_to_the_other_side() -> None:
    """A foreign class may decide, as Python's data model has it: `mock.ANY` equals a value from either side."""
    assert Point(1) == mock.ANY
    assert Point(1) == mock.ANY


def test_equal_values_have_one_hash() -> None:
    """A value can be a key of a dict."""
    assert {Point(1): "here"}[Point(1)] == "here"


def test_the_hash_tells_classes_apart() -> None:
    """Values of two classes with the same fields are two keys."""
    assert len({Point(1), Other(1)}) == 2


def test_the_repr_hides_what_is_hidden() -> None:
    """A repr shows the fields, without the secret ones."""
    assert repr(Point(1)) == "Point(x=1)"


def test_the_repr_shows_inherited_fields() -> None:
    """The fields of a base class are fields."""
    assert repr(Deeper(1, 2)) == "Deeper(y=2, x=1)"


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])  # noqa: S301 - our own bytes
def test_a_copy_is_equal(copier: object) -> None:
    """Copying and pickling go around the constructor and lose nothing."""
    assert copier(Deeper(1, [2])) == Deeper(1, [2])  # type: ignore[operator]
