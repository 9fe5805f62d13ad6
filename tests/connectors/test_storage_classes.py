"""Every storage class of the rows is known, registered and taken."""

from __future__ import annotations

import pytest
from loopback import house
from made_dicom import made, write
from pynetdicom.sop_class import uid_to_service_class

from reread.connectors.dimse import DimseArchive
from reread.connectors.peers import Peer
from reread.connectors.storage_classes import (
    CURRENT_CLASSES,
    PRIVATE_CLASSES,
    RETIRED_CLASSES,
    STORAGE_CLASSES,
    may_be_storage,
    register_storage_classes,
)

ROOT = "1.2.840.10008.5.1.4.1.1"
# R4.69: the 68 classes of the media writer
MEDIA_WRITER_TAILS = """
    1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 3 3.1 4 4.1 4.2 5 6 6.1 7 7.1 7.2 7.3 7.4 8 9 9.1.1 9.1.2 9.1.3 9.2.1 9.3.1
    9.4.1 10 11 11.1 11.2 11.3 11.4 12.1 12.2 12.3 20 66.1 66.2 77.1.1 77.1.1.1 77.1.2 77.1.2.1 77.1.3 77.1.4 77.1.4.1
    77.1.5.1 77.1.5.2 77.1.5.3 128 481.1 481.2 481.3 481.4 481.5 481.6 481.7 88.11 88.22 88.33 88.50 88.59 88.65
"""
MEDIA_WRITER = [f"{ROOT}.{tail}" for tail in MEDIA_WRITER_TAILS.split()]
MEDIA_WRITER += ["1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30"]
# R4.45 to R4.54
WORKSTATION = [f"{ROOT}.{tail}" for tail in ("20", "7", "7.2", "7.4", "9", "2", "4", "128", "88.22")]
WORKSTATION.append("1.2.840.113619.4.27")
# R3.34 to R3.77, what the media writer has not
VIEWER = [f"{ROOT}.{tail}" for tail in ("12.1.1", "12.2.1", "77.1.5.4", "13.1.1", "13.1.2")]
# R4.62 to R4.68
PRINT = [f"1.2.840.10008.5.1.1.{tail}" for tail in ("9", "18", "1", "2", "4", "4.1", "14", "16")]


def test_the_rows():
    assert len(MEDIA_WRITER) == len(set(MEDIA_WRITER)) == 68
    assert {*MEDIA_WRITER, *WORKSTATION, *VIEWER} <= set(STORAGE_CLASSES)
    assert not set(PRINT) & set(STORAGE_CLASSES)
    assert not any(may_be_storage(uid) for uid in PRINT)


def test_names():
    assert STORAGE_CLASSES[f"{ROOT}.1.2.1"].startswith("Digital Mammography X-Ray Image Storage")
    assert all("Storage" in name or "SR" in name or "storage" in name for name in STORAGE_CLASSES.values())
    assert len(CURRENT_CLASSES) >= 170  # pynetdicom 3.0.4 (PS3.4 table B.5-1)


def test_the_toolkit_serves_all_of_them():
    register_storage_classes()
    register_storage_classes()
    assert {uid_to_service_class(uid).__name__ for uid in STORAGE_CLASSES} == {"StorageServiceClass"}


@pytest.mark.parametrize(
    ("uid", "may"),
    [
        ("1.2.826.0.1.3680043.9.3811.77.1", True),  # private
        (f"{ROOT}.999.1", True),  # a class of a later edition
        (f"{ROOT}.200.1", False),  # has no patient: CT Defined Procedure Protocol
        ("1.2.840.10008.5.1.4.38.1", False),  # the same: Hanging Protocol
        ("1.2.840.10008.5.1.4.31", False),  # Modality Worklist FIND
        ("1.2.840.10008.5.1.4.1.2.2.1", False),  # Study Root FIND
        ("1.2.840.10008.1.9", False),  # Basic Study Content Notification
    ],
)
def test_what_could_be_a_storage_class(uid, may):
    assert may_be_storage(uid) is may


def test_one_object_of_each_class_is_stored(tmp_path):
    """R4.542."""
    with house(tmp_path, Peer("sender", "SENDER", "127.0.0.1", 11999)) as node:
        archive = DimseArchive(Peer("us", "REREAD", "127.0.0.1", node.listener.port), "SENDER", timeout_s=20.0)
        files = {
            uid: write(made(number, sop_class=uid, modality="OT"), tmp_path / "out" / f"{number}.dcm")
            for number, uid in enumerate(STORAGE_CLASSES, 1)
        }
        outcomes = archive.store(list(files.values()))
        assert {item.sop_class_uid: item.status for item in outcomes if item.status != 0} == {}
        assert len(node.ledger.known_instances("2.25.1")) == len(STORAGE_CLASSES)
    assert {*RETIRED_CLASSES, *PRIVATE_CLASSES} <= set(files)
