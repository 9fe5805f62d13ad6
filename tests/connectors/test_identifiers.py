"""UIDs that depend on what an object is, and on nothing else."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from made_studies import PROVENANCE
from pydicom.uid import UID

from reread.analytics.records import StudyResult
from reread.connectors.identifiers import derived_uid, instance_uid, may_be_derived, series_uid

STUDY = StudyResult("2.25.1", 1, "w", "", (), (), None, None, None)


@given(st.lists(st.text(), max_size=4))
def test_every_derived_uid_is_valid(parts):
    uid = UID(derived_uid(*parts))
    assert uid.is_valid
    assert uid == derived_uid(*parts)
    assert uid != derived_uid(*parts, "more")


def test_what_changes_an_instance_and_what_does_not():
    uid = instance_uid(STUDY, PROVENANCE, "sr")
    assert uid == instance_uid(STUDY, replace(PROVENANCE, run_id="other", recorded_at="2027-01-01T00:00:00Z"), "sr")
    assert uid == instance_uid(replace(STUDY, woman="other"), PROVENANCE, "sr")
    others = {
        instance_uid(replace(STUDY, revision=2), PROVENANCE, "sr"),
        instance_uid(replace(STUDY, study_instance_uid="2.25.2"), PROVENANCE, "sr"),
        instance_uid(STUDY, replace(PROVENANCE, version="2"), "sr"),
        instance_uid(STUDY, replace(PROVENANCE, algorithm="b"), "sr"),
        instance_uid(STUDY, replace(PROVENANCE, parameters_digest="f" * 16), "sr"),
        instance_uid(STUDY, PROVENANCE, "sc"),
        series_uid(STUDY, PROVENANCE, "sr"),
    }
    assert uid not in others
    assert len(others) == 7


def test_revisions_share_a_series():
    assert series_uid(STUDY, PROVENANCE, "sr") == series_uid(replace(STUDY, revision=2), PROVENANCE, "sr")
    assert series_uid(STUDY, PROVENANCE, "sr") != series_uid(STUDY, PROVENANCE, "sc")


def test_what_has_the_form_of_a_uid_of_ours():
    assert may_be_derived(derived_uid("a"))
    for other in (
        "2.25.1",
        "2.25.",
        "1.2.840.10008.1",
        "2.25.x",
        f"2.25.{uuid.uuid4().int}",
        f"2.25.{1 << 128}",
        "2.25.1.5",
    ):
        assert not may_be_derived(other), other
