"""Reports of others through `reread import`: rows beside ours, once, without names; ours are not taken for theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom
import pytest
from foreign_reports import COMPREHENSIVE, IMAGES, cad_tree, density_tree, document, malformed_density_tree
from made_studies import PROVENANCE, save
from result_cases import author, case_of

from reread.analytics.records import FindingKind
from reread.analytics.schema_reports import REPORT_TABLES
from reread.analytics.tables import tables
from reread.connectors.ledger_records import Outcome
from reread.connectors.report_intake import ReportCounts, record_reports
from reread.connectors.warehouse import REPORT_VIEWS
from reread.deployments.imports import import_paths
from reread.deployments.settings import Settings
from reread.deployments.site_services import opened_site

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "compare-with-another-cad.md"


@pytest.fixture
def services(tmp_path):
    with opened_site(Settings(data=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
def measured(services, tmp_path):
    """A study that Reread measured, in the warehouse and in a folder; its first mass on L CC."""
    result, sources = case_of(tmp_path / "in")
    services.warehouse.prepare()
    services.warehouse.record(tables((result,), PROVENANCE), part="ours")
    return result, sources


def ask(services, sql):
    return services.warehouse.query(sql).rows


def place(result, kind=FindingKind.MASS):
    (image,) = (item for item in result.images if item.header.sop_instance_uid == IMAGES["L", "CC"])
    found = next(finding for finding in image.findings if finding.kind is kind)
    return found.x_px, found.y_px


def three(folder, result):
    """A CAD report whose mass lies 3.9 mm and whose cluster 30 mm from ours, and two density reports."""
    (x, y), (cluster_x, cluster_y) = place(result), place(result, FindingKind.CALCIFICATION)
    document(cad_tree((x + 7.8, y), (cluster_x, cluster_y - 60)), folder / "cad.dcm")
    maker = ("Thickwell", "Engine", "1.5")
    document(malformed_density_tree(), folder / "thick.dcm", uid="2.25.601", maker=maker)
    maker = ("Densewell", "Box", "2")
    document(density_tree(), folder / "dense.dcm", uid="2.25.701", sop_class=COMPREHENSIVE, maker=maker)


def test_a_mixed_folder(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "in", result)
    (tmp_path / "in" / "x.pdf").write_bytes(b"%PDF")
    cut = (tmp_path / "in" / "cad.dcm").read_bytes()
    (tmp_path / "in" / "cut.dcm").write_bytes(cut[: len(cut) // 2])
    summary = import_paths([tmp_path / "in"], services)
    assert (summary.queued, summary.rejected, summary.reports) == (4, 2, 3)
    said = "\n".join(summary.lines)
    assert summary.lines[-2] == "9 files: 3 ignored, 4 queued, 2 rejected"
    assert re.fullmatch(r"reports: 3 read \(4 findings, 4 densities, \d+ other items\)", summary.lines[-1])
    assert "report 2.25.601 (read): " in said
    assert "cut.dcm: cut off before its end" in said
    assert "Anna" not in said
    women = {row[0] for row in ask(services, "SELECT DISTINCT woman FROM current_reports")}
    (work,) = services.ledger.studies_to_measure()
    assert women == {services.pseudonyms.woman("T-1")} == {work.woman}
    assert ask(services, "SELECT DISTINCT study_date::VARCHAR, study_year FROM current_reports") == (
        ("2025-01-02", 2025),
    )


def test_side_by_side(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "reports", result)
    import_paths([tmp_path / "reports"], services)
    columns = (
        "producer, side, percent_density, reread_percent_density, volumetric_percent, category,"
        " marks, reread_marks, matched_marks"
    )
    rows = ask(services, f"SELECT {columns} FROM vendor_against_reread ORDER BY producer, side")
    assert rows == (
        ("Densewell", "L", 17.5, 20.0, None, "b", 0, 6, 0),
        ("Densewell", "R", 31.0, 26.8, None, "c", 0, 6, 0),
        ("Lookwell", "L", None, 20.0, None, None, 2, 6, 1),
        ("Lookwell", "R", None, 26.8, None, None, 1, 6, 0),
        ("Thickwell", "L", None, 20.0, 11.5, None, 0, 6, 0),
        ("Thickwell", "R", None, 26.8, 9.25, None, 0, 6, 0),
    )
    (pair,) = ask(services, "SELECT kind, producer, algorithm, distance_mm, reread_algorithm FROM matched_findings")
    assert pair == ("mass", "Lookwell", "LookMass", pytest.approx(3.9), PROVENANCE.algorithm)
    # ours are as before
    assert ask(services, "SELECT count(*) FROM marks") == ((12,),)
    assert ask(services, "SELECT count(*) FROM findings_by_producer WHERE producer = 'Reread'") == ((16,),)


def test_a_side_that_the_report_does_not_say_is_that_of_the_image(services, measured, tmp_path):
    tree = cad_tree((80.0, 60.0), (40.0, 50.0))
    for entry in tree.ContentSequence[0].ContentSequence:
        del entry.ContentSequence
    document(tree, tmp_path / "cad.dcm")
    import_paths([tmp_path / "cad.dcm"], services)
    sql = "SELECT DISTINCT laterality, view FROM {} WHERE report_uid <> '' ORDER BY ALL"
    assert ask(services, sql.format("reported_findings")) == ((None, None),)
    assert ask(services, sql.format("findings_by_producer")) == (("L", "CC"), ("R", "CC"))


def everything(services):
    return {name: sorted(map(repr, ask(services, f"SELECT * FROM {name}"))) for name in REPORT_TABLES}


def test_the_same_reports_again_add_nothing(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "reports", result)
    import_paths([tmp_path / "reports" / "cad.dcm"], services)
    import_paths([tmp_path / "reports"], services)
    before = everything(services)
    assert len(before["reported_documents"]) == 3
    again = import_paths([tmp_path / "reports"], services)
    assert again.lines == ("3 files: 3 duplicate",)
    assert record_reports(services.ledger, services.spool.root, services.warehouse, "night") == ReportCounts()
    assert everything(services) == before


def test_a_crash_before_the_last_table_is_made_good(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "reports", result)
    import_paths([tmp_path / "reports"], services)
    counts = {name: len(rows) for name, rows in everything(services).items()}
    (part,) = (services.warehouse.root / "reported_documents").glob("year=*/*.parquet")
    part.unlink()
    assert record_reports(services.ledger, services.spool.root, services.warehouse, "night").read == 3
    assert {name: len(rows) for name, rows in everything(services).items()} == counts


def test_a_report_that_names_another_replaces_it(services, measured, tmp_path):
    result, _ = measured
    first = document(cad_tree(place(result), (40.0, 50.0)), tmp_path / "1.dcm", uid="2.25.801")
    later = document(
        cad_tree((3.0, 3.0), (40.0, 50.0)),
        tmp_path / "2.dcm",
        uid="2.25.802",
        predecessors=("2.25.801",),
        content_time="130000",
    )
    current = "SELECT report_uid FROM current_reports"
    import_paths([first], services)
    assert ask(services, current) == (("2.25.801",),)
    assert ask(services, "SELECT sum(matched_marks) FROM vendor_against_reread") == ((1,),)
    import_paths([later], services)
    assert ask(services, current) == (("2.25.802",),)
    assert ask(services, "SELECT sum(matched_marks) FROM vendor_against_reread") == ((0,),)
    assert ask(services, "SELECT count(*) FROM reported_documents") == ((2,),)


def test_our_own_reports_are_no_vendors(services, measured, tmp_path):
    result, sources = measured
    own, *elsewhere = author(result, sources, tmp_path / "out", ["mammography-cad-sr", "measurement-report"])
    services.ledger.add_result(own.sop_instance_uid, "results/own.dcm")
    summary = import_paths([own.path, *(item.path for item in elsewhere)], services)
    assert summary.lines[0] == "4 files: 4 ignored"
    assert re.fullmatch(
        r"reports: 0 read \(12 findings, 6 densities, \d+ other items\), 4 of our own", summary.lines[1]
    )
    sql = "SELECT report_uid, origin, status FROM reported_documents"
    assert set(ask(services, sql)) == {
        (own.sop_instance_uid, "own", "own"),
        *((item.sop_instance_uid, "reread", "read") for item in elsewhere),
    }
    for view in ("vendor_against_reread", "matched_findings"):
        assert ask(services, f"SELECT * FROM {view}") == ()
    assert ask(services, "SELECT count(*) FROM findings_by_producer WHERE report_uid <> ''") == ((0,),)


def test_copies_with_our_marks_are_not_measured(services, measured, tmp_path):
    """Their header is that of the image; what tells is the equipment that contributed (PS3.3 C.12.1.1.9)."""
    result, sources = measured
    copies = author(result, sources, tmp_path / "out", ["overlay"])
    assert len(copies) == 4
    summary = import_paths([item.path for item in copies], services)
    assert summary.lines == ("4 files: 4 ignored",)
    assert services.ledger.studies_to_measure() == ()


def test_an_object_of_others_with_a_uid_like_ours_is_measured(services, measured, tmp_path):
    _, sources = measured
    ds = pydicom.dcmread(sources[IMAGES["L", "CC"]])
    ds.SOPInstanceUID = "2.25.89144459723157737549401656399291087217"
    assert import_paths([save(ds, tmp_path / "x.dcm")], services).lines == ("1 files: 1 queued",)


def test_a_report_that_cannot_be_read_has_its_row(services, tmp_path):
    ds = density_tree()
    path = document(ds, tmp_path / "a.dcm", sop_class=COMPREHENSIVE)
    for name in ("ContentSequence", "ValueType", "ConceptNameCodeSequence"):
        delattr(ds, name)
    save(ds, path)
    summary = import_paths([path], services)
    assert summary.lines[-1] == "reports: 0 read (0 findings, 0 densities, 0 other items), 1 unreadable"
    assert ask(services, "SELECT status, problem FROM report_problems") == (
        ("unreadable", "1: wrong_modality: no structured report"),
    )


def test_what_the_listener_took_in_waits_for_the_night(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "reports", result)
    for path in sorted((tmp_path / "reports").iterdir()):
        assert services.intake.import_file(path, "modality").outcome is Outcome.NEW
    assert ask(services, "SELECT count(*) FROM reported_documents") == ((0,),)
    counts = record_reports(services.ledger, services.spool.root, services.warehouse, "night-1")
    assert (counts.read, counts.own, counts.unreadable, counts.findings, counts.densities) == (3, 0, 0, 4, 4)
    assert ask(services, "SELECT DISTINCT run_id FROM reported_findings") == (("night-1",),)


def test_every_view_answers_and_the_page_works(services, measured, tmp_path):
    result, _ = measured
    three(tmp_path / "reports", result)
    import_paths([tmp_path / "reports"], services)
    for view in REPORT_VIEWS:
        assert ask(services, f"SELECT * FROM {view}"), view
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    products, density, marks, missed, items, wrong = (ask(services, sql) for sql in examples)
    assert products == (
        ("Densewell", "Box", "2", 1, 0),
        ("Lookwell", "Second Look", "7.1", 1, 4),
        ("Thickwell", "Engine", "1.5", 1, 0),
    )
    assert density[0] == ("Densewell", "Box", 2, pytest.approx(0.85), None)
    assert marks[1] == ("Lookwell", "Second Look", 3, 12, 1)
    assert [(row[0], row[2]) for row in missed] == [("Lookwell", "mass"), ("Lookwell", "calcification")]
    assert ("Lookwell", "99LOOKWELL", "LW7", "Roundness", "1", 1, 0.75) in items
    assert any("CID 4015" in row[2] for row in wrong)
    names = set(re.findall(r"`([a-z_]+)`", page))
    assert {*REPORT_TABLES, *REPORT_VIEWS} <= names
