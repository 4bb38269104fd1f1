"""The public surface as text: every public name with its signature, one line each.

`make surface` writes it to tests/fixtures/public_surface.txt; tests/test_public_surface.py holds it there, so that a
changed promise is seen in the diff of a change.
"""

import enum
import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cognito_oidc

FIXTURE = Path(__file__).parent / "fixtures" / "public_surface.txt"

SOURCE = Path(cognito_oidc.__file__).parent.parent  # the checkout, or where the package is installed

# Every file of integrations/ but those that begin with an underscore; a folder that has files of its own is one module.
_FILES = sorted((SOURCE / "cognito_oidc" / "integrations").rglob("*.py"))
INTEGRATIONS = tuple(
    ".".join(public.relative_to(SOURCE).with_suffix("").parts)
    for path in _FILES
    for public in (path.parent if path.name == "__init__.py" and any(path.parent.glob("_[!_]*.py")) else path,)
    if not public.name.startswith("_")
)
PUBLIC_MODULES = (
    "cognito_oidc",
    "cognito_oidc.errors",
    "cognito_oidc.emulator",
    "cognito_oidc.testing",
    *INTEGRATIONS,
)


def exists(module: str) -> bool:
    """Whether the module is there yet: a folder without __init__.py does not count."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def exported_names(module: ModuleType) -> list[str]:
    """The names of `__all__`, or without it what the module itself defines without an underscore."""
    names: list[str] | None = getattr(module, "__all__", None)
    if names is not None:
        return sorted(names)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


class Written(str):
    """An annotation as it is written in the source, shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the bare text."""
        return str(self)


def written(annotation: object) -> object:
    """The annotation for a signature: text stays text."""
    return Written(annotation) if isinstance(annotation, str) else annotation


def signature_text(value: object) -> str:
    """The signature as it is written, without the addresses that some defaults show."""
    if not callable(value):
        return ""
    try:
        signature = inspect.signature(value)
    except ValueError:  # made in C, and says nothing of itself
        return "(...)"
    parameters = [each.replace(annotation=written(each.annotation)) for each in signature.parameters.values()]
    bare = signature.replace(parameters=parameters, return_annotation=written(signature.return_annotation))
    return re.sub(r" at 0x[0-9a-f]+", "", str(bare))


def describe(name: str, value: object, public: set[object]) -> Iterator[str]:
    """The lines of one public name; of a class also its members, and those of bases that are not public themselves."""
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})"
        if issubclass(value, enum.Enum):
            yield from (f"    {member.name} = {member.value!r}" for member in value)
            return
        owners = [owner for owner in value.__mro__ if owner is value or owner not in public]
        ours = [owner for owner in owners if owner.__module__.startswith("cognito_oidc")]
        if any("__init__" in vars(owner) for owner in ours):
            yield f"    __init__{signature_text(value)}"
        members = {name: line for owner in reversed(ours) for name, line in describe_members(owner)}
        yield from (f"    {members[name]}" for name in sorted(members))
    elif inspect.isroutine(value):
        yield f"{colour(value)} {name}{signature_text(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def colour(function: object) -> str:
    """Whether a caller has to await."""
    return "async def" if inspect.iscoroutinefunction(function) else "def"


def describe_members(owner: type) -> Iterator[tuple[str, str]]:
    """The public fields, attributes, properties and methods that one class itself defines."""
    annotations = inspect.get_annotations(owner)
    for name in {**annotations, **vars(owner)}:
        if not name.startswith(("_", "model_")):
            yield name, describe_member(name, vars(owner).get(name), annotations.get(name))


def describe_member(name: str, value: object, annotation: object) -> str:
    """One member of a class."""
    match value:
        case property():
            return f"property {name}{signature_text(value.fget).partition(')')[2]}"
        case functools.cached_property():
            return f"property {name}{signature_text(value.func).partition(')')[2]}"
        case classmethod():
            return f"classmethod {name}{signature_text(value.__func__)}"
        case staticmethod():
            return f"staticmethod {name}{signature_text(value.__func__)}"
    if inspect.isroutine(value) and not inspect.ismemberdescriptor(value):
        return f"{colour(value)} {name}{signature_text(value)}"
    kind = "" if annotation is None else f": {annotation if isinstance(annotation, str) else repr(annotation)}"
    default = f" = {value!r}" if isinstance(value, str | int | float | tuple) else ""
    return f"{name}{kind}{default}"


def draw() -> str:
    """The whole surface, module by module."""
    modules = [importlib.import_module(name) for name in PUBLIC_MODULES if exists(name)]
    names = {module: exported_names(module) for module in modules}
    values = [getattr(module, name) for module in modules for name in names[module]]
    public: set[object] = {value for value in values if inspect.isclass(value)}
    lines: list[str] = []
    for module in modules:
        lines += ["", f"# {module.__name__}"]
        for name in names[module]:
            lines += describe(name, getattr(module, name), public)
    return "\n".join(lines).lstrip() + "\n"


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(draw(), encoding="utf-8")
