"""The tables of reports that others wrote (decision 0015), with unit and meaning of every column.

Columns that say the same as one of `reread.analytics.schema` have its name and unit, so that views can join both.
"""

from __future__ import annotations

import pyarrow as pa

from reread.analytics.schema import INTEGER, NUMBER, TEXT


def column(name: str, kind: pa.DataType, meaning: str, *, unit: str = "", optional: bool = False) -> pa.Field:
    """One column with unit and meaning."""
    return pa.field(name, kind, nullable=optional, metadata={"meaning": meaning, "unit": unit})


_TEXTS = pa.list_(TEXT)

_KEY = (
    column("report_uid", TEXT, "SOP Instance UID (0008,0018) of the report"),
    column("study_instance_uid", TEXT, "Study Instance UID (0020,000D) of the report"),
)

_PRODUCER = (
    column("producer", TEXT, "Manufacturer (0008,0070) of the report, else of its observer; empty: not stated"),
    column("model", TEXT, "Manufacturer's Model Name (0008,1090) of the report; empty: not stated"),
    column("software_versions", TEXT, "Software Versions (0018,1020) of the report, with commas between"),
)

_READING = (
    column("run_id", TEXT, "the run that read the report"),
    column("recorded_at", pa.timestamp("us", tz="UTC"), "when the report was read, UTC"),
)

_ALGORITHM = (
    *_PRODUCER,
    column("algorithm", TEXT, "Algorithm Name as the report states it for this row; empty: not stated"),
    column("version", TEXT, "Algorithm Version likewise"),
    column("algorithm_parameters", _TEXTS, "Algorithm Parameters likewise"),
    *_READING,
)

_IMAGE = (
    column("sop_instance_uid", TEXT, "SOP Instance UID of the image; empty: not of one image, or not stated"),
    column("laterality", TEXT, "L or R, as the report says; null: both, or not said", optional=True),
    column("view", TEXT, "View Position as the report says", optional=True),
)

REPORTED_FINDINGS = pa.schema(
    (
        *_KEY,
        *_IMAGE,
        column("finding_index", INTEGER, "number of the finding in the report, in its order, from 0"),
        column("path", TEXT, "place of the content item in the report, 1 is the root"),
        column("kind", TEXT, "mass, calcification (a cluster), another finding in words, or its code value"),
        column("finding_code", TEXT, "code value of the finding as written"),
        column("finding_scheme", TEXT, "coding scheme of that code"),
        column("finding_meaning", TEXT, "meaning of that code as written"),
        column("intent", TEXT, "rendering intent: required, optional, not presented; empty: not stated"),
        column("x_px", NUMBER, "centre: column in the stored image, from 0", unit="px", optional=True),
        column("y_px", NUMBER, "centre: row in the stored image, from 0", unit="px", optional=True),
        column("place_from", TEXT, "center, or region: the middle of the outline; empty: no coordinates"),
        column("score", NUMBER, "detector score of a report of Reread, 0…1", optional=True),
        column("certainty_percent", NUMBER, "Certainty of Finding (111012), 0…100", unit="%", optional=True),
        column("operating_point", INTEGER, "CAD operating point; 0: presentation required", optional=True),
        column("size_mm", NUMBER, "Long Axis", unit="mm", optional=True),
        column("nipple_distance_mm", NUMBER, "Distance from nipple", unit="mm", optional=True),
        column("chest_wall_distance_mm", NUMBER, "Distance from chest wall", unit="mm", optional=True),
        column("area_mm2", NUMBER, "Area", unit="mm2", optional=True),
        column("member_count", INTEGER, "Number of calcifications as stated, else those listed", optional=True),
        column("nature", TEXT, "mass, asymmetry, distortion or cluster, by the code of the finding", optional=True),
        column("evidence", NUMBER, "detector evidence of a report of Reread", optional=True),
        column("contrast_percent", NUMBER, "contrast of a report of Reread", unit="%", optional=True),
        column("margin_mm", NUMBER, "width of margin of a report of Reread", unit="mm", optional=True),
        column("spiculation_percent", NUMBER, "spiculation of a report of Reread", unit="%", optional=True),
        *(
            column(
                f"long_axis_{axis}{end}_px", NUMBER, f"{axis} of end {end} of the long axis", unit="px", optional=True
            )
            for end in (1, 2)
            for axis in ("x", "y")
        ),
        column("match", INTEGER, "shared by findings of one place, of a report of Reread", optional=True),
        column("composite", INTEGER, "shared by a mass and its clusters, of a report of Reread", optional=True),
        *_ALGORITHM,
    )
)

