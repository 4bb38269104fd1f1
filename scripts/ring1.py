"""Check that each file of protocol/ is covered in full, by branches, by its own test file alone.

Run by `make ring1`. What only another file's tests reach is not tested: it is used.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROTOCOL = ROOT / "src" / "cognito_oidc" / "protocol"
COVERAGE = [sys.executable, "-m", "coverage"]


def covers_itself(source: Path) -> bool:
    """Run the tests of one file, and report what of it they left out."""
    tests = ROOT / "tests" / "protocol" / f"test_{source.name}"
    if not tests.is_file():
        print(f"protocol/{source.name}: {tests.relative_to(ROOT)} is missing")
        return False
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COVERAGE_FILE": str(Path(folder, "coverage"))}
        run = [*COVERAGE, "run", "-m", "pytest", "--quiet", "--no-header", "--no-summary", str(tests)]
        report = [*COVERAGE, "report", f"--include={source}", "--fail-under=100", "--format=total"]
        missing = [*COVERAGE, "report", f"--include={source}"]
        tested = subprocess.run(run, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
        if tested.returncode:
            print(tested.stdout, tested.stderr)
            return False
        covered = subprocess.run(report, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
        print(f"protocol/{source.name}: {covered.stdout.strip()} %")
        if covered.returncode:
            subprocess.run(missing, cwd=ROOT, env=environment, check=False)
        return covered.returncode == 0


files = [path for path in sorted(PROTOCOL.glob("*.py")) if path.name != "__init__.py"]
failures = [path for path in files if not covers_itself(path)]
sys.exit(bool(failures))
