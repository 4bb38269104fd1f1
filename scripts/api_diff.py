"""Compare the public names with those of the last release, the newest tag `v*` behind the current commit.

Run by `make api`. What would break a program that used the last release ends with exit code 1, unless the version says
so: a new major version, or a new minor one before 1.0. Without a release there is nothing to break.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Compare the project of the current folder."""
    described = ["git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]
    tag = subprocess.run(described, check=False, capture_output=True, text=True).stdout.strip()
    if not tag:
        print("no release yet: nothing to compare the public names with")
        return
    command = [sys.executable, "-m", "griffe", "check", "cognito_oidc", "--search", "src", "--against", tag]
    done = subprocess.run([*command, "--format", "oneline"], check=False, capture_output=True, text=True)
    broken = (done.stdout + done.stderr).strip()
    if done.returncode == 0:
        print(f"nothing public is broken since {tag}")
        return
    print(broken)
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if _may_break(tag.removeprefix("v"), version):
        print(f"... which version {version} may do, after {tag}")
        return
    sys.exit(f"version {version} breaks what {tag} promised: mend it, or raise the version")


def _may_break(old: str, new: str) -> bool:
    """Tell whether a version may break what another promised. Source: Semantic Versioning 2.0.0, items 4 and 8."""
    before, after = (tuple(int(part) for part in re.findall(r"\d+", text)[:2]) for text in (old, new))
    return after[0] > before[0] or (after[0] == before[0] == 0 and after[1] > before[1])


main()
