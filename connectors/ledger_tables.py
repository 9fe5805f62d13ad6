"""The ledger's tables (SQLAlchemy Core); the same on SQLite and PostgreSQL. Times are seconds since 1970, UTC."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy import String as _SqlString
from sqlalchemy import Text as _SqlText

SCHEMA_VERSION = 3

METADATA = MetaData()


class String(TypeDecorator[str]):
    """A text of at most so many characters; PostgreSQL refuses a longer one, SQLite keeps it.

    What a file or a peer says can hold anything. What no database takes (NUL, halves of surrogates) is left out or
    spelled, and what is too long is cut, so that a strange header never keeps an object from being booked.
    """

    impl = _SqlString
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as every database takes it."""
        return None if value is None else _plain(value)[: self.length]


class Text(TypeDecorator[str]):
    """A text of any length, else as `String`."""

    impl = _SqlText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as every database takes it."""
        return None if value is None else _plain(value)


def _plain(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


_UID = String(64)

SCHEMA = Table("ledger_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

STUDIES = Table(
    "study_revisions",
    METADATA,
    Column("study_instance_uid", _UID, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("woman", String(64), nullable=False),
    Column("study_date", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("two_patients", Boolean, nullable=False, default=False),
    Column("evidence", Text, nullable=False, default=""),
    Column("run_id", String(64), nullable=False, default=""),
    Column("reason", String(40), nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("opened_at", Double, nullable=False),
    Column("last_arrival_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("changed_at", Double, nullable=False),
    # since version 2: the rule that closed it (`completeness.ClosingRule`), empty while open
    Column("closed_by", String(20), nullable=False, server_default=""),
    # since version 2: the cohort that it came with, and closes with
    Column("cohort", Integer),
    Index("study_revisions_by_state", "state", "last_arrival_at"),
    Index("study_revisions_by_cohort", "cohort"),
)

INSTANCES = Table(
    "instances",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", _UID, nullable=False),
    Column("dataset_digest", String(64), nullable=False),
    Column("sop_class_uid", _UID, nullable=False),
    Column("series_instance_uid", _UID, nullable=False),
    Column("study_instance_uid", _UID, nullable=False),
    # the revision that was open when it came; it belongs to that and all later ones of the woman. Null: not measured
    Column("revision", Integer),
    Column("woman", String(64), nullable=False),
    Column("study_date", String(8), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("transfer_syntax_uid", _UID, nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", Double, nullable=False),
    Column("source", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(40), nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("received_at", Double, nullable=False),
    Column("times_received", Integer, nullable=False, default=1),
    # since version 2
    Column("cohort", Integer),
    # since version 2: side and view of a measurable mammogram ("RMLO"), empty for others, null: not looked at
    Column("view", String(8)),
    UniqueConstraint("sop_instance_uid", "dataset_digest"),
    Index("instances_by_study", "study_instance_uid", "woman"),
    Index("instances_by_reason", "reason"),
)

REJECTIONS = Table(
    "rejections",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("path", Text, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("sop_instance_uid", _UID, nullable=False),
    Column("study_instance_uid", _UID, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("rejected_at", Double, nullable=False),
    Index("rejections_by_digest", "digest"),
    Index("rejections_by_study", "study_instance_uid"),
)

MEASUREMENTS = Table(
    "measurements",
    METADATA,
    Column("study_instance_uid", _UID, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("algorithm", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("parameters_digest", String(64), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("measured_at", Double, nullable=False),
    ForeignKeyConstraint(
        ["study_instance_uid", "revision"], ["study_revisions.study_instance_uid", "study_revisions.revision"]
    ),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("sop_instance_uid", _UID, primary_key=True),
    Column("destination", String(64), primary_key=True),
    Column("sop_class_uid", _UID, nullable=False),
    Column("study_instance_uid", _UID, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("commit", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("transaction_uid", _UID, nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("first_attempt_at", Double),
    Column("next_attempt_at", Double, nullable=False, default=0.0),
    Column("changed_at", Double, nullable=False),
    Index("deliveries_by_state", "state", "next_attempt_at"),
    Index("deliveries_by_study", "study_instance_uid", "revision"),
)

TRANSACTIONS = Table(
    "commitment_transactions",
    METADATA,
    Column("transaction_uid", _UID, primary_key=True),
    Column("destination", String(64), nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("answered_at", Double),
)

COHORTS = Table(
    "cohorts",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("calling_ae_title", String(16), nullable=False),
    Column("called_ae_title", String(16), nullable=False),
    Column("source", String(64), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("last_arrival_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("closed_by", String(20), nullable=False, server_default=""),
    Column("evidence", Text, nullable=False, server_default=""),
    Index("cohorts_by_titles", "calling_ae_title", "called_ae_title", "closed_at"),
)

ANNOUNCEMENTS = Table(
    "announcements",  # what a modality said of a case: an end-of-case notification or a procedure step
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("sop_instance_uid", _UID, nullable=False),
    Column("status", String(16), nullable=False),
    Column("source", String(64), nullable=False),
    # DICOM date and time as the modality gave them, may be empty
    Column("started", String(26), nullable=False, server_default=""),
    Column("ended", String(26), nullable=False, server_default=""),
    Column("series_count", Integer, nullable=False, default=0),
    Column("announced_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    UniqueConstraint("kind", "sop_instance_uid"),
)

ANNOUNCED_STUDIES = Table(
    "announced_studies",
    METADATA,
    Column("announcement", Integer, primary_key=True, autoincrement=False),
    Column("study_instance_uid", _UID, primary_key=True),
    # null until a revision of the study was closed with everything that was announced
    Column("settled_at", Double),
    ForeignKeyConstraint(["announcement"], ["announcements.number"]),
    Index("announced_studies_by_study", "study_instance_uid", "settled_at"),
)

ANNOUNCED_INSTANCES = Table(
    "announced_instances",
    METADATA,
    Column("announcement", Integer, primary_key=True, autoincrement=False),
    Column("sop_instance_uid", _UID, primary_key=True),
    ForeignKeyConstraint(["announcement"], ["announcements.number"]),
)

ARCHIVE_COUNTS = Table(
    "archive_counts",  # only while the archive has more than arrived
    METADATA,
    Column("study_instance_uid", _UID, primary_key=True),
    Column("archive", String(64), primary_key=True),
    Column("stated", Integer, nullable=False),
    Column("reported_at", Double, nullable=False),
)

COMMITMENT_REQUESTS = Table(
    "commitment_requests",  # peers that ask us; what we ask them is in commitment_transactions
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("peer", String(64), nullable=False),
    Column("called_ae_title", String(16), nullable=False),
    Column("transaction_uid", _UID, nullable=False),
    # another request had this transaction UID first
    Column("duplicate", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("requested_at", Double, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("settled_at", Double),
    Index("commitment_requests_by_state", "state", "next_attempt_at"),
    Index("commitment_requests_by_transaction", "transaction_uid", "peer"),
)

COMMITMENT_REFERENCES = Table(
    "commitment_references",
    METADATA,
    Column("request", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("sop_class_uid", _UID, nullable=False),
    Column("sop_instance_uid", _UID, nullable=False),
    ForeignKeyConstraint(["request"], ["commitment_requests.number"]),
)

WRITTEN = Table(
    "written_results",
    METADATA,
    Column("sop_instance_uid", _UID, primary_key=True),
    Column("sop_class_uid", _UID, nullable=False),
    Column("series_instance_uid", _UID, nullable=False),
    Column("study_instance_uid", _UID, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("algorithm", String(64), nullable=False),
    Column("form", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("variant", Text, nullable=False),
    Index("written_results_by_study", "study_instance_uid"),
)
"""what `results` are; a table of its own, so that a ledger from before it needs no change"""

UNWRITTEN = Table(
    "unwritten_results",  # since version 3: forms of a measured revision that could not be written; gone when they are
    METADATA,
    Column("study_instance_uid", _UID, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("algorithm", String(64), primary_key=True),
    Column("form", String(64), primary_key=True),
    Column("detail", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("given_up", Boolean, nullable=False),
    Column("changed_at", Double, nullable=False),
    ForeignKeyConstraint(
        ["study_instance_uid", "revision"], ["study_revisions.study_instance_uid", "study_revisions.revision"]
    ),
    Index("unwritten_results_by_state", "given_up"),
)

RESULTS = Table(
    "results",  # every object that we wrote, whether or not it goes anywhere
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("sop_instance_uid", _UID, nullable=False, unique=True),
    # relative to the data folder
    Column("path", Text, nullable=False),
    Column("written_at", Double, nullable=False),
)

EVENTS = Table(
    "events",  # since version 3: what a person did to the work
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("happened_at", Double, nullable=False),
    # account of the operating system
    Column("actor", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("study_instance_uid", _UID, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Index("events_by_study", "study_instance_uid", "revision"),
)

MARKS = Table(
    "marks",  # since version 3: how far somebody who follows the numbers of instances has come
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("note", Text, nullable=False),
)
