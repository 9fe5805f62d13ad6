"""The walk over a header says the same as pydicom, or nothing."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dicom import made, write
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from reread.analytics.errors import NotDicom
from reread.connectors import part10
from reread.connectors.header_scan import scan_data_set
from reread.connectors.part10 import Part10, read_part10

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REAL = sorted(path for path in SHARED.glob("*/**/*") if path.is_file() and "mias" not in path.parts)


def both(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Part10 | str, Part10 | str]:
    def facts() -> Part10 | str:
        try:
            return read_part10(path)
        except NotDicom as error:
            return str(error)

    quick = facts()
    with monkeypatch.context() as patch:
        patch.setattr(part10, "_scanned", lambda *arguments: None)
        return quick, facts()


@pytest.mark.skipif(not REAL, reason="the shared data are not here")
def test_real_files(monkeypatch):
    for path in REAL:
        if path.stat().st_size > 50_000_000:
            continue
        quick, thorough = both(path, monkeypatch)
        assert quick == thorough, path.name


def test_files_of_pydicom(monkeypatch):
    scanned = 0
    for path in map(Path, get_testdata_files()):
        if path.is_file():
            quick, thorough = both(path, monkeypatch)
            assert quick == thorough, path.name
            scanned += isinstance(quick, Part10)
    assert scanned > 20


def nested(depth: int) -> Dataset:
    item = Dataset()
    item.CodeValue = "x"
    if depth:
        item.ConceptNameCodeSequence = Sequence([nested(depth - 1), Dataset()])
        item["ConceptNameCodeSequence"].is_undefined_length = depth % 2 == 0
        item.ConceptNameCodeSequence[0].is_undefined_length_sequence_item = depth % 3 == 0
    return item


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("depth", [0, 1, 4, 7])
def test_nested_sequences_are_passed_over(tmp_path, syntax, depth, monkeypatch):
    dataset = made(1, syntax=syntax)
    dataset.ProcedureCodeSequence = Sequence([nested(depth)])
    dataset["ProcedureCodeSequence"].is_undefined_length = True
    path = write(dataset, tmp_path / "a.dcm")
    quick, thorough = both(path, monkeypatch)
    assert quick == thorough and isinstance(quick, Part10)
    with path.open("rb") as file:
        file.seek(132)
        assert part10._scanned(path, file) == quick


def test_encapsulated_pixels_are_followed_to_their_end(tmp_path):
    dataset = made(1, syntax=JPEGLSLossless)
    dataset.PixelData = encapsulate([b"\xff\xd8" + bytes(998), b"\xff\xd8" + bytes(98)])
    dataset["PixelData"].is_undefined_length = True
    path = write(dataset, tmp_path / "a.dcm")
    facts = read_part10(path)
    assert facts.complete and facts.has_pixels
    whole = path.read_bytes()
    assert scan_data_set(path, facts.dataset_offset, JPEGLSLossless, {0x00080018}) is not None
    for cut in (1, 8, 20, 600):
        path.write_bytes(whole[:-cut])
        assert scan_data_set(path, facts.dataset_offset, JPEGLSLossless, set()) is None


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None, derandomize=True
)
@given(st.data())
def test_a_changed_file_is_read_the_same_or_not_at_all(tmp_path, monkeypatch, data):
    whole = bytearray(write(made(1), tmp_path / "a.dcm").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(132, len(whole) - 1100))] = data.draw(st.integers(0, 255))
    path = tmp_path / "b.dcm"
    path.write_bytes(whole[: data.draw(st.integers(200, len(whole)))])
    with path.open("rb") as file:
        file.seek(132)
        quick = part10._scanned(path, file)
    if quick is not None:
        values = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        assert quick.complete and quick.dataset_offset <= len(whole) and values is not None
