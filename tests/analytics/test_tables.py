"""From records to rows: nothing is lost, nothing is invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from math import hypot

import pytest
from made_studies import PROVENANCE, failed, image_result, study_result
from phantoms import phantom

from reread.analytics.reasons import Reason
from reread.analytics.records import Finding, FindingKind, Laterality, RejectedImage, Shape, StudyResult, View
from reread.analytics.schema import TABLES
from reread.analytics.tables import parse_study_date, tables, views_label


def image(view: View = View.CC, side: Laterality = Laterality.LEFT):
    return image_result(phantom(view, side, rows=100, columns=80, spacing_mm=2.0).mammogram.header)


def four_views() -> StudyResult:
    sides = (Laterality.LEFT, Laterality.RIGHT)
    return study_result(*(image(view, side) for view in (View.MLO, View.CC) for side in sides))


def test_the_tables_have_exactly_their_schemas():
    for studies in ((), (four_views(),)):
        made = tables(studies, PROVENANCE)
        assert list(made) == list(TABLES)
        for name, schema in TABLES.items():
            assert made[name].schema.equals(schema, check_metadata=True)
            made[name].validate(full=True)


def test_required_columns_are_never_null():
    refused = RejectedImage("a.dcm", Reason.TRUNCATED, "")
    study = replace(study_result(image(), failed(image(View.MLO))), rejected=(refused,), density=None, left=None)
    for table in tables((study,), PROVENANCE, orphans=(refused,)).values():
        assert table.num_rows > 0
        for field in table.schema:
            if not field.nullable:
                assert table[field.name].null_count == 0, field.name


def test_candidates_below_the_operating_points_are_kept():
    rows = tables((study_result(image()),), PROVENANCE)["findings"].to_pylist()
    masses = [row for row in rows if row["kind"] == "mass"]
    assert [(row["score"], row["operating_point"]) for row in masses] == [(0.9, 0), (0.4, 2), (0.1, None)]
    assert [row["finding_index"] for row in masses] == [0, 1, 2]
    (cluster,) = (row for row in rows if row["kind"] == "calcification")
    assert (cluster["finding_index"], cluster["member_count"], cluster["operating_point"]) == (0, 2, 1)


def test_a_finding_keeps_its_axes_and_its_partners():
    shape = Shape(((10.5, 20.0), (30.0, 40.25)), 50.0, 30.0, 2.0, 15.0, 40.0, 30.0, ((1.0, 2.0), (3.0, 4.0)), 6.5)
    one = Finding(FindingKind.MASS, 20, 30, 0.9, 0, (), 12.0, shape=shape, match=4, composite=2)
    (row,) = tables((study_result(replace(image(), findings=(one,))),), PROVENANCE)["findings"].to_pylist()
    ends = [row[f"long_axis_{axis}{end}_px"] for end in (1, 2) for axis in "xy"]
    assert ends == [10.5, 20.0, 30.0, 40.25]
    assert (row["size_mm"], row["short_axis_mm"], row["area_mm2"]) == (12.0, 6.5, 50.0)
    assert (row["contrast_percent"], row["margin_mm"], row["spiculation_percent"]) == (30.0, 2.0, 15.0)
    assert (row["chest_wall_distance_mm"], row["match"], row["composite"]) == (30.0, 4, 2)


def test_a_study_counts_only_marks():
    (row,) = tables((four_views(),), PROVENANCE)["studies"].to_pylist()
    assert (row["mass_marks"], row["calcification_marks"]) == (8, 4)
    assert (row["highest_mass_score"], row["highest_calcification_score"]) == (0.9, 0.8)
    assert (row["image_count"], row["measured_count"], row["rejected_count"]) == (4, 4, 0)
    assert (row["percent_density"], row["percent_density_left"], row["percent_density_right"]) == (23.4, 20.0, 26.8)
    assert row["category"] == "c"  # of the denser breast
    assert row["views"] == "R CC, L CC, R MLO, L MLO"
    assert (row["study_date"], row["study_year"]) == (date(2026, 1, 2), 2026)


def test_a_failed_image_is_a_row_with_its_reason():
    made = tables((study_result(image(), failed(image(View.MLO))),), PROVENANCE)
    rows = {row["view"]: row for row in made["images"].to_pylist()}
    assert (rows["CC"]["status"], rows["CC"]["reason"], rows["CC"]["detail"]) == ("measured", None, None)
    assert rows["MLO"]["status"] == "failed"
    assert (rows["MLO"]["reason"], rows["MLO"]["detail"]) == ("measurement_failed", "made to fail")
    assert rows["MLO"]["breast_area_mm2"] is None
    (study,) = made["studies"].to_pylist()
    assert (study["image_count"], study["measured_count"], study["rejected_count"]) == (2, 1, 1)
    assert study["views"] == "L CC"
    assert {row["view"] for row in made["density"].to_pylist()} == {"CC"}


def test_a_rejected_image_stands_with_its_study_and_an_orphan_without():
    refused = RejectedImage("folder/b.dcm", Reason.MISSING_VIEW, "no view", "1.2.3", "2.25.1", "ab" * 32)
    study = replace(study_result(image(), revision=3), rejected=(refused,))
    orphan = RejectedImage("elsewhere/Somebody/c.pdf", Reason.NOT_DICOM, "")
    rows = tables((study,), PROVENANCE, orphans=(orphan,))["images"].to_pylist()
    assert [(row["status"], row["study_revision"]) for row in rows] == [
        ("measured", 3),
        ("rejected", 3),
        ("rejected", 0),
    ]
    assert (rows[1]["source"], rows[1]["reason"], rows[1]["detail"]) == ("b.dcm", "missing_view", "no view")
    assert (rows[1]["sop_instance_uid"], rows[1]["input_digest"]) == ("1.2.3", "ab" * 32)
    assert rows[1]["study_instance_uid"] == study.study_instance_uid
    # a folder may be named after a person
    assert (rows[2]["source"], rows[2]["reason"], rows[2]["study_instance_uid"]) == ("c.pdf", "not_dicom", "")


def test_sources_name_the_files():
    one = image()
    rows = tables((study_result(one),), PROVENANCE, sources={one.header.sop_instance_uid: "x.dcm"})["images"]
    assert rows["source"].to_pylist() == ["x.dcm"]


def test_distance_from_the_nipple_is_in_millimetres():
    one = image()
    header = replace(one.header, spacing=replace(one.header.spacing, row_spacing_mm=0.5, column_spacing_mm=2.0))
    finding = replace(one.findings[0], x_px=one.nipple.x_px - 3, y_px=one.nipple.y_px + 8)
    with_nipple = replace(one, header=header, findings=(finding,))
    (row,) = tables((study_result(with_nipple),), PROVENANCE)["findings"].to_pylist()
    assert row["nipple_distance_mm"] == pytest.approx(hypot(3 * 2.0, 8 * 0.5))
    (row,) = tables((study_result(replace(with_nipple, nipple=None)),), PROVENANCE)["findings"].to_pylist()
    assert row["nipple_distance_mm"] is None


def test_every_row_carries_its_provenance():
    for table in tables((four_views(),), PROVENANCE).values():
        for row in table.to_pylist():
            assert (row["algorithm"], row["version"]) == (PROVENANCE.algorithm, PROVENANCE.version)
            assert (row["parameters_digest"], row["run_id"]) == (PROVENANCE.parameters_digest, PROVENANCE.run_id)
            assert row["recorded_at"] == datetime(2026, 11, 21, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20260102", date(2026, 1, 2)), ("", None), ("20261302", None), ("unknown", None), ("2026.01.02", None)],
)
def test_study_date(text, expected):
    assert parse_study_date(text) == expected


def test_a_study_without_date_is_of_year_0():
    (row,) = tables((replace(study_result(image()), study_date=""),), PROVENANCE)["studies"].to_pylist()
    assert (row["study_date"], row["study_year"]) == (None, 0)


def test_other_views_come_after_the_standard_four():
    study = study_result(image(View.XCCL), image(View.CC), image(View.ML, Laterality.RIGHT))
    assert views_label(study) == "L CC, L XCCL, R ML"
