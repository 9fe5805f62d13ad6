"""`reread import`: every file accounted for, studies complete at once, originals untouched."""

from __future__ import annotations

import pytest
from made_nights import PATIENT_NAME, phantom_file, phantom_study

from reread.connectors.states import StudyState
from reread.deployments.imports import import_paths
from reread.deployments.settings import Settings
from reread.deployments.site_services import opened_site


@pytest.fixture
def services(tmp_path):
    with opened_site(Settings(data=tmp_path / "data")) as opened:
        yield opened


def test_files_and_folders_become_complete_studies(services, tmp_path):
    phantom_study(tmp_path / "in" / "deep" / "er", "2.25.1", 2)
    single = phantom_file(tmp_path / "single.dcm", study="2.25.2")
    summary = import_paths([tmp_path / "in", single], services)
    assert (summary.queued, summary.rejected) == (3, 0)
    assert summary.lines == ("3 files: 3 queued",)
    waiting = services.ledger.studies_to_measure()
    assert {work.study_instance_uid: len(work.instances) for work in waiting} == {"2.25.1": 2, "2.25.2": 1}
    assert {work.state for work in waiting} == {StudyState.CLOSED}
    assert {work.evidence for work in waiting} == {"import of 3 files"}


def test_bad_files_duplicates_and_conflicts_are_named(services, tmp_path):
    good = phantom_file(tmp_path / "a.dcm", 1)
    (tmp_path / "b.dcm").write_bytes(good.read_bytes())
    conflict = phantom_file(tmp_path / "c.dcm", 2)
    conflict.write_bytes(conflict.read_bytes().replace(b"2.25.1001.2", b"2.25.1001.1"))
    (tmp_path / "d.pdf").write_bytes(b"%PDF")
    (tmp_path / "e.dcm").touch()
    files = sorted(tmp_path.glob("?.*"))
    before = [path.read_bytes() for path in files]
    summary = import_paths(files, services)
    assert (summary.queued, summary.rejected) == (2, 2)
    said = "\n".join(summary.lines)
    for words in ("conflict ", "c.dcm", "d.pdf: not a DICOM file", "e.dcm: a file of zero bytes", "5 files: "):
        assert words in said
    assert summary.lines[-1] == "5 files: 1 conflict, 1 duplicate, 1 queued, 2 rejected"
    assert PATIENT_NAME not in said
    assert [path.read_bytes() for path in files] == before


def test_importing_again_adds_nothing(services, tmp_path):
    phantom_study(tmp_path / "in", count=2)
    import_paths([tmp_path / "in"], services)
    before = services.ledger.studies_to_measure()
    assert import_paths([tmp_path / "in"], services).lines == ("2 files: 2 duplicate",)
    assert services.ledger.studies_to_measure() == before


def test_a_late_image_opens_a_revision_with_all_images(services, tmp_path):
    first, late = phantom_study(tmp_path / "in", count=2)
    import_paths([first], services)
    import_paths([late], services)
    (work,) = services.ledger.studies_to_measure()
    assert (work.revision, len(work.instances)) == (2, 2)


def test_nothing_there(services, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        import_paths([tmp_path / "nowhere"], services)
    (tmp_path / "void").mkdir()
    assert import_paths([tmp_path / "void"], services).lines == ("0 files: nothing found",)


def test_what_holds_patient_data_is_for_its_owner_only(services, tmp_path):
    phantom_study(tmp_path / "in", count=1)
    import_paths([tmp_path / "in"], services)
    for name in ("spool", "results", "pictures"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / "pseudonym.key").stat().st_mode & 0o077 == 0
