"""What Reread asks of an archive, whether it is a PACS, a DICOMweb server or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Protocol

from reread.connectors.commitment import CommitmentResult, Reference
from reread.connectors.outgoing import STORE, Outcome


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Which studies to look for; None and empty match everything.

    `first_time` to `last_time` narrow a single day, so they need `first_date == last_date`.
    """

    first_date: date | None = None
    last_date: date | None = None
    modality: str = ""
    study_instance_uid: str = ""
    first_time: time | None = None
    last_time: time | None = None


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """One study as the archive reports it. No patient data."""

    study_instance_uid: str
    study_date: str
    modalities: tuple[str, ...]
    """Modalities in Study (0008,0061); empty if the archive does not say"""
    instance_count: int | None
    """Number of Study Related Instances (0020,1208); None if the archive does not say"""


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """One object as the archive reports it."""

    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What the archive says that it sent; it is not what arrived (R3.238): compare with the ledger."""

    study_instance_uid: str
    completed: int
    failed: int
    warnings: int
    status: int
    """final DIMSE status; 0x0000 or 0xB000 (some failed)"""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """The answer to one C-STORE."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    status: int
    """DIMSE status, 0x0000 success, 0xBxxx warning (stored all the same, R0.105)"""
    detail: str = ""

    @property
    def stored(self) -> bool:
        return STORE.outcome(self.status) is Outcome.DONE


@dataclass(frozen=True, slots=True)
class CommitmentOutcome:
    """The answer to a storage commitment request; `result` is None while the peer has not reported yet."""

    transaction_uid: str
    result: CommitmentResult | None


class Archive(Protocol):
    """An archive. Methods raise ArchiveUnreachable or ArchiveRefused, never answer with something empty."""

    @property
    def name(self) -> str:
        """Our short name for it."""
        ...

    def echo(self) -> None:
        """Come back if it is there."""
        ...

    def find_studies(self, query: StudyQuery) -> Iterator[FoundStudy]:
        """Studies that match."""
        ...

    def find_instances(self, study_instance_uid: str) -> tuple[FoundInstance, ...]:
        """The objects of one study."""
        ...

    def fetch_study(self, study_instance_uid: str, missing: Sequence[FoundInstance] = ()) -> FetchReport:
        """Have a study (or only the missing objects of it) sent into our spool."""
        ...

    def store(self, paths: Sequence[Path]) -> tuple[StoreOutcome, ...]:
        """Store Part 10 files; one outcome for each, in order."""
        ...

    def commit(self, references: Sequence[Reference], transaction_uid: str | None = None) -> CommitmentOutcome:
        """Ask it to take responsibility for stored objects."""
        ...
