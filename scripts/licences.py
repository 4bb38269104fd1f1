"""Write docs/licences.md: whose work the library stands on, and under which licence each may be used.

Run by `make licences`. What stands there are the packages of requirements/run.txt: the base and every extra. A licence
that would bind who uses the library (the GPL's family without an exception for linking) ends with exit code 1.
"""

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
BINDING = re.compile(r"\b(?:AGPL|(?<!L)GPL)", re.IGNORECASE)
CLASSIFIER = "License :: OSI Approved :: "
# Packages for another Python or operating system may not be installed here; this is what their own metadata says.
ELSEWHERE = {
    "async-timeout": "Apache-2.0",
    "backports-tarfile": "MIT",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "importlib-metadata": "Apache-2.0",
    "jeepney": "MIT",
    "lazy-importer": "Apache-2.0",
    "pywin32": "PSF-2.0",
    "pywin32-ctypes": "BSD-3-Clause",
    "secretstorage": "BSD-3-Clause",
    "zipp": "MIT",
}


def packages(pins: str) -> list[str]:
    """Return the names of a file of pins."""
    return re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)


def licence_of(package: str) -> str:
    """Return what a package says of its licence: its expression, else its classifiers, else its first words."""
    try:
        about = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        if package not in ELSEWHERE:
            sys.exit(f"{package} is not installed here, and scripts/licences.py does not know its licence")
        return ELSEWHERE[package]
    expression = first(about, "License-Expression")
    classifiers = [
        each.removeprefix(CLASSIFIER) for each in about.get_all("Classifier") or () if each.startswith(CLASSIFIER)
    ]
    words = first(about, "License").split("\n")[0][:60]
    found = expression or ", ".join(classifiers) or words
    if not found:
        sys.exit(f"{package} does not say its licence: look, and say it in scripts/licences.py")
    return found


def first(about: metadata.PackageMetadata, name: str) -> str:
    """Return the first value of a field, or an empty text."""
    found: list[str] = about.get_all(name) or [""]
    return found[0].strip()


def page(rows: list[tuple[str, str]]) -> str:
    """Return the page."""
    lines = "\n".join(f"| {name} | {licence} |" for name, licence in rows)
    return f"""# Licences

The library is under the MIT licence (`LICENSE`).
It contains nobody else's code.
The packages below are installed beside it: what the base and every extra need, and what builds it.
The table is written by `make licences` from what each package says of itself.

| package | licence |
|---|---|
{lines}

The test vectors in `tests/fixtures` have notes of their origin and licence beside them, and are in no wheel.
"""


def main() -> None:
    """Write the page."""
    rows = [
        (name, licence_of(name)) for name in packages((ROOT / "requirements" / "run.txt").read_text(encoding="utf-8"))
    ]
    binding = [f"{name} ({licence})" for name, licence in rows if BINDING.search(licence)]
    if binding:
        sys.exit(f"these would bind who uses the library: {', '.join(binding)}")
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(rows)} packages")


if __name__ == "__main__":
    main()
