"""Refuse a release whose tag, version and changelog disagree: `python scripts/check_tag.py v1.2.3`."""

import re
import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Compare the tag with the project of the current folder."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the tag
        sys.exit("usage: check_tag.py TAG")
    tag = sys.argv[1]
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag}, and pyproject.toml says version {version}: tag v{version}, or change the version")
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[([^]]+)\] - (\S+)$", changelog, re.MULTILINE)
    if newest is None or newest[1] != version or re.fullmatch(r"\d{4}-\d{2}-\d{2}", newest[2]) is None:
        sys.exit(f"the newest section of CHANGELOG.md must be '## [{version}] - ' and the day of the release")
    print(f"{tag}: version and changelog agree")


main()
