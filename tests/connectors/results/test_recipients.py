"""Who wants what, decided on names alone; the language of reports; two analyses side by side."""

from __future__ import annotations

from dataclasses import replace

import pydicom
import pytest
from dicom_validators import assert_valid
from made_studies import PROVENANCE
from result_cases import assert_reads_as_report, author, case_of

from reread.analytics.errors import AuthoringFailed
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile
from reread.connectors.results.authoring import ResultFormat, author_for, known_forms
from reread.connectors.results.forms import ResultCase
from reread.connectors.results.page_language import words
from reread.connectors.results.recipients import Recipient, variants_of

CAD, SHEET, STATE, KEYS = (
    ResultFormat.CAD_SR,
    ResultFormat.CAPTURE,
    ResultFormat.PRESENTATION_STATE,
    ResultFormat.KEY_OBJECTS,
)
LEGACY = CadReportOptions(CodeProfile.LEGACY)


def variants(*recipients: Recipient, language: str = "en") -> list[tuple[str, str, tuple[str, ...]]]:
    return [(item.form, item.name, item.destinations) for item in variants_of(known_forms(), recipients, language)]


def test_a_form_is_written_once_for_all_who_want_the_same_of_it():
    assert variants(Recipient("a", (CAD, SHEET)), Recipient("b", (SHEET, CAD), LEGACY), Recipient("c", (CAD,))) == [
        (CAD, "", ("a", "c")),
        (CAD, "-legacy", ("b",)),
        (SHEET, "", ("a", "b")),
    ]
    assert variants(Recipient("", (CAD,))) == [(CAD, "", ())]
    assert variants() == []


def test_options_for_viewers_change_their_own_form_only():
    tracked, placed = CadReportOptions(cornerstone_tracking=True), CadReportOptions(segmentation_placed=True)
    all_three = (CAD, ResultFormat.SEGMENTATION, ResultFormat.MEASUREMENT_REPORT)
    assert variants(
        Recipient("a", all_three), Recipient("b", all_three, tracked), Recipient("c", all_three, placed)
    ) == [
        (CAD, "", ("a", "b", "c")),
        (ResultFormat.SEGMENTATION, "", ("a", "b")),
        (ResultFormat.SEGMENTATION, "-segmentation_placed", ("c",)),
        (ResultFormat.MEASUREMENT_REPORT, "", ("a", "c")),
        (ResultFormat.MEASUREMENT_REPORT, "-cornerstone_tracking", ("b",)),
    ]
    assert variants(Recipient("a", (ResultFormat.MEASUREMENT_REPORT,), LEGACY))[0][1] == ""


def test_key_objects_name_presentation_states_only_to_those_who_get_them(tmp_path):
    result, sources = case_of(tmp_path / "in")
    case = ResultCase(result, PROVENANCE, sources)
    recipients = (Recipient("a", (KEYS, STATE)), Recipient("b", (KEYS,)), Recipient("c", (KEYS,), LEGACY))
    written = author_for(case, recipients, tmp_path / "out").objects
    with_states, without = sorted((item for item in written if item.format == KEYS), key=lambda item: item.destinations)
    assert (with_states.destinations, without.destinations) == (("a",), ("b", "c"))
    assert with_states.sop_instance_uid != without.sop_instance_uid
    assert with_states.series_instance_uid != without.series_instance_uid
    states = {item.sop_instance_uid for item in written if item.format == STATE}
    for document, expected in ((with_states, states), (without, set())):
        assert_valid(document.path)
        named = {
            item.ReferencedSOPSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in pydicom.dcmread(document.path).ContentSequence
            if item.ValueType == "IMAGE" and "ReferencedSOPSequence" in item.ReferencedSOPSequence[0]
        }
        assert named == expected


def test_a_form_that_fails_costs_itself_only(tmp_path, monkeypatch):
    result, sources = case_of(tmp_path / "in")

    def fails(*_: object) -> None:
        raise AuthoringFailed("no room")

    monkeypatch.setattr("reread.connectors.results.capture.draw_sheet", fails)
    authored = author_for(ResultCase(result, PROVENANCE, sources), (Recipient("", (SHEET, CAD)),), tmp_path / "out")
    assert [item.format for item in authored.objects] == [CAD]
    assert authored.problems == ((SHEET, "no room"),)


def test_nobody_gets_a_form_that_does_not_exist(tmp_path):
    result, sources = case_of(tmp_path / "in")
    with pytest.raises(AuthoringFailed, match="no such form of result: overly"):
        author_for(ResultCase(result, PROVENANCE, sources), (Recipient("a", ("overly",)),), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("language", ["de", "ja"])
def test_reports_and_states_speak_the_language_of_the_site(tmp_path, language):
    said = words(language)
    result, sources = case_of(tmp_path / "in")
    spoken = [CAD, ResultFormat.MEASUREMENT_REPORT, KEYS, STATE]
    written = author(result, sources, tmp_path / "out", spoken, language=language)
    english = author(result, sources, tmp_path / "en", spoken)
    assert not {item.sop_instance_uid for item in written} & {item.sop_instance_uid for item in english}
    for item, plain in zip(written, english, strict=True):
        assert_valid(item.path)
        ds, before = pydicom.dcmread(item.path), pydicom.dcmread(plain.path)
        assert ds.PatientName == before.PatientName
        if item.format == STATE:
            text = ds.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue
            assert said.notice in text
            continue
        assert_reads_as_report(item.path)
        stated = ds.ContentSequence[0]
        assert stated.ConceptNameCodeSequence[0].CodeValue == "121049"
        assert tuple(stated.ConceptCodeSequence[0][key].value for key in ("CodeValue", "CodeMeaning")) == (
            language,
            said.language_name,
        )
        assert "ContentSequence" not in stated
        assert codes(ds) - codes(before) == {(language, "RFC5646")}
        assert codes(before) - codes(ds) <= {("en", "RFC5646"), ("US", "ISO3166_1"), ("121046", "DCM")}
        if item.format == CAD:
            assert {said.mass, said.cluster, said.right_breast} <= meanings(ds)
        if item.format == KEYS:
            assert any(said.notice in child.get("TextValue", "") for child in ds.ContentSequence)
    if language == "ja":
        assert {pydicom.dcmread(item.path).SpecificCharacterSet for item in written} == {"ISO_IR 192"}


def codes(item: pydicom.Dataset) -> set[tuple[str, str]]:
    return {(str(code.CodeValue), str(code.CodingSchemeDesignator)) for code in code_items(item)}


def meanings(item: pydicom.Dataset) -> set[str]:
    return {str(code.CodeMeaning) for code in code_items(item)}


def code_items(item: pydicom.Dataset) -> list[pydicom.Dataset]:
    found = []
    for element in item:
        if element.VR == "SQ":
            for inner in element.value:
                found += [inner] if "CodeValue" in inner else []
                found += code_items(inner)
    return found


def test_series_of_two_analyses_can_be_told_apart(tmp_path):
    result, sources = case_of(tmp_path / "in")
    own = replace(PROVENANCE, algorithm="site-model", version="7")
    described = []
    for provenance in (PROVENANCE, own):
        case = ResultCase(result, provenance, sources)
        written = author_for(case, (Recipient("", tuple(ResultFormat)),), tmp_path / "out").objects
        with quiet_reading():
            described.append({(item.format, pydicom.dcmread(item.path).SeriesDescription) for item in written})
    assert {(form, f"{text}, site-model") for form, text in described[0]} == described[1]
    assert len({text for _, text in described[0]}) == len(described[0])
