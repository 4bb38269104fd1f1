"""The public surface as text: every public name with its signature, one line each.

`make surface` writes it to tests/fixtures/public_surface.txt; tests/test_public_surface.py holds it there, so that a
changed promise is seen in the diff of a change.
"""

import dataclasses
import enum
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

FIXTURE = Path(__file__).parent / "fixtures" / "public_surface.txt"

PUBLIC_MODULES = (
    "cognito_oidc",
    "cognito_oidc.errors",
    "cognito_oidc.emulator",
    "cognito_oidc.testing",
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


def signature_text(value: object) -> str:
    """The signature as it is written, without the addresses that some defaults show."""
    if not callable(value):
        return ""
    try:
        text = str(inspect.signature(value))
    except ValueError:  # made in C, and says nothing of itself
        return "(...)"
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def describe(name: str, value: object) -> Iterator[str]:
    """The lines of one public name; of a class also its members, inherited ones where the base is ours."""
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        if issubclass(value, enum.Enum):
            yield f"enum {name}({bases}): {', '.join(f'{member.name}={member.value!r}' for member in value)}"
            return
        yield f"class {name}({bases})"
        yield f"    __init__{signature_text(value)}"
        yield from sorted(f"    {line}" for line in describe_members(value))
    elif inspect.isroutine(value):
        coloured = "async def" if inspect.iscoroutinefunction(value) else "def"
        yield f"{coloured} {name}{signature_text(value)}"
    elif inspect.ismodule(value):
        yield f"module {name}"
    elif isinstance(value, str | int | float | tuple | frozenset):
        yield f"{name}: {type(value).__name__}"
    else:
        yield f"{name} = {type(value).__name__}"


def describe_members(cls: type) -> Iterator[str]:
    """The public fields, properties and methods that our own classes give to this one."""
    seen: set[str] = set()
    for owner in cls.__mro__:
        if not owner.__module__.startswith("cognito_oidc"):
            continue
        for name, value in {**dict.fromkeys(inspect.get_annotations(owner)), **vars(owner)}.items():
            if name in seen or name.startswith(("_", "model_")):
                continue
            seen.add(name)
            yield describe_member(owner, name, value)


def describe_member(owner: type, name: str, value: object) -> str:
    """One member of a class."""
    match value:
        case property():
            returns = signature_text(value.fget).rpartition(" -> ")[2]
            return f"{name} -> {returns} (property)"
        case classmethod():
            return f"classmethod {name}{signature_text(value.__func__)}"
        case staticmethod():
            return f"staticmethod {name}{signature_text(value.__func__)}"
    if inspect.isroutine(value):
        coloured = "async def" if inspect.iscoroutinefunction(value) else "def"
        return f"{coloured} {name}{signature_text(value)}"
    annotation = inspect.get_annotations(owner).get(name)
    if annotation is None:
        return f"{name} (attribute)"
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", repr(annotation))
    kind = "field" if dataclasses.is_dataclass(owner) else "attribute"
    return f"{name}: {text} ({kind})"


def draw() -> str:
    """The whole surface, module by module."""
    lines: list[str] = []
    for module_name in filter(exists, PUBLIC_MODULES):
        module = importlib.import_module(module_name)
        lines += ["", f"# {module_name}"]
        for name in exported_names(module):
            lines += describe(name, getattr(module, name))
    return "\n".join(lines).lstrip() + "\n"


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(draw(), encoding="utf-8")
