"""What we write is written under pydicom's strict rules in every test of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom import config


@pytest.fixture(autouse=True)
def strict_writing() -> Iterator[None]:
    """Raise on any value that its VR does not allow, for the objects we author."""
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.RAISE
    yield
    config.settings.writing_validation_mode = before