REPORTED_DENSITY = pa.schema(
    (
        *_KEY,
        *_IMAGE,
        column("scope", TEXT, "image, breast, or study: both breasts together, or a breast that is not said"),
        column("percent_density", NUMBER, "density by area, or by a method not stated", unit="%", optional=True),
        column("category", TEXT, "a, b, c or d that goes with it", optional=True),
        column("area_method", TEXT, "of percent_density: 2d; empty: the report does not say", optional=True),
        column("dense_area_mm2", NUMBER, "dense area", unit="mm2", optional=True),
        column("breast_area_mm2", NUMBER, "breast area", unit="mm2", optional=True),
        column("dense_threshold", NUMBER, "threshold of a report of Reread, 0…1", optional=True),
        column("volumetric_percent", NUMBER, "gland volume / breast volume", unit="%", optional=True),
        column("volumetric_category", TEXT, "a, b, c or d that goes with it", optional=True),
        column("volume_method", TEXT, "3d; empty: not stated, but it is the share of the volumes", optional=True),
        column("breast_volume_cm3", NUMBER, "breast volume", unit="cm3", optional=True),
        column("gland_volume_cm3", NUMBER, "gland volume", unit="cm3", optional=True),
        column("thickness_mm", NUMBER, "thickness of the compressed breast", unit="mm", optional=True),
        *_ALGORITHM,
    )
)

REPORTED_ITEMS = pa.schema(
    (
        *_KEY,
        column("path", TEXT, "place of the content item in the report, 1 is the root"),
        column("finding_index", INTEGER, "the finding that it is below; null: none", optional=True),
        column("relationship", TEXT, "Relationship Type (0040,A010); empty: none"),
        column("value_type", TEXT, "Value Type (0040,A040)"),
        column("concept_code", TEXT, "code value of the concept name; empty: none"),
        column("concept_scheme", TEXT, "its coding scheme"),
        column("concept_meaning", TEXT, "its meaning as written"),
        column("number", NUMBER, "Numeric Value (0040,A30A) in the unit of unit_code", optional=True),
        column("unit_code", TEXT, "code of the unit of a number (UCUM as a rule); empty: none"),
        column("value_code", TEXT, "code value of a coded value; empty: none"),
        column("value_scheme", TEXT, "its coding scheme"),
        column("value_meaning", TEXT, "its meaning as written"),
        column("text", TEXT, "text, date, time or UID; empty where it names a person"),
        column("coordinates", pa.list_(NUMBER), "column, row, column, row, … as written, from the corner"),
        *_PRODUCER,
        *_READING,
    )
)

REPORTED_DOCUMENTS = pa.schema(
    (
        *_KEY,
        column("sop_class_uid", TEXT, "SOP Class UID (0008,0016)"),
        column("series_instance_uid", TEXT, "Series Instance UID (0020,000E)"),
        column("woman", TEXT, "keyed pseudonym of the patient, that of her images"),
        column("study_date", pa.date32(), "Study Date (0008,0020)", optional=True),
        column("study_year", INTEGER, "year of the study; 0 when unknown"),
        column("content_date", TEXT, "Content Date (0008,0023), DICOM DA"),
        column("content_time", TEXT, "Content Time (0008,0033), DICOM TM"),
        column("origin", TEXT, "others; own: written here, not read again; reread: by Reread elsewhere"),
        column("status", TEXT, "read, own (not read), or unreadable: see problems"),
        column("title_code", TEXT, "code value of the document title"),
        column("title_scheme", TEXT, "its coding scheme"),
        column("title_meaning", TEXT, "its meaning as written"),
        column("template", TEXT, "Template Identifier (0040,DB00) of the root; empty: none"),
        column("language", TEXT, "code value of the language; empty: not stated"),
        column("completion", TEXT, "Completion Flag (0040,A491)"),
        column("verification", TEXT, "Verification Flag (0040,A493)"),
        column("summary", TEXT, "code value of the CAD Processing and Findings Summary; empty: none"),
        column("detections", TEXT, "code value of the Summary of Detections; empty: none"),
        column("analyses", TEXT, "code value of the Summary of Analyses; empty: none"),
        column("finding_count", INTEGER, "rows of reported_findings"),
        column("density_count", INTEGER, "rows of reported_density"),
        column("item_count", INTEGER, "rows of reported_items"),
        column("problems", _TEXTS, "what could not be taken as it stands: place, colon, what"),
        column("predecessors", _TEXTS, "SOP Instance UIDs of the reports that it replaces"),
        column("dataset_digest", TEXT, "BLAKE3 of the data set as received"),
        column("reader", TEXT, "version of the reader"),
        *_PRODUCER,
        *_READING,
    )
)

REPORT_TABLES: dict[str, pa.Schema] = {
    "reported_findings": REPORTED_FINDINGS,
    "reported_density": REPORTED_DENSITY,
    "reported_items": REPORTED_ITEMS,
    # last: a report of which this row is there has all its others
    "reported_documents": REPORTED_DOCUMENTS,
}
