"""The pictures of the documentation are those that the code draws."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from scripts import diagrams

KEPT = [name for name in diagrams.PICTURES if name != diagrams.DRAWN_ANEW]


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_picture_is_what_the_code_draws(name: str) -> None:
    """Whoever renames a function or changes a policy renews the picture: `make diagrams`."""
    kept = (Path(diagrams.IMAGES) / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == diagrams.PICTURES[name]()


def test_a_name_that_is_not_there_is_not_drawn() -> None:
    """A picture cannot name a function that does not exist."""
    with pytest.raises(AttributeError):
        diagrams.name_of("client", "CognitoClient.authorisation_request")


def test_the_rings_hold_every_module() -> None:
    """The picture of the rings is made of today's modules, and is well-formed."""
    words = " ".join(each.text or "" for each in ET.fromstring(diagrams.rings()).iter()).split()  # noqa: S314 - our own
    assert {"errors", "claims", "client", "emulator/"} <= set(words)
