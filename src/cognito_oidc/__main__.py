"""`python -m cognito_oidc`, and the command `cognito-oidc`."""

from __future__ import annotations

import sys

_MISCONFIGURED = 6  # the exit code of `cognito_oidc.cli` for it, which cannot be imported here


def main() -> None:
    """Run the command line; without click, say what to install."""
    # httpx loads a command of its own where it finds rich, and with that twice of what it needs itself. This is its own
    # way to do without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None keeps a module from being imported
    try:
        from cognito_oidc.cli import cli  # noqa: PLC0415 - so that a missing extra is said in a line
    except ImportError as missing:
        if missing.name != "click":
            raise
        sys.stderr.write("Error: cognito-oidc needs click: pip install 'cognito-oidc[cli,emulator]'\n")
        sys.exit(_MISCONFIGURED)
    cli(prog_name="cognito-oidc")


if __name__ == "__main__":
    main()
