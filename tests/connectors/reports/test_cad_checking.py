"""Every way to break a report is found, by the rule that it breaks; IOD validators pass seven of the first ten."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from broken_reports import (
    COMPOSITION,
    MASS,
    MORE,
    TEN,
    Spoil,
    code,
    named,
    nested_under_text,
    quoted_from_a_device,
    removed,
    valued,
    walk,
)
from dicom_validators import assert_valid
from made_reports import COLUMNS, ROWS, whole_report
from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, EnhancedSRStorage, KeyObjectSelectionDocumentStorage
from report_files import IMAGES, MAMMOGRAM, coded, save_report

from reread.connectors.mammograms import read_header
from reread.connectors.reports.cad_checking import check_cad_report
from reread.connectors.reports.codes import Code
from reread.connectors.reports.object_checking import check_file, check_files
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.reports.violations import ImageFacts
from reread.connectors.results.authoring import ResultFormat, author_study

FACTS = {uid: ImageFacts(MAMMOGRAM, ROWS, COLUMNS, 1, frozenset()) for uid in IMAGES}


@pytest.fixture(autouse=True)
def lenient_writing(strict_writing) -> Iterator[None]:
    """Broken values must reach the file."""
    before = config.settings.reading_validation_mode
    config.settings.writing_validation_mode = config.settings.reading_validation_mode = config.IGNORE
    yield
    config.settings.reading_validation_mode = before


def authored(folder: Path, options: CadReportOptions) -> Path:
    sources, results = {}, []
    for place, (side, view) in enumerate((("L", "MLO"), ("L", "CC"))):
        source = save(mammogram_dataset(side, view, number=place + 1), folder / f"{place}.dcm")
        header = read_header(source)
        sources[header.sop_instance_uid] = source
        results.append(image_result(header))
    (report,) = author_study(
        study_result(*results),
        sources=sources,
        provenance=PROVENANCE,
        folder=folder / "out",
        formats=[ResultFormat.CAD_SR],
        options=options,
    )
    return report.path


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return authored(tmp_path_factory.mktemp("good"), CadReportOptions(certainty=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return save_report(whole_report(), tmp_path_factory.mktemp("whole") / "whole.dcm")


def spoiled(path: Path, spoil: Spoil, folder: Path) -> Path:
    broken = pydicom.dcmread(path)
    spoil(broken)
    return save_report(broken, folder / "spoiled.dcm")


@pytest.mark.parametrize("options", [CadReportOptions(), CadReportOptions(codes=CodeProfile.LEGACY)])
def test_ours_is_accepted_in_both_profiles(tmp_path, options):
    path = authored(tmp_path, options)
    # with the images beside it, so that sizes and attributes are compared too
    checked = {item.path: item for item in check_files([tmp_path])}
    assert [item.kind for item in checked.values()].count("image") == 2
    assert checked[path].kind == "Mammography CAD SR"
    assert checked[path].violations == checked[path].notices == ()
    composition = valued(pydicom.dcmread(path), COMPOSITION if options.codes is CodeProfile.SCT else "F-01710")
    assert {item.RelationshipType for item in composition.ContentSequence} >= {"HAS PROPERTIES"}


def test_a_report_with_every_row_is_accepted_by_us_and_by_others(whole):
    assert check_cad_report(whole, FACTS) == ()
    assert_valid(whole)


@pytest.mark.parametrize(("spoil", "rule"), TEN)
def test_the_ten_variants(tmp_path, good, spoil: Spoil, rule):
    path = spoiled(good, spoil, tmp_path)
    found = check_cad_report(path)
    assert rule in {violation.rule for violation in found}
    assert all(violation.detail and (violation.where or not violation.path) for violation in found)


def rules(path: Path) -> set[str]:
    return {violation.rule for violation in check_file(path, FACTS).violations}


@pytest.mark.parametrize(("spoil", "rule"), [pytest.param(*case[1:], id=case[0]) for case in MORE])
def test_more_ways(tmp_path, whole, spoil: Spoil, rule):
    assert rule in rules(spoiled(whole, spoil, tmp_path))


@pytest.mark.parametrize(
    ("keyword", "rule"),
    [
        ("ContentDate", "PS3.3-sr-document-general"),
        ("SeriesNumber", "PS3.3-sr-document-series"),
        ("PatientName", "PS3.3-patient"),
        ("StudyInstanceUID", "PS3.3-general-study"),
        ("CompletionFlag", "PS3.3-sr-document-general"),
    ],
)
def test_attributes_that_an_iod_needs(tmp_path, whole, keyword, rule):
    assert rule in rules(spoiled(whole, lambda ds: delattr(ds, keyword), tmp_path))


def test_an_image_at_hand_tells_what_its_entry_lacks(tmp_path, whole):
    without_date = spoiled(whole, lambda ds: removed(ds, named(ds, "111060")), tmp_path)
    dated = {uid: ImageFacts(MAMMOGRAM, ROWS, COLUMNS, 1, frozenset({"StudyDate"})) for uid in IMAGES}
    assert "TID4020-7" in {item.rule for item in check_cad_report(without_date, dated)}
    assert check_cad_report(without_date, FACTS) == ()


@pytest.mark.parametrize("count", [2, 3])
def test_an_outline_without_inside_is_worth_a_notice(tmp_path, whole, count):
    def spoil(ds: Dataset) -> None:
        outline = named(ds, "111007")
        outline.GraphicData = list(outline.GraphicData)[: 2 * count]

    found = check_file(spoiled(whole, spoil, tmp_path), FACTS)
    assert found.violations == ()
    assert {item.rule for item in found.notices} == {"TID4008-1"}


def test_a_feature_has_a_geometry_in_each_of_its_views(tmp_path, whole):
    """TID 4005 row 10 is 1-n: what must be the same image is so within one geometry."""

    def spoil(ds: Dataset) -> None:
        feature = named(ds, "111015")
        places = [at for at, item in enumerate(feature.ContentSequence) if item.get("ValueType") == "SCOORD"]
        second = copy.deepcopy([feature.ContentSequence[at] for at in places])
        for item in second:
            item.ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 2]
        feature.ContentSequence = [
            *feature.ContentSequence[: places[-1] + 1],
            *second,
            *feature.ContentSequence[places[-1] + 1 :],
        ]
        # findings below it have moved behind three more items
        for item in walk(ds):
            target = item.get("ReferencedContentItemIdentifier")
            if target is not None and len(target) > 4 and list(target[:2]) == [1, 3]:
                removed(ds, item)

    path = spoiled(whole, spoil, tmp_path)
    assert not {rule for rule in rules(path) if rule.startswith("TID4021")}


def test_quoted_context_is_known_by_its_rows(tmp_path, whole):
    """TID 4022 row 3: TID 1001 with a device that is whole."""

    def spoil(ds: Dataset) -> None:
        quoted_from_a_device(ds)
        device = Dataset()
        device.RelationshipType, device.ValueType, device.UID = "HAS OBS CONTEXT", "UIDREF", "2.25.5"
        device.ConceptNameCodeSequence = [coded(Code("121012", "DCM", "Device Observer UID"))]
        valued(ds, MASS).ContentSequence.append(device)

    assert rules(spoiled(whole, spoil, tmp_path)) == set()


def test_a_private_number_with_its_derivation_is_an_extension(tmp_path, whole):
    def spoil(ds: Dataset) -> None:
        named(valued(ds, MASS), "112200").ConceptNameCodeSequence = [coded(Code("Z1", "99REREAD", "of ours"))]

    assert rules(spoiled(whole, spoil, tmp_path)) == set()


def test_the_legacy_codes_of_others_are_accepted(tmp_path, whole):
    """Every SNOMED code of the tree in SRT, as an older device writes it."""
    from pydicom.sr._snomed_dict import mapping

    def spoil(ds: Dataset) -> None:
        for item in walk(ds):
            for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
                for entry in item.get(keyword) or []:
                    if entry.CodingSchemeDesignator == "SCT" and entry.CodeValue in mapping["SCT"]:
                        entry.CodeValue = mapping["SCT"][entry.CodeValue]
                        entry.CodingSchemeDesignator = "SRT"

    assert rules(spoiled(whole, spoil, tmp_path)) == set()


def test_a_malformed_report_of_another_maker_gets_its_list_of_problems(tmp_path, whole):
    """As in a public log of a density report: all of these at once."""

    def spoil(ds: Dataset) -> None:
        code(named(ds, "111032"), "T-Rex", "SRT", "T-Rex")
        named(ds, "111064").RelationshipType = named(ds, "111065").RelationshipType = "HAS CONCEPT MOD"
        nested_under_text(ds)
        for item in walk(ds):
            for entry in item.get("ConceptNameCodeSequence") or []:
                entry.CodeMeaning = str(entry.CodeMeaning).upper()

    checked = check_file(spoiled(whole, spoil, tmp_path), FACTS)
    assert {item.rule for item in checked.violations} == {"TID4020-4", "TID4000-6", "TID4000-8", "TID4019-extra"}
    assert {item.rule for item in checked.notices} == {"PS3.16-meaning"}
    by_rule = {item.rule: item for item in checked.violations}
    assert by_rule["TID4000-6"].path == (1, 4)
    assert "HAS CONCEPT MOD in place of CONTAINS" in by_rule["TID4000-6"].detail
    assert by_rule["TID4020-4"].where.endswith(" > IMAGE VIEW MODIFIER = T-Rex")


@pytest.mark.parametrize(
    ("sop_class_uid", "rule"),
    [(EnhancedSRStorage, "PS3.3-A.35.2"), (KeyObjectSelectionDocumentStorage, "PS3.3-A.35.4")],
)
def test_other_reports_are_held_to_the_table_of_their_iod(tmp_path, whole, sop_class_uid, rule):
    found = rules(spoiled(whole, lambda ds: setattr(ds, "SOPClassUID", sop_class_uid), tmp_path))
    assert rule in found
    assert not any(name.startswith("TID") for name in found)


def test_a_comprehensive_report_may_hold_the_same_tree(tmp_path, whole):
    path = spoiled(whole, lambda ds: setattr(ds, "SOPClassUID", ComprehensiveSRStorage), tmp_path)
    assert not {name for name in rules(path) if name.startswith("PS3.3-A")}
    assert "PS3.3-A.35.5" in {item.rule for item in check_cad_report(path)}, "asked for as a CAD report"
