"""Reports of any tree become the records that a CAD SR becomes: ours, those of another library, those of nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import highdicom as hd
import numpy as np
import pyarrow as pa
import pydicom
import pytest
from foreign_reports import CAD_SR, COMPREHENSIVE, ENHANCED, IMAGES, cad_tree, density_tree, document
from foreign_reports import malformed_density_tree as malformed_tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_reports import whole_report
from made_studies import PROVENANCE, save
from pydicom.sr.codedict import codes
from result_cases import VARIANTS, author, case_of

from reread.analytics.errors import InputError
from reread.analytics.records import FindingKind
from reread.analytics.schema_reports import REPORT_TABLES
from reread.analytics.tables import tables
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.reports.report_reading import read_report
from reread.connectors.reports.report_rows import ReportSource, report_rows

SOURCE = ReportSource(
    "2.25.501", CAD_SR, "2.25.502", "2.25.1001", "pseudonym", "20250102", "d" * 64, "others", "run", datetime.now(UTC)
)


def rows_of(path):
    made = report_rows(read_report(path), SOURCE)
    assert list(made) == list(REPORT_TABLES)
    for name, schema in REPORT_TABLES.items():
        pa.Table.from_pylist(made[name], schema=schema).validate(full=True)
        for row in made[name]:
            assert set(row) <= set(schema.names), name
    return made


@pytest.mark.parametrize("variant", ["usual", "flipped"])
def test_ours_come_back_as_our_own_rows(tmp_path, variant):
    """CAD SR: marks and densities by image equal those of the tables, number for number."""
    result, sources = case_of(tmp_path / "in", variant)
    (report,) = author(result, sources, tmp_path / "out", ["mammography-cad-sr"])
    ours, theirs = tables((result,), PROVENANCE), rows_of(report.path)
    key = ("sop_instance_uid", "kind", "x_px", "y_px")
    found = {tuple(row[name] for name in key): row for row in theirs["reported_findings"] if row["place_from"]}
    marks = [row for row in ours["findings"].to_pylist() if row["operating_point"] is not None]
    assert len(marks) == 12
    for mark in marks:
        near = [
            row
            for at, row in found.items()
            if at[:2] == (mark["sop_instance_uid"], mark["kind"])
            and at[2:] == (pytest.approx(mark["x_px"], abs=1e-3), pytest.approx(mark["y_px"], abs=1e-3))
        ]
        (row,) = near
        same = ("laterality", "view", "operating_point", "algorithm", "version")
        assert [row[name] for name in same] == [mark[name] for name in same]
        assert row["nature"] == mark["nature"] or mark["kind"] == "calcification"
        for name in ("score", "size_mm", "nipple_distance_mm"):
            assert row[name] == pytest.approx(mark[name], abs=1e-3), name
        assert (row["member_count"] or 0) == mark["member_count"]
    by_image = {row["sop_instance_uid"]: row for row in theirs["reported_density"] if row["scope"] == "image"}
    for density in ours["density"].to_pylist():
        row = by_image.pop(density["sop_instance_uid"])
        for name in ("percent_density", "dense_area_mm2", "breast_area_mm2", "dense_threshold"):
            assert row[name] == pytest.approx(density[name], rel=1e-6), name
        assert (row["category"], row["laterality"], row["view"]) == (
            density["category"],
            density["laterality"],
            density["view"],
        )
    assert not by_image
    (document,) = theirs["reported_documents"]
    assert document["problems"] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_our_measurement_report_comes_back(tmp_path, variant):
    assert_measurements_come_back(tmp_path, variant)


def test_our_measurement_report_for_a_viewer_comes_back(tmp_path):
    """The outline that stands twice for OHIF is one place, and its name is kept as a comment."""
    for variant in ("usual", "no-spacing"):
        rows = assert_measurements_come_back(tmp_path / variant, variant, CadReportOptions(cornerstone_tracking=True))
        kept = [row["text"] for row in rows["reported_items"] if row["concept_code"] == "121106"]
        assert kept[:2] == ["R CC mass 1", "R CC cluster 1"]


def assert_measurements_come_back(folder, variant, options=None):
    result, sources = case_of(folder / "in", variant)
    written = author(result, sources, folder / "out", ["measurement-report"], options=options)
    rows, images, breasts = (rows_of(item.path) for item in written)
    findings = rows["reported_findings"]
    assert rows["reported_density"] == images["reported_findings"] == breasts["reported_findings"] == []
    assert len(findings) == len(result.marks) == 12
    for row, (image, finding) in zip(findings, result.marks, strict=True):
        assert row["sop_instance_uid"] == image.header.sop_instance_uid
        assert row["laterality"] == image.header.laterality.value
        assert row["kind"] == finding.kind.value
        assert row["operating_point"] == finding.operating_point
        assert (row["x_px"], row["y_px"]) == (
            pytest.approx(finding.x_px, abs=1.0),
            pytest.approx(finding.y_px, abs=1.0),
        )
        assert row["place_from"] == "region"
        assert row["size_mm"] == (pytest.approx(finding.size_mm) if image.header.spacing_known else None)
        assert row["member_count"] == (len(finding.members) if finding.kind is FindingKind.CALCIFICATION else None)
        assert (row["algorithm"], row["version"]) == (PROVENANCE.algorithm, PROVENANCE.version)
        assert row["nature"] == ("cluster" if finding.kind is FindingKind.CALCIFICATION else finding.nature.value)
    densities = {row["laterality"]: row for row in breasts["reported_density"]}
    assert {side: (row["percent_density"], row["category"], row["scope"]) for side, row in densities.items()} == {
        "R": (pytest.approx(26.8), "c", "breast"),
        "L": (pytest.approx(20.0), "b", "breast"),
    }
    by_image = {row["sop_instance_uid"]: row for row in images["reported_density"]}
    assert list(by_image) == [image.header.sop_instance_uid for image in result.images]
    for image in result.images:
        row, known = by_image[image.header.sop_instance_uid], image.header.spacing_known
        same = ("scope", "laterality", "category", "area_method")
        assert [row[name] for name in same] == ["image", image.header.laterality.value, image.density.category, "2d"]
        for name in ("percent_density", "dense_threshold", "dense_area_mm2", "breast_area_mm2"):
            expected = getattr(image.density, name) if known or not name.endswith("mm2") else None
            assert row[name] == pytest.approx(expected, abs=1e-4), name
        assert (row["algorithm"], row["version"]) == (PROVENANCE.algorithm, PROVENANCE.version)
    # what a breast was measured on is kept: two views each
    outlines = [row for row in breasts["reported_items"] if row["value_type"] == "SCOORD"]
    assert [row["concept_code"] for row in outlines] == ["121112"] * 4
    for made in (rows, images, breasts):
        assert made["reported_documents"][0]["problems"] == []
    return rows


def test_our_enhanced_report_comes_back(tmp_path):
    result, sources = case_of(tmp_path / "in")
    (report,) = author(result, sources, tmp_path / "out", ["enhanced-report"])
    rows = rows_of(report.path)
    found = [(row["sop_instance_uid"], row["kind"]) for row in rows["reported_findings"]]
    assert found == [(image.header.sop_instance_uid, finding.kind.value) for image, finding in result.marks]
    for row, (_, finding) in zip(rows["reported_findings"], result.marks, strict=True):
        assert (row["x_px"], row["y_px"]) == (pytest.approx(finding.x_px, abs=2), pytest.approx(finding.y_px, abs=2))


def test_a_foreign_cad_report(tmp_path):
    rows = rows_of(document(cad_tree((80.0, 60.0), (40.0, 50.0)), tmp_path / "a.dcm"))
    mass, cluster, far, hidden = rows["reported_findings"]
    assert (mass["kind"], mass["x_px"], mass["y_px"], mass["certainty_percent"]) == ("mass", 80.0, 60.0, 83.5)
    assert (mass["laterality"], mass["view"], mass["size_mm"]) == ("L", "CC", pytest.approx(13.0))
    assert (mass["finding_code"], mass["finding_scheme"]) == ("F-01796", "SRT")
    assert (mass["producer"], mass["model"], mass["software_versions"]) == ("Lookwell", "Second Look", "7.1")
    assert (mass["algorithm"], mass["version"]) == ("LookMass", "3.3")
    assert (cluster["kind"], cluster["member_count"]) == ("calcification", 7)
    assert (far["laterality"], hidden["intent"]) == ("R", "not presented")
    kept = {row["concept_code"]: row for row in rows["reported_items"]}
    assert (kept["LW7"]["number"], kept["LW7"]["unit_code"], kept["LW7"]["concept_scheme"]) == (0.75, "1", "99LOOKWELL")
    assert (kept["LW9"]["value_code"], kept["LW9"]["value_meaning"], kept["LW9"]["finding_index"]) == (
        "LW10",
        "Velvet",
        0,
    )
    assert (kept["LW8"]["value_type"], kept["LW8"]["coordinates"]) == ("SCOORD", [20.0, 30.0, 25.0, 30.0])
    assert not {"G-A185", "111012", "111038"} & set(kept)  # they stand in columns


def test_a_malformed_density_report(tmp_path):
    rows = rows_of(document(malformed_tree(), tmp_path / "a.dcm", maker=("Thickwell", "Engine", "1.5")))
    left, right = sorted(rows["reported_density"], key=lambda row: row["laterality"])
    assert (left["volumetric_percent"], left["gland_volume_cm3"], left["breast_volume_cm3"]) == (11.5, 60.0, 520.0)
    assert (right["volumetric_percent"], right["laterality"], right["scope"]) == (9.25, "R", "breast")
    assert (left.get("percent_density"), left["volume_method"], left["producer"]) == (None, "3d", "Thickwell")
    assert (left["algorithm"], left["version"]) == ("Thickwell Density", "1.5.11")
    (document_row,) = rows["reported_documents"]
    problems = "\n".join(document_row["problems"])
    assert "a view modifier that is not of CID 4015" in problems
    assert problems.count("a summary under HAS CONCEPT MOD, not CONTAINS") == 2
    assert (document_row["detections"], document_row["analyses"]) == ("111225", "111222")
    kept = [row["concept_code"] for row in rows["reported_items"]]
    assert kept.count("IN1") == 6
    assert [row["value_code"] for row in rows["reported_items"] if row["concept_code"] == "111032"] == ["T-Rex"]


def test_a_density_report_without_a_template(tmp_path):
    path = document(density_tree(), tmp_path / "a.dcm", sop_class=COMPREHENSIVE, maker=("Densewell", "Box", "2"))
    rows = rows_of(path)
    left, right = rows["reported_density"]
    assert (left["laterality"], left["percent_density"], left["category"], left["area_method"]) == ("L", 17.5, "b", "")
    assert (right["laterality"], right["percent_density"], right["category"]) == ("R", 31.0, "c")
    assert {(row["algorithm"], row["version"]) for row in (left, right)} == {("DenseWell Core", "2.0")}
    kept = {row["concept_code"]: row for row in rows["reported_items"]}
    assert (kept["DW2"]["number"], kept["DW2"]["unit_code"]) == (4.5, "{score}")
    assert kept["DW4"]["text"] == "next round in two years"
    # who was examined and who looked is not written anywhere
    assert [kept[name]["text"] for name in ("121008", "121029", "121030", "DW3")] == ["", "", "", ""]
    assert not any(word in str(rows) for word in ("Anna", "Daria", "T-1"))


def test_a_name_within_another_word_is_no_name(tmp_path):
    """Ann is not in planned; she is in what follows a comma."""
    tree = density_tree()
    tree.ContentSequence[3].TextValue = "planned annually"
    tree.ContentSequence[4].TextValue = "seen again,ann; well"
    path = document(tree, tmp_path / "a.dcm", sop_class=COMPREHENSIVE, patient=("T-1", "Test^Ann"))
    kept = {row["concept_code"]: row["text"] for row in rows_of(path)["reported_items"]}
    assert (kept["DW3"], kept["DW4"]) == ("planned annually", "")


@pytest.mark.parametrize(("code", "nature"), [("F-01793", "asymmetry"), ("F-01795", "distortion")])
def test_masses_under_codes_of_their_own_are_marks(tmp_path, code, nature):
    tree = cad_tree((80.0, 60.0), (40.0, 50.0))
    mass = tree.ContentSequence[1].ContentSequence[0].ContentSequence[1]
    mass.ConceptCodeSequence[0].CodeValue = code
    row = rows_of(document(tree, tmp_path / "a.dcm"))["reported_findings"][0]
    assert (row["kind"], row["nature"], row["finding_code"]) == ("mass", nature, code)


def test_a_percentage_without_a_method_is_a_volume_only_beside_its_volumes(tmp_path):
    def without_method(share):
        tree = malformed_tree()
        for number in tree.ContentSequence[1].ContentSequence:
            number.ContentSequence = [item for item in number.ContentSequence if "121401" not in str(item)]
            if number.ConceptNameCodeSequence[0].CodeValue == "112191":
                number.MeasuredValueSequence[0].NumericValue = share
        rows = rows_of(document(tree, tmp_path / "a.dcm"))["reported_density"]
        (left,) = (row for row in rows if row["laterality"] == "L")
        return left.get("volumetric_percent"), left.get("volume_method"), left.get("percent_density")

    assert without_method("11.5") == (11.5, "", None)  # 60 of 520 cm3
    assert without_method("31") == (None, None, 31.0)


def test_a_measurement_report_of_another_library(tmp_path):
    _, sources = case_of(tmp_path / "in")
    source = pydicom.dcmread(sources[IMAGES["L", "CC"]])
    ring = np.array([[50.0, 60.0], [70.0, 60.0], [70.0, 90.0], [50.0, 90.0], [50.0, 60.0]])
    region = hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=ring,
        source_image=hd.sr.SourceImageForRegion.from_source_image(source),
    )
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=region,
        tracking_identifier=hd.sr.TrackingIdentifier(uid="2.25.77", identifier="spot 1"),
        finding_type=codes.SCT.Mass,
        finding_sites=[hd.sr.FindingSite(anatomic_location=codes.SCT.Breast, laterality=codes.SCT.Left)],
        measurements=[
            hd.sr.Measurement(name=codes.SCT.LongAxis, value=1.5, unit=codes.UCUM.Centimeter),
            hd.sr.Measurement(name=codes.SCT.Volume, value=2.5, unit=codes.UCUM.CubicCentimeter),
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                name=hd.sr.CodedConcept("HW1", "99HIGHWELL", "Mood"),
                value=hd.sr.CodedConcept("HW2", "99HIGHWELL", "Bright"),
            )
        ],
    )
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid="2.25.88", name="Highwell", manufacturer_name="Highwell", model_name="Tower"
        ),
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[group],
    )
    written = hd.sr.Comprehensive3DSR(
        evidence=[source],
        content=report,
        series_number=5,
        series_instance_uid="2.25.90",
        sop_instance_uid="2.25.91",
        instance_number=1,
        manufacturer="Highwell",
    )
    path = tmp_path / "hd.dcm"
    written.save_as(path)
    rows = rows_of(path)
    (row,) = rows["reported_findings"]
    assert (row["kind"], row["finding_code"], row["laterality"]) == ("mass", codes.SCT.Mass.value, "L")
    assert (row["x_px"], row["y_px"], row["place_from"]) == (pytest.approx(59.5), pytest.approx(74.5), "region")
    assert (row["size_mm"], row["sop_instance_uid"]) == (pytest.approx(15.0), IMAGES["L", "CC"])
    assert (row["producer"], row["model"]) == ("Highwell", "Tower")
    kept = {item["concept_code"]: item for item in rows["reported_items"]}
    assert (kept["HW1"]["value_code"], kept[codes.SCT.Volume.value]["number"]) == ("HW2", 2.5)
    assert kept["112039"]["text"] == "spot 1"
    assert rows["reported_documents"][0]["problems"] == []


def test_every_number_code_and_text_of_all_rows_of_the_template_is_somewhere(tmp_path):
    path = save(whole_report(), tmp_path / "whole.dcm")
    rows, root = rows_of(path), read_report(path).root
    items = {row["path"] for row in rows["reported_items"]}
    columns = {str(value) for name in rows for row in rows[name] for value in row.values()}
    columns |= {
        text
        for name in ("reported_findings", "reported_density")
        for row in rows[name]
        for text in row["algorithm_parameters"]
    }
    library, left = (1, 2), []
    for node in root.walk():
        if node.path[:2] == library or node.value_type not in ("NUM", "CODE", "TEXT", "DATE", "TIME", "UIDREF"):
            continue
        values = {node.text, str(node.number), node.value, str(round(node.number)) if node.number is not None else ""}
        if ".".join(map(str, node.path)) not in items and not values - {"", "None"} & columns:
            left.append(node.name)
    # sides and methods are columns of their own words, presentation too; a calcification is counted in its cluster
    assert set(left) <= {"272741003", "121401", "111056", "111059"}, left
    assert left.count("111059") == 1


TREES = {
    CAD_SR: lambda: cad_tree((80.0, 60.0), (40.0, 50.0)),
    ENHANCED: malformed_tree,
    COMPREHENSIVE: density_tree,
}


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    made = {kind: document(make(), folder / f"{kind}.dcm", sop_class=kind) for kind, make in TREES.items()}
    result, sources = case_of(folder / "case")
    ours = author(result, sources, folder / "ours", ["measurement-report"])
    return [*made.values(), *(item.path for item in ours)]


def damaged(tree, how):
    """Take away, empty, repeat or exchange parts of a tree at random."""
    nodes = [tree]
    for node in nodes:
        nodes += list(node.get("ContentSequence") or [])
    for what, which, other in how:
        node, mate = nodes[which % len(nodes)], nodes[other % len(nodes)]
        names = [element.keyword for element in node if element.keyword and element.tag.group == 0x0040]
        name = names[other % len(names)] if names else ""
        match what:
            case "lose" if name:
                delattr(node, name)
            case "empty" if name:
                node[name].value = [] if node[name].VR == "SQ" else None
            case "code" if mate.get("ConceptNameCodeSequence"):
                node.ConceptNameCodeSequence = mate.ConceptNameCodeSequence
            case "kind":
                node.ValueType = ["NUM", "CODE", "TEXT", "SCOORD", "IMAGE", "CONTAINER", "SCOORD3D", "STRANGE"][
                    other % 8
                ]
            case "double" if node.get("ContentSequence"):
                node.ContentSequence = [*node.ContentSequence, *node.ContentSequence]
            case "point":
                node.ReferencedContentItemIdentifier = [1, other % 7, which % 5]
            case "number":
                node.MeasuredValueSequence = []
    return tree


HOW = st.tuples(
    st.sampled_from(["lose", "empty", "code", "kind", "double", "point", "number"]),
    st.integers(0, 400),
    st.integers(0, 400),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 5), how=st.lists(HOW, min_size=1, max_size=6))
def test_any_damage_of_a_tree_gives_rows(documents, tmp_path, which, how):
    ds = damaged(pydicom.dcmread(documents[which]), how)
    path = tmp_path / "damaged.dcm"
    ds.save_as(path)
    try:
        made = rows_of(path)
    except InputError as error:
        assert error.detail
        return
    read = read_report(path)
    told = {row["path"] for name in ("reported_items", "reported_findings") for row in made[name]}
    # nothing that is not understood is lost
    assert {
        ".".join(map(str, item.path)) for item in read.report.others if item.value_type in ("NUM", "CODE", "TEXT")
    } <= told


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, 5),
    changes=st.lists(st.tuples(st.integers(132, 1 << 16), st.integers(0, 255)), max_size=8),
    kept=st.floats(0.3, 1.0),
)
def test_any_bytes_give_rows_or_a_named_reason(documents, tmp_path, which, changes, kept):
    content = bytearray(documents[which].read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path = tmp_path / "bytes.dcm"
    path.write_bytes(bytes(content[: int(len(content) * kept)]))
    try:
        rows_of(path)
    except InputError as error:
        assert error.reason
