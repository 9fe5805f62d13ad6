"""What may come in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.connectors.admission import AdmissionPolicy, Disposition, StoreRequest, admit

GOOD = StoreRequest(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
    sop_instance_uid="1.2.3",
    study_instance_uid="1.2.4",
    series_instance_uid="1.2.5",
    modality="MG",
    manufacturer="Phantom",
    lossy="",
    size_bytes=1000,
    free_bytes=1 << 40,
)
POLICY = AdmissionPolicy()


@pytest.mark.parametrize(
    ("change", "disposition"),
    [
        ({}, Disposition.QUEUED),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.13.1.3"}, Disposition.QUEUED),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, Disposition.QUEUED),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7", "modality": "OT"}, Disposition.IGNORED),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "modality": "CT"}, Disposition.IGNORED),
        ({"manufacturer": "Reread"}, Disposition.IGNORED),
        ({"lossy": "01"}, Disposition.QUEUED),
    ],
)
def test_accepted(change, disposition):
    admission = admit(replace(GOOD, **change), POLICY)
    assert (admission.disposition, admission.status, admission.offending_element) == (disposition, 0x0000, None)


@pytest.mark.parametrize(
    ("change", "status", "element"),
    [
        ({"sop_class_uid": ""}, 0xA900, 0x00080016),
        ({"sop_instance_uid": ""}, 0xA900, 0x00080018),
        ({"study_instance_uid": "../../etc"}, 0xA900, 0x0020000D),
        ({"series_instance_uid": ""}, 0xA900, 0x0020000E),
        ({"command_sop_instance_uid": "1.2.9"}, 0xA900, 0x00080018),
        ({"command_sop_class_uid": "1.2.9"}, 0xA900, 0x00080016),
        ({"free_bytes": 10}, 0xA700, None),
        ({"size_bytes": 5 << 30}, 0xC014, None),
        ({"may_store": False}, 0x0124, None),
        ({"readable": False}, 0xC000, None),
    ],
)
def test_refused(change, status, element):
    admission = admit(replace(GOOD, **change), POLICY)
    assert (admission.disposition, admission.status, admission.offending_element) == (
        Disposition.REJECTED,
        status,
        element,
    )
    assert 0 < len(admission.comment) <= 64


def test_a_site_may_refuse_lossy_images_and_forward_others():
    policy = AdmissionPolicy(refuse_lossy=True, others=Disposition.PASSED_THROUGH)
    lossy = admit(replace(GOOD, lossy="01"), policy)
    assert (lossy.status, lossy.offending_element) == (0xC013, 0x00282110)
    assert admit(replace(GOOD, lossy="00"), policy).disposition is Disposition.QUEUED
    assert admit(replace(GOOD, sop_class_uid="1.2.3.4"), policy).disposition is Disposition.PASSED_THROUGH


@given(uid=st.text(max_size=80))
def test_what_is_admitted_has_uids_that_are_safe(uid):
    admission = admit(replace(GOOD, sop_instance_uid=uid), POLICY)
    if admission.accepted:
        assert set(uid) <= set("0123456789.") and 1 <= len(uid) <= 64 and uid.strip(".")
