"""Write the files of requirements/ from pyproject.toml: pinned, hashed, and without an address.

Run by `make lock`. One resolution serves every Python that the library supports, and the files agree.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
ADDRESS = re.compile(r"://|^--?(?:index|extra-index|find-links|i |f )", re.MULTILINE)
COMPILE = """
    pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest
    --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
"""
HEADER = "# Pinned by `make lock` from pyproject.toml; not written by hand.\n"


def compile_pins(target: str, *arguments: str) -> None:
    """Resolve pyproject.toml into one file of pins, and refuse to keep a file that names an address."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    output = ROOT / "requirements" / target
    subprocess.run([uv, *shlex.split(COMPILE), *arguments, "-o", f"requirements/{target}"], cwd=ROOT, check=True)
    text = HEADER + output.read_text(encoding="utf-8")
    if ADDRESS.search(text):
        output.unlink()
        sys.exit(f"requirements/{target} would have named an address; it was not kept")
    output.write_text(text, encoding="utf-8")
    print(f"requirements/{target}: {len(re.findall('^[a-z]', text, re.MULTILINE))} packages")


def direct_pins(path: Path) -> list[str]:
    """Return the pins of what pyproject.toml names itself, with its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        re.split(r"[^\w-]", requirement)[0].lower()
        for requirements in (project["dependencies"], *project["optional-dependencies"].values())
        for requirement in requirements
    }
    pins = re.findall(r"^([\w-]+)(==[\w.]+(?: ; [^\\\n]+)?)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [f"{name}{pin}" for name, pin in pins if name in wanted]  # with its marker: a later Python may need another


compile_pins("dev.txt", "--all-extras", "--group", "dev")
compile_pins("run.txt", "--all-extras", "--group", "build", "--constraints", "requirements/dev.txt")
with TemporaryDirectory() as folder:
    # What pyproject.toml says is enough, with today's tools around it: `make installed` runs the tests with that.
    lowest = Path(folder) / "lowest.txt"
    compile_pins("lowest.txt", "--all-extras", "--resolution", "lowest-direct")
    lowest.write_text("\n".join(direct_pins(ROOT / "requirements" / "lowest.txt")), encoding="utf-8")
    compile_pins("lowest.txt", "--all-extras", "--group", "test", "--constraints", str(lowest))
compile_pins("fuzz.txt", "--group", "fuzz", "--group", "build", "--constraints", "requirements/dev.txt")
EXTRAS = ("--extra", "emulator", "--extra", "fastapi", "--extra", "redis")  # what benchmarks/ measures stands on these
compile_pins("benchmarks.txt", *EXTRAS, "--group", "benchmarks", "--constraints", "requirements/dev.txt")
