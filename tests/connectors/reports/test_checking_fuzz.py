"""Nothing that stands in a file makes the checker crash: trees and bytes changed at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_measurements import measurement_report
from made_reports import whole_report
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from report_files import save_report

from reread.connectors.reports.object_checking import check_file, check_files

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYWORDS = (
    "RelationshipType",
    "ValueType",
    "ConceptNameCodeSequence",
    "ConceptCodeSequence",
    "MeasuredValueSequence",
    "GraphicData",
    "GraphicType",
    "ReferencedSOPSequence",
    "ReferencedContentItemIdentifier",
    "ContentSequence",
    "TextValue",
    "Date",
    "ContinuityOfContent",
    "ContentTemplateSequence",
)
STUMBLED = "cannot be read ("
"""what is said of an exception that the checker does not expect: the last resort, not a way to go"""
TEXTS = st.sampled_from(["", "CONTAINS", "CODE", "NUM", "SCOORD", "IMAGE", "x" * 80, "\\", "nan", "1e999", "Ünïcode"])


@pytest.fixture(autouse=True)
def lenient_writing(strict_writing) -> Iterator[None]:
    """Broken values must reach the file."""
    before = config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = before


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    return save_report(whole_report(), tmp_path_factory.mktemp("fuzz") / "a.dcm").read_bytes()


@pytest.fixture(scope="module")
def measured() -> bytes:
    return measurement_report()


def items(ds: Dataset) -> list[Dataset]:
    found, waiting = [], [ds]
    while waiting:
        item = waiting.pop()
        found.append(item)
        waiting += item.get("ContentSequence") or []
    return found


CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from(KEYWORDS), st.integers(0, 5), TEXTS),
    min_size=1,
    max_size=12,
)


def change(ds: Dataset, place: int, other: int, keyword: str, way: int, value: str) -> None:
    known = items(ds)
    item, source = known[place % len(known)], known[other % len(known)]
    if way == 0 and keyword in item:
        del item[keyword]
    elif way == 1 and keyword in source and keyword != "ContentSequence":
        item[keyword] = source[keyword]
    elif way == 2 and keyword.endswith("Sequence"):
        setattr(item, keyword, Sequence())
    elif (
        way == 3
        and not keyword.endswith("Sequence")
        and keyword not in ("GraphicData", "ReferencedContentItemIdentifier")
    ):
        setattr(item, keyword, value)
    elif way == 4:
        item.ReferencedContentItemIdentifier = [1, place % 7, other % 9]
    elif way == 5:
        item.GraphicData = [float("nan"), float(place), -1.0][: place % 4]


@pytest.mark.slow
@FEW
@given(changes=CHANGES)
@example(changes=[(0, 0, "ContentSequence", 0, "")])
@example(changes=[(0, 0, "ValueType", 3, "")])
def test_changed_trees_are_checked_to_the_end(tmp_path_factory, content, changes):
    ds = pydicom.dcmread(BytesIO(content))
    for one in changes:
        change(ds, *one)
    path = save_report(ds, tmp_path_factory.mktemp("tree") / "a.dcm")
    checked = check_file(path, {})
    assert checked.error or checked.kind == "Mammography CAD SR"
    assert all(item.rule and item.detail for item in checked.violations)
    assert not checked.error.startswith(STUMBLED)


@pytest.mark.slow
@FEW
@given(changes=CHANGES)
def test_changed_measurement_reports_are_checked_to_the_end(tmp_path_factory, measured, changes):
    ds = pydicom.dcmread(BytesIO(measured))
    for one in changes:
        change(ds, *one)
    path = tmp_path_factory.mktemp("tree") / "a.dcm"
    ds.save_as(path, enforce_file_format=True)
    checked = check_file(path, {})
    assert checked.error or checked.kind == "Comprehensive 3D SR"
    assert all(item.rule and item.detail for item in checked.violations)
    assert not checked.error.startswith(STUMBLED)


@FEW
@given(seed=st.integers(0, 2**32), count=st.integers(1, 200), cut=st.one_of(st.none(), st.integers(0, 50_000)))
def test_changed_bytes_are_an_error_or_violations(tmp_path_factory, content, seed, count, cut):
    chance = random.Random(seed)
    broken = bytearray(content[:cut])
    for _ in range(count if broken else 0):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    path = tmp_path_factory.mktemp("bytes") / "a.dcm"
    path.write_bytes(bytes(broken))
    (checked,) = check_files([path])
    assert checked.error or checked.kind
    assert not checked.error.startswith(STUMBLED)


def test_a_tree_deeper_than_any_stack_is_an_error(tmp_path):
    ds = whole_report()
    inner = ds.ContentSequence[0]
    for _ in range(100):
        item = Dataset()
        item.RelationshipType, item.ValueType = "HAS CONCEPT MOD", "CODE"
        inner.ContentSequence = [item]
        inner = item
    checked = check_file(save_report(ds, tmp_path / "deep.dcm"), {})
    assert "nested too deeply" in checked.error


@pytest.mark.parametrize("folder", ["data/interop/hostile", "data/interop/dose", "data/dicom-mg/openrem"])
def test_real_and_hostile_files_are_checked_to_the_end(folder):
    path = Path(__file__).parents[4] / "shared" / folder
    if not path.exists():
        pytest.skip("the shared data are not here")
    found = list(check_files([path]))
    assert found
    assert all(item.kind or item.error for item in found)
    assert not [item.path for item in found if item.error.startswith(STUMBLED)]
