"""What is said of our emulator beside others holds, and is what was found."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import fidelity

ROOT = Path(__file__).parent.parent


def test_ours_passes_every_probe_but_the_aws_api(tmp_path: Path) -> None:
    """Over HTTP, as an application and a browser see it, the emulator does all that the table asks for."""
    output = tmp_path / "found.json"
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fidelity", "--quick", "--json", str(output)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(output.read_text(encoding="utf-8"))["found"].values()
    failed = {name: problem for name, problem in found.items() if problem is not None}
    assert failed.keys() == {"the AWS API (boto3, CreateUserPool and its siblings)"}, failed


def test_page_is_what_was_found() -> None:
    """The table of the page is that of the kept findings: nobody has improved it by hand."""
    kept = json.loads((ROOT / "benchmarks" / "results" / "fidelity.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
    assert [block for block, text in fidelity.blocks_of(kept).items() if text not in page] == []
