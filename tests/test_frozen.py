import copy
import pickle
from unittest import mock

import pytest

from cognito_oidc._frozen import Frozen, Record


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


class Range(Record):
    begin: int
    end: int
    unit: str = "s"


def test_a_record_takes_its_fields_in_order_or_by_name() -> None:
    """The fields are those that are annotated, in that order; a default may be left out."""
    record = Range(1, end=2)
    assert (record.begin, record.end, record.unit) == (1, 2, "s")
    assert record == Range(begin=1, end=2, unit="s") != Range(1, 2, "ms")
    assert repr(record) == "Range(begin=1, end=2, unit='s')"
    assert hash(record) == hash(Range(1, 2))


@pytest.mark.parametrize(
    ("values", "more"),
    [
        pytest.param((), {}, id="none"),
        pytest.param((1,), {}, id="too-few"),
        pytest.param((1, 2, "s", 4), {}, id="too-many"),
        pytest.param((1, 2), {"end": 3}, id="twice"),
        pytest.param((1, 2), {"other": 3}, id="unknown"),
    ],
)
def test_a_record_takes_each_field_once(values: tuple[int, ...], more: dict[str, int]) -> None:
    """Anything else is a mistake of whoever calls."""
    with pytest.raises(TypeError, match=r"^Range takes begin, end, unit, each once\.$"):
        Range(*values, **more)  # type: ignore[arg-type]


def test_a_record_is_frozen_and_can_be_copied_with_changes() -> None:
    """A copy differs in what was named; the value itself stays."""
    record = Range(1, 2)
    assert record.replaced(end=3) == Range(1, 3)
    with pytest.raises(AttributeError, match="Range is frozen"):
        record.end = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(record)) == copy.copy(record) == record  # noqa: S301 - our own bytes
