"""What the tests of this room share: strict writing, and a ledger with a clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import config

from reread.connectors.ledger import Ledger, open_ledger


@pytest.fixture(autouse=True)
def strict_writing() -> Iterator[None]:
    """Raise on any value that its VR does not allow, for the objects we author."""
    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.RAISE
    yield
    config.settings.writing_validation_mode = before


class Clock:
    """A clock that stands until it is told to go on."""

    now = datetime(2026, 1, 2, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that says ``EVERY_LEDGER = True`` runs on SQLite and on a PostgreSQL server."""
    if "ledger_url" in metafunc.fixturenames and getattr(metafunc.module, "EVERY_LEDGER", False):
        metafunc.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty ledger."""
    if getattr(request, "param", "sqlite") == "postgresql":
        url: str = request.getfixturevalue("postgres").database()
        return url
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def ledger(ledger_url: str, clock: Clock) -> Iterator[Ledger]:
    """An empty ledger that goes by that clock."""
    with open_ledger(ledger_url, clock) as opened:
        yield opened
