"""Our template checker finds each of ten ways to break a report; IOD validators pass seven of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom.dataset import Dataset

from reread.connectors.mammograms import read_header
from reread.connectors.reports.cad_checking import check_cad_report
from reread.connectors.results.authoring import ResultFormat, author_study


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    source = save(mammogram_dataset("L", "MLO"), folder / "a.dcm")
    header = read_header(source)
    (report,) = author_study(
        study_result(image_result(header)),
        sources={header.sop_instance_uid: source},
        provenance=PROVENANCE,
        folder=folder,
        formats=[ResultFormat.CAD_SR],
    )
    return report.path


def walk(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence") or []:
        yield from walk(child)


def named(ds: Dataset, value: str) -> Dataset:
    return next(item for item in walk(ds) if "ConceptNameCodeSequence" in item and concept(item) == value)


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def finding(ds: Dataset, value: str) -> Dataset:
    return next(
        item for item in walk(ds) if "ConceptCodeSequence" in item and item.ConceptCodeSequence[0].CodeValue == value
    )


def composition_contains(ds: Dataset) -> None:
    for item in finding(ds, "129715009").ContentSequence:
        if concept(item) == "129715009":
            item.RelationshipType = "CONTAINS"


def no_evidence(ds: Dataset) -> None:
    del ds.CurrentRequestedProcedureEvidenceSequence


def summary_as_context(ds: Dataset) -> None:
    named(ds, "111064").RelationshipType = "HAS OBS CONTEXT"


def missing_target(ds: Dataset) -> None:
    named(ds, "111010").ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 99]


def no_algorithm(ds: Dataset) -> None:
    item = finding(ds, "129793001")
    item.ContentSequence = [part for part in item.ContentSequence if concept(part) not in ("111001", "111003")]


def unknown_finding(ds: Dataset) -> None:
    finding(ds, "129793001").ConceptCodeSequence[0].CodeValue = "12345"


def no_library(ds: Dataset) -> None:
    del ds.ContentSequence[1]


def outline_of_one_point(ds: Dataset) -> None:
    named(ds, "111041").GraphicData = [10.0, 10.0]


def certainty_beyond(ds: Dataset) -> None:
    item = named(ds, "111046")
    item.ConceptNameCodeSequence[0].CodeValue = "111012"
    item.MeasuredValueSequence[0].NumericValue = "187"


def number_without_units(ds: Dataset) -> None:
    del named(ds, "111046").MeasuredValueSequence[0].MeasurementUnitsCodeSequence


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (composition_contains, "relationship"),
        (no_evidence, "evidence"),
        (summary_as_context, "relationship"),
        (missing_target, "reference"),
        (no_algorithm, "algorithm"),
        (unknown_finding, "value set"),
        (no_library, "mandatory row"),
        (outline_of_one_point, "geometry"),
        (certainty_beyond, "measurement"),
        (number_without_units, "measurement"),
    ],
)
def test_each_way_to_break_a_report_is_found(tmp_path, good, spoil: Callable[[Dataset], None], rule):
    assert check_cad_report(good) == ()
    ds = pydicom.dcmread(good)
    spoil(ds)
    path = tmp_path / "spoiled.dcm"
    ds.save_as(path)
    violations = check_cad_report(path)
    assert rule in {violation.rule for violation in violations}
    assert all(violation.path[0] == 1 and violation.detail for violation in violations)


def no_rendering_intent(ds: Dataset) -> None:
    item = finding(ds, "129769006")
    item.ContentSequence = [part for part in item.ContentSequence if concept(part) != "111056"]


def no_center(ds: Dataset) -> None:
    item = finding(ds, "129793001")
    item.ContentSequence = [part for part in item.ContentSequence if concept(part) != "111010"]


def no_selected_from(ds: Dataset) -> None:
    del named(ds, "111010").ContentSequence


def open_outline(ds: Dataset) -> None:
    item = named(ds, "111007")
    item.GraphicData = list(item.GraphicData)[:-2]


def wrong_status(ds: Dataset) -> None:
    named(ds, "111065").ConceptCodeSequence[0].CodeValue = "111241"


def another_root(ds: Dataset) -> None:
    ds.ContentTemplateSequence[0].TemplateIdentifier = "1500"


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (no_rendering_intent, "rendering intent"),
        (no_center, "mandatory row"),
        (no_selected_from, "selected from"),
        (open_outline, "geometry"),
        (wrong_status, "value set"),
        (another_root, "root"),
    ],
)
def test_more_ways(tmp_path, good, spoil: Callable[[Dataset], None], rule):
    ds = pydicom.dcmread(good)
    spoil(ds)
    ds.save_as(tmp_path / "spoiled.dcm")
    assert rule in {violation.rule for violation in check_cad_report(tmp_path / "spoiled.dcm")}
