"""Collect what the documentation shows, so that it is executed: code blocks of the pages, doctests of the docstrings.

A block marked `python` runs as it stands, the blocks of one page after each other in one namespace. One that awaits
defines a coroutine function and ends with `asyncio.run(main())`, as the reader's own program would. A block that cannot
run on its own stands after a comment that says why, `<!-- skip: next "reason" -->`, or is marked with another language.

What the program of a page talks to, a user pool and a browser, is in `tests/backstage.py`. What it is to be held
against stands in a comment that the page does not show, `<!-- invisible-code-block: python ... -->`.
"""

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from tests.backstage import close_backstage, open_backstage

# What the entry point does where the library is installed; here also in a checkout that is only on the path.
pytest_plugins = ["cognito_oidc.testing"]

pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=open_backstage,
    teardown=close_backstage,
)
docstrings = Sybil(
    parsers=[DocTestParser()],
    path="src/cognito_oidc",
    patterns=["*.py"],
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (pages + docstrings).pytest()
