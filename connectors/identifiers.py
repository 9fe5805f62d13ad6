"""Deterministic UIDs: what is made twice from the same result has the same name, so a repeated send is harmless."""

from __future__ import annotations

import uuid
from importlib.metadata import version

from reread.analytics.records import Provenance, StudyResult

_NAMESPACE = uuid.UUID("6b0c1f8e-5d0a-5e3c-9f1e-2f6f3b1c7a44")
"""ours, drawn once; changing it would give every object of the past a second name"""

_DIGITS = 39


def derived_uid(*parts: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on the parts alone.

    >>> derived_uid("a", "b") == derived_uid("a", "b") != derived_uid("ab", "")
    True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(parts)).int}"


def may_be_derived(uid: str) -> bool:
    """Whether a UID has the form of a `derived_uid`; few others do (2.25 with a UUID of version 5)."""
    number = uid.removeprefix("2.25.")
    if number == uid or not number.isdecimal() or len(number) > _DIGITS or int(number) >= 1 << 128:
        return False
    return uuid.UUID(int=int(number)).version == 5


IMPLEMENTATION_CLASS_UID = derived_uid("implementation", "reread")
"""Ours (R3.109): in every association and every file that we write."""

IMPLEMENTATION_VERSION_NAME = f"REREAD_{version('reread')}"[:16]


def instance_uid(result: StudyResult, provenance: Provenance, kind: str) -> str:
    """SOP Instance UID of one result object: same study revision, algorithm version, parameters and kind, same UID."""
    return derived_uid("instance", *_key(result, provenance, kind), str(result.revision))


def series_uid(result: StudyResult, provenance: Provenance, kind: str) -> str:
    """Series Instance UID of one kind of result object; revisions of a study share it."""
    return derived_uid("series", *_key(result, provenance, kind))


def _key(result: StudyResult, provenance: Provenance, kind: str) -> tuple[str, ...]:
    return (
        result.study_instance_uid,
        provenance.algorithm,
        provenance.version,
        provenance.parameters_digest,
        kind,
    )
