"""Write docs/reference/command.md: the help of every command, as it is printed, and what they have in common.

Run by `make command-page`. `tests/cli/test_command_page.py` holds that the page is what this writes.
"""

from pathlib import Path

from click.testing import CliRunner

from cognito_oidc.cli import cli
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.profiles import VARIABLES

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "command.md"
WIDTH = 80
EXIT_CODES = {
    ExitCode.OK: "it is done, or good",
    ExitCode.FAILED: "what was asked about does not hold: a token is refused, something was found, a step failed",
    ExitCode.USAGE: "the command line was written wrongly, or nobody can be asked here",
    ExitCode.LOGIN_NEEDED: "a person has to sign in",
    ExitCode.DENIED: "the server or the person said no, or the grant is dead",
    ExitCode.NETWORK: "no usable answer came; later it may work",
    ExitCode.CONFIGURATION: "a setting, the app client or the installation is wrong",
    ExitCode.INTERRUPTED: "Ctrl-C",
}
HEAD = """\
# Command

<!-- Written by `make command-page` from what the commands print; a test holds the two equal. -->

The command `cognito-oidc` comes with the extra `cli`; the local Cognito needs `emulator`, and what talks to AWS itself `aws`: `pip install "cognito-oidc[cli,emulator,aws]"`.
`python -m cognito_oidc` is the same.

Standard output has the result and nothing else; what is said besides goes to standard error.
Output is coloured on a terminal only, and never with the environment variable `NO_COLOR`.

"""  # noqa: E501 - one sentence per line, as on every page
MORE_VARIABLES = """\
| `COGNITO_CLIENT_SECRET` | the client secret itself, where no `client_secret_from` says otherwise |
| `COGNITO_PROFILE` | the profile that is meant |
| `COGNITO_CONFIG_FILE` | the file of profiles, instead of the platform's |
| `COGNITO_STORE_FOLDER` | the folder of the file store, instead of the platform's |
"""
COMPLETION = """\
## Completion

The shell completes commands, options, their values and the names of profiles.
For bash 4.4 or newer, in `~/.bashrc`:

```console
$ eval "$(_COGNITO_OIDC_COMPLETE=bash_source cognito-oidc)"
```

For zsh it is `zsh_source`, in `~/.zshrc`; for fish, in `~/.config/fish/completions/cognito-oidc.fish`:

```console
$ _COGNITO_OIDC_COMPLETE=fish_source cognito-oidc | source
```
"""


def help_of(*command: str) -> str:
    """Return what `--help` prints at a terminal of 80 columns."""
    result = CliRunner().invoke(cli, [*command, "--help"], prog_name="cognito-oidc", terminal_width=WIDTH)
    return result.output


def page() -> str:
    """Return the page."""
    names = sorted(cli.list_commands(cli.make_context("cognito-oidc", [], resilient_parsing=True)))
    return "\n".join([HEAD + _block("cognito-oidc"), _exit_codes(), _variables(), COMPLETION, *map(_section, names)])


def _section(name: str) -> str:
    return f"## `cognito-oidc {name}`\n\n{_block('cognito-oidc', name)}"


def _block(*words: str) -> str:
    return f"```text\n{help_of(*words[1:]).rstrip()}\n```\n"


def _exit_codes() -> str:
    rows = "\n".join(f"| {code:d} | {EXIT_CODES[code]} |" for code in ExitCode)
    return f"## Exit codes\n\n| exit code | meaning |\n|---|---|\n{rows}\n"


def _variables() -> str:
    rows = "\n".join(f"| `{variable}` | `{setting}` |" for setting, variable in VARIABLES.items())
    said = "A flag replaces the variable, and the variable the profile's setting."
    return f"## Variables\n\n{said}\n\n| variable | setting of a profile |\n|---|---|\n{rows}\n{MORE_VARIABLES}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
