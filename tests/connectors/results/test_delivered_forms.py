"""Every form goes to archives of others and comes back: dcmtk's storescp, and Orthanc, which gives it back."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_validators import dcmtk
from loopback import free_port
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from result_cases import without_spacing

from reread.analytics.errors import ArchiveError
from reread.connectors.archive import StoreOutcome
from reread.connectors.dimse import DimseArchive
from reread.connectors.mammograms import read_mammogram
from reread.connectors.peers import Peer
from reread.connectors.results.authoring import AuthoredObject, ResultFormat, author_study

ORTHANC = Path("/usr/sbin/Orthanc")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[AuthoredObject, ...]:
    """All forms of a study of one digital image, one that is compressed, and one film."""
    folder = tmp_path_factory.mktemp("forms")
    compressed = mammogram_dataset("R", "CC", number=2)
    save(compressed, folder / "plain.dcm")  # pydicom wants to know what it compresses
    compressed.compress(RLELossless, generate_instance_uid=False)
    paths = [
        save(mammogram_dataset("L", "CC", number=1), folder / "1.dcm"),
        save(compressed, folder / "2.dcm", RLELossless),
        save(without_spacing("L", "MLO", 3), folder / "3.dcm"),
    ]
    images = [image_result(read_mammogram(path).header) for path in paths]
    return author_study(
        study_result(*images),
        sources={image.header.sop_instance_uid: path for image, path in zip(images, paths, strict=True)},
        provenance=PROVENANCE,
        folder=folder / "out",
        formats=list(ResultFormat),
    )


def test_they_are_all_there_and_one_copy_is_compressed(written):
    assert {item.format for item in written} == set(ResultFormat)
    syntaxes = {
        (item.format, str(pydicom.dcmread(item.path, stop_before_pixels=True).file_meta.TransferSyntaxUID))
        for item in written
    }
    assert {form for form, syntax in syntaxes if syntax != ExplicitVRLittleEndian} == {ResultFormat.OVERLAY}
    assert (ResultFormat.OVERLAY, RLELossless) in syntaxes


def echoed(archive: DimseArchive) -> None:
    for _ in range(200):
        try:
            archive.echo()
            return
        except ArchiveError:
            time.sleep(0.05)
    pytest.fail("the archive did not start")


def assert_stored(outcomes: tuple[StoreOutcome, ...]) -> None:
    assert [(item.path.name, item.detail) for item in outcomes if not item.stored] == []


@pytest.mark.skipif(not dcmtk("storescp").exists(), reason="dcmtk is not installed")
@pytest.mark.parametrize(("accepts", "as_they_are"), [("+xa", True), ("+xe", False)])
def test_storescp_takes_every_form(written, tmp_path, accepts, as_they_are):
    port = free_port()
    (tmp_path / "in").mkdir()
    process = subprocess.Popen(
        [dcmtk("storescp"), accepts, "-od", tmp_path / "in", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        archive = DimseArchive(Peer("scp", "STORESCP", "127.0.0.1", port), "REREAD", timeout_s=20.0)
        echoed(archive)
        assert_stored(archive.store([item.path for item in written]))
    finally:
        process.terminate()
        process.wait(20)
    arrived = {str(ds.SOPInstanceUID): ds for ds in map(pydicom.dcmread, (tmp_path / "in").iterdir())}
    assert sorted(arrived) == sorted(item.sop_instance_uid for item in written)
    for item in written:
        sent, got = pydicom.dcmread(item.path), arrived[item.sop_instance_uid]
        if as_they_are or sent.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
            assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
            assert got == sent, item.format
        else:  # the archive takes nothing compressed
            assert got.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert (got.pixel_array == sent.pixel_array).all()
            assert [element.tag for element in got] == [element.tag for element in sent]
    assert not list(written[0].path.parent.glob("*.plain"))


@contextmanager
def orthanc(root: Path) -> Iterator[tuple[DimseArchive, Any]]:
    """Orthanc, and what asks its REST interface."""
    port, http = free_port(), free_port()
    settings = {
        "StorageDirectory": str(root),
        "IndexDirectory": str(root),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"test": "test"},
        "Plugins": [],
        "DicomModalities": {"reread": ["REREAD", "127.0.0.1", free_port()]},
    }
    (root / "orthanc.json").write_text(json.dumps(settings))

    def rest(path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", data=body)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"test:test").decode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    with (
        (root / "log").open("wb") as log,
        subprocess.Popen(
            [ORTHANC, root / "orthanc.json"], stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}
        ) as process,
    ):
        try:
            archive = DimseArchive(Peer("pacs", "ORTHANC", "127.0.0.1", port), "REREAD", timeout_s=20.0)
            echoed(archive)
            yield archive, rest
        finally:
            process.terminate()


@pytest.mark.skipif(not ORTHANC.is_file(), reason="Orthanc is not installed")
def test_orthanc_gives_every_form_back_as_it_was(written, tmp_path):
    with orthanc(tmp_path) as (archive, rest):
        assert_stored(archive.store([item.path for item in written]))
        for item in written:
            (found,) = json.loads(rest("/tools/lookup", item.sop_instance_uid.encode()))
            got = pydicom.dcmread(BytesIO(rest(f"/instances/{found['ID']}/file")))
            sent = pydicom.dcmread(item.path)
            assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
            assert got == sent, item.format
