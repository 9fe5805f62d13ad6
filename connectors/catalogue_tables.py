"""The tables of the catalogue, made from the table of query keys. All values are text."""

from __future__ import annotations

import zlib

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.schema import CreateIndex, CreateTable

from reread.connectors.query_keys import KEYS, Level

METADATA = MetaData()


def _attributes(*levels: Level) -> list[Column[str]]:
    return [
        Column(key.keyword, Text, nullable=False, server_default="")
        for key in KEYS.values()
        if key.level in levels and not key.computed
    ]


MARKS = Table(
    "marks",  # how far each source of objects has been read
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
)

STUDIES = Table(
    "studies",  # one row for each patient of a study: two patients under one UID are never combined (R0.526)
    METADATA,
    Column("id", Integer, primary_key=True),
    # Patient ID, or the study's UID where there is none: such a patient is nobody else
    Column("patient_key", Text, nullable=False),
    Column("folded_patient_id", Text, nullable=False),
    Column("folded_patient_name", Text, nullable=False),
    Column("folded_accession_number", Text, nullable=False),
    *_attributes(Level.PATIENT, Level.STUDY),
    UniqueConstraint("StudyInstanceUID", "patient_key"),
    Index("studies_by_patient_key", "patient_key"),
    Index("studies_by_patient_id", "folded_patient_id"),
    Index("studies_by_accession_number", "folded_accession_number"),
    Index("studies_by_date", "StudyDate"),
)

SERIES = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("study", Integer, nullable=False),
    *_attributes(Level.SERIES),
    UniqueConstraint("study", "SeriesInstanceUID"),
    Index("series_by_uid", "SeriesInstanceUID"),
)

INSTANCES = Table(
    "instances",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("series", Integer, nullable=False),
    # where it comes from: the source's name and its number there
    Column("feed", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    *_attributes(Level.IMAGE),
    UniqueConstraint("SOPInstanceUID"),
    UniqueConstraint("feed", "number"),
    Index("instances_by_series", "series"),
)


def fingerprint() -> int:
    """A number that changes with the tables, positive, 31 bits: for ``PRAGMA user_version``."""
    statements = []
    for table in METADATA.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateTable(table)), *(str(CreateIndex(index)) for index in indexes)]
    return zlib.crc32("\n".join(statements).encode()) & 0x7FFFFFFF or 1
