"""What may come in."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import POLICY as ROOMY
from loopback import house
from made_dicom import made, write
from pynetdicom import AE, build_context

from reread.analytics.errors import LedgerError, NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.admission import AdmissionPolicy, Disposition, StoreRequest, admit, refusal_of
from reread.connectors.peers import Peer
from reread.connectors.store_statuses import STORE_STATUSES
from reread.connectors.words import tag_named, transfer_syntax_named

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
        ({"contributors": ("Somebody", "Reread")}, Disposition.IGNORED),
        ({"contributors": ("Somebody",)}, Disposition.QUEUED),
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
        ({"context_sop_class_uid": "1.2.9"}, 0xA900, 0x00000002),
        ({"has_pixels": False}, 0xA740, 0x7FE00010),
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


STUDY_DATE, SERIAL, DETECTOR = 0x00080020, 0x00181000, 0x0018700A


@pytest.mark.parametrize(
    ("values", "status", "element"),
    [
        ({STUDY_DATE: "20260101", SERIAL: "S1"}, 0x0000, None),
        ({STUDY_DATE: "20260101", DETECTOR: "D2"}, 0x0000, None),
        ({STUDY_DATE: "20260101", SERIAL: "other", DETECTOR: "D2"}, 0x0000, None),
        ({STUDY_DATE: "20260101"}, 0xC010, SERIAL),
        ({STUDY_DATE: "20260101", SERIAL: ""}, 0xC010, SERIAL),
        ({STUDY_DATE: "20260101", SERIAL: "other"}, 0xC011, SERIAL),
        ({STUDY_DATE: "20260101", DETECTOR: "other"}, 0xC011, DETECTOR),
        ({SERIAL: "S1"}, 0xC012, STUDY_DATE),
        ({STUDY_DATE: "", SERIAL: "S1"}, 0xC013, STUDY_DATE),
    ],
)
def test_a_sites_own_requirements(values, status, element):
    """R0.79 to R0.81, R0.99 to R0.102, R0.520; they concern what would be measured."""
    policy = AdmissionPolicy(required_tags=(STUDY_DATE,), enabled_devices=frozenset({"S1", "D2"}))
    assert policy.wanted_tags == (STUDY_DATE, SERIAL, DETECTOR)
    admission = admit(replace(GOOD, values=values), policy)
    assert (admission.status, admission.offending_element) == (status, element)
    assert admit(replace(GOOD, values=values, modality="CT", sop_class_uid="1.2.3"), policy).accepted


def test_nothing_is_required_by_default():
    assert POLICY.wanted_tags == ()


@pytest.mark.parametrize(
    ("syntax", "lossy", "status"),
    [
        ("1.2.840.10008.1.2.4.50", "", 0xC013),  # says nothing, but cannot be anything else
        ("1.2.840.10008.1.2.4.91", "", 0x0000),  # may be lossless
        ("1.2.840.10008.1.2.4.91", "01", 0xC013),
        ("1.2.840.10008.1.2.1", "01", 0xC013),  # was lossy before
        ("1.2.840.10008.1.2.1", "00", 0x0000),
    ],
)
def test_lossy(syntax, lossy, status):
    """R0.78."""
    policy = AdmissionPolicy(refuse_lossy=True)
    assert admit(replace(GOOD, transfer_syntax_uid=syntax, lossy=lossy), policy).status == status
    assert admit(replace(GOOD, transfer_syntax_uid=syntax, lossy=lossy), POLICY).accepted


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "no space"), 0xA700),
        (OSError(errno.EDQUOT, "quota"), 0xA700),
        (MemoryError(), 0xA700),
        (LedgerError("locked"), 0xA710),
        (NotDicom(Reason.NOT_DICOM, "x"), 0xA730),
        (NotDicom(Reason.EMPTY), 0xA730),
        (NotDicom(Reason.TRUNCATED), 0xC000),
        (OSError(errno.EROFS, "read only"), 0xA750),
        (OSError(errno.EIO, "broken"), 0xA750),
        (ZeroDivisionError("Secret^Patient"), 0x0110),
    ],
)
def test_what_went_wrong_is_told(error, status):
    """R4.543."""
    admission = refusal_of(error)
    assert (admission.status, admission.disposition) == (status, Disposition.REJECTED)
    assert 0 < len(admission.comment) <= 64 and "Secret" not in admission.comment


def test_the_table_has_one_meaning_for_a_code():
    meanings = [status.meaning for status in STORE_STATUSES.values()]
    assert len(meanings) == len(set(meanings))
    assert all(status.rows and not status.meaning.endswith(".") for status in STORE_STATUSES.values())
    required = {0x0000, 0x0110, 0x0124, *range(0xA700, 0xA751, 0x10), 0xA900, 0xC000, *range(0xC010, 0xC015)} - {0xA720}
    assert required <= {status.code for status in STORE_STATUSES.values() if status.sent}
    assert {0x0122, 0xA720, 0xA760, 0xA780, 0xB000, 0xB006, 0xB007} == {
        status.code for status in STORE_STATUSES.values() if not status.sent
    }


def test_every_refusal_is_in_the_table_with_its_element():
    """What `admit` and `refusal_of` answer is what the conformance statement says."""
    policy = AdmissionPolicy(refuse_lossy=True, required_tags=(STUDY_DATE,), enabled_devices=frozenset({"S1"}))
    good = replace(GOOD, values={STUDY_DATE: "20260101", SERIAL: "S1"})
    refusals = [
        admit(replace(good, **change), policy)
        for change in (
            {"sop_class_uid": ""},
            {"free_bytes": 0},
            {"size_bytes": 1 << 40},
            {"may_store": False},
            {"readable": False},
            {"has_pixels": False},
            {"lossy": "01"},
            {"values": {}},
            {"values": {STUDY_DATE: "", SERIAL: "S1"}},
            {"values": {SERIAL: "S1"}},
            {"values": {SERIAL: "S2"}},
        )
    ]
    for refusal in refusals:
        rule = STORE_STATUSES[refusal.status]
        assert rule.sent and rule.needs_element == (refusal.offending_element is not None)
        assert len(refusal.comment) <= 64
    assert len({refusal.status for refusal in refusals}) == 10


def test_the_answers_on_the_wire(tmp_path, caplog):
    """Status, Offending Element and Error Comment as the sender gets them; each failure is logged (R4.126)."""
    policy = replace(
        ROOMY,
        refuse_lossy=True,
        required_tags=(tag_named("StudyDate"), tag_named("AccessionNumber")),
        enabled_devices=frozenset({"S1"}),
    )
    objects = {}
    for number, (name, change) in enumerate(
        {
            "good": {},
            "no device": {"DeviceSerialNumber": None},
            "other device": {"DeviceSerialNumber": "S2"},
            "no date": {"StudyDate": None},
            "no accession": {"AccessionNumber": ""},
            "lossy": {"LossyImageCompression": "01"},
            "no pixels": {"PixelData": None},
        }.items(),
        1,
    ):
        dataset = made(number)
        dataset.DeviceSerialNumber, dataset.AccessionNumber = "S1", "A1"
        for keyword, value in change.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        objects[name] = dataset
    with house(tmp_path, Peer("sender", "SENDER", "127.0.0.1", 1), policy=policy) as node:
        contexts = [build_context(objects["good"].SOPClassUID, ["1.2.840.10008.1.2.1"])]
        association = AE("SENDER").associate("127.0.0.1", node.listener.port, contexts=contexts, ae_title="REREAD")
        answers = {
            name: association.send_c_store(write(dataset, tmp_path / "out" / f"{name}.dcm"))
            for name, dataset in objects.items()
        }
        association.release()
        rejected = node.ledger.rejections()
    assert {name: (item.Status, item.get("OffendingElement")) for name, item in answers.items()} == {
        "good": (0x0000, None),
        "no device": (0xC010, SERIAL),
        "other device": (0xC011, SERIAL),
        "no date": (0xC012, STUDY_DATE),
        "no accession": (0xC013, 0x00080050),
        "lossy": (0xC013, 0x00282110),
        "no pixels": (0xA740, 0x7FE00010),
    }
    assert all(item.ErrorComment for name, item in answers.items() if name != "good")
    lines = [record.getMessage() for record in caplog.records if "refused with" in record.getMessage()]
    assert len(lines) == len(rejected) == 6  # and kept, so that nothing is lost
    assert not any("Secret" in line or "P1" in line or "S2" in line for line in lines)


def test_words_of_the_settings():
    assert transfer_syntax_named("JPEG2000Lossless") == "1.2.840.10008.1.2.4.90"
    assert transfer_syntax_named("1.2.3.4") == "1.2.3.4"
    assert tag_named("StudyDate") == STUDY_DATE
    for word, what in (("JPEG", transfer_syntax_named), ("1..2", transfer_syntax_named), ("Studydate", tag_named)):
        with pytest.raises(ValueError, match=word):
            what(word)
