"""The tables: one pyarrow schema each, with unit and meaning of every column.

This is the only place where a column is defined. Writers check against it, the reference
documentation and the DuckDB catalogue are made from it.
"""

from __future__ import annotations

import pyarrow as pa

TEXT, INTEGER, NUMBER, TRUTH = pa.string(), pa.int32(), pa.float64(), pa.bool_()


def _column(name: str, kind: pa.DataType, meaning: str, *, unit: str = "", optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=optional, metadata={"meaning": meaning, "unit": unit})


_PROVENANCE = (
    _column("algorithm", TEXT, "name of the algorithm that gave this row"),
    _column("version", TEXT, "version of that algorithm"),
    _column("parameters_digest", TEXT, "first 16 hex digits of the SHA-256 of its parameters"),
    _column("run_id", TEXT, "the run that wrote this row"),
    _column("recorded_at", pa.timestamp("us", tz="UTC"), "when the row was made, UTC"),
)

_STUDY_KEY = (
    _column("study_instance_uid", TEXT, "Study Instance UID (0020,000D)"),
    _column("study_revision", INTEGER, "1 for the first complete state of the study, 2 after a late image, …"),
)

_IMAGE_KEY = (*_STUDY_KEY, _column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018) of the image"))

FINDINGS = pa.schema(
    (
        *_IMAGE_KEY,
        _column("finding_index", INTEGER, "number of the candidate within image and kind, by falling score, from 0"),
        _column("kind", TEXT, "mass or calcification (a cluster)"),
        _column("laterality", TEXT, "L or R"),
        _column("view", TEXT, "View Position of the image: CC, MLO, …"),
        _column("x_px", NUMBER, "centre: column in the stored image, from 0", unit="px"),
        _column("y_px", NUMBER, "centre: row in the stored image, from 0", unit="px"),
        _column("score", NUMBER, "0…1, higher is more suspicious; comparable within kind and version"),
        _column(
            "operating_point",
            INTEGER,
            "most specific CAD operating point that marks it: 0 fewest marks … 2 most; null: below all",
            optional=True,
        ),
        _column("size_mm", NUMBER, "largest extent", unit="mm"),
        _column("nipple_distance_mm", NUMBER, "distance of the centre from the nipple", unit="mm", optional=True),
        _column("member_count", INTEGER, "single calcifications of a cluster; 0 for a mass"),
        _column("nature", TEXT, "mass, asymmetry, distortion or cluster"),
        _column("evidence", NUMBER, "what the score is calibrated from; null: not known", optional=True),
        _column("area_mm2", NUMBER, "area within the outline", unit="mm2", optional=True),
        _column(
            "contrast_percent",
            NUMBER,
            "brightness above its surroundings, of fat to brightest",
            unit="%",
            optional=True,
        ),
        _column("margin_mm", NUMBER, "75 to 25 % width of the edge; null for a cluster", unit="mm", optional=True),
        _column(
            "spiculation_percent",
            NUMBER,
            "lines running to it beyond chance; null for a cluster",
            unit="%",
            optional=True,
        ),
        _column("chest_wall_distance_mm", NUMBER, "distance from muscle edge or chest wall", unit="mm", optional=True),
        *(
            _column(
                f"long_axis_{axis}{end}_px", NUMBER, f"{axis} of end {end} of the long axis", unit="px", optional=True
            )
            for end in (1, 2)
            for axis in ("x", "y")
        ),
        _column("short_axis_mm", NUMBER, "widest extent square to the long axis", unit="mm", optional=True),
        _column("match", INTEGER, "shared by findings of one place in two views; null: unmatched", optional=True),
        _column("composite", INTEGER, "shared by a mass and the clusters in it; null: none", optional=True),
        *_PROVENANCE,
    )
)

DENSITY = pa.schema(
    (
        *_IMAGE_KEY,
        _column("laterality", TEXT, "L or R"),
        _column("view", TEXT, "View Position of the image"),
        _column("percent_density", NUMBER, "dense area / breast area without pectoral muscle", unit="%"),
        _column("category", TEXT, "a, b, c or d from percent density; a rough proxy of the BI-RADS letter"),
        _column("dense_area_mm2", NUMBER, "dense area", unit="mm2"),
        _column("breast_area_mm2", NUMBER, "breast area without pectoral muscle", unit="mm2"),
        _column("dense_threshold", NUMBER, "pixel value, 0…1, above which as much of the breast lies as is dense"),
        _column("volumetric_percent", NUMBER, "gland volume / breast volume; raw images only", unit="%", optional=True),
        _column("volumetric_category", TEXT, "a, b, c or d from it", optional=True),
        _column("breast_volume_cm3", NUMBER, "breast volume, skin included", unit="cm3", optional=True),
        _column("gland_volume_cm3", NUMBER, "gland volume", unit="cm3", optional=True),
        _column("thickness_mm", NUMBER, "Body Part Thickness (0018,11A0)", unit="mm", optional=True),
        _column("volumetric_refusal", TEXT, "named reason why there is no volumetric density", optional=True),
        *_PROVENANCE,
    )
)

QUALITY = pa.schema(
    (
        *_IMAGE_KEY,
        _column("laterality", TEXT, "L or R"),
        _column("view", TEXT, "View Position of the image"),
        _column("view_modifiers", pa.list_(TEXT), "modifiers of the view (CID 4015), in words"),
        _column("spacing_known", TRUTH, "false: no attribute gives the size of a pixel, lengths are null here"),
        _column("muscle_outcome", TEXT, "found, not_in_view, no_clear_edge, too_small or not_searched"),
        _column("mean_level", NUMBER, "mean pixel value of the breast without muscle, 0…1", optional=True),
        _column("clipped_dark", NUMBER, "share of the breast at its lowest value, 0…1", optional=True),
        _column("clipped_bright", NUMBER, "share of the breast at its highest value, 0…1", optional=True),
        _column("sharpness", NUMBER, "spread of detail of 0.2–0.4 mm over that of 0.8–1.6 mm", optional=True),
        _column("noise", NUMBER, "finest detail in fat, in units of the spread of the breast", optional=True),
        _column("motion", NUMBER, "0…1: lack of fine detail along one direction against another", optional=True),
        _column("cut_front_mm", NUMBER, "breast at the border opposite the chest wall", unit="mm", optional=True),
        _column("cut_above_mm", NUMBER, "breast at the upper border", unit="mm", optional=True),
        _column("cut_below_mm", NUMBER, "breast at the lower border", unit="mm", optional=True),
        _column(
            "posterior_nipple_line_mm",
            NUMBER,
            "from the nipple to muscle or chest wall border",
            unit="mm",
            optional=True,
        ),
        _column("muscle_width_mm", NUMBER, "muscle at the upper border", unit="mm", optional=True),
        _column("muscle_length_mm", NUMBER, "muscle along the chest wall border", unit="mm", optional=True),
        _column("muscle_angle_deg", NUMBER, "its edge against the vertical", unit="degree", optional=True),
        _column("muscle_reaches_nipple_level", TRUTH, "the posterior nipple line meets the muscle", optional=True),
        _column(
            "muscle_below_nipple_level_mm",
            NUMBER,
            "how far the muscle goes on below that line; negative: it ends above",
            unit="mm",
            optional=True,
        ),
        _column("nipple_in_profile", TRUTH, "null: the nipple was not seen", optional=True),
        _column("fold_on_image", TRUTH, "the skin comes back to the chest wall on the image", optional=True),
        _column("kvp", NUMBER, "KVP (0018,0060)", unit="kV", optional=True),
        _column("anode", TEXT, "element of Anode Target Material (0018,1191)", optional=True),
        _column("filter_material", TEXT, "element of Filter Material (0018,7050)", optional=True),
        _column("compressed_thickness_mm", NUMBER, "Body Part Thickness (0018,11A0)", unit="mm", optional=True),
        _column("compression_force_n", NUMBER, "Compression Force (0018,11A2)", unit="N", optional=True),
        _column("exposure_mas", NUMBER, "tube current times time", unit="mAs", optional=True),
        _column("organ_dose_mgy", NUMBER, "Organ Dose (0040,0316)", unit="mGy", optional=True),
        *_PROVENANCE,
    )
)

IMAGES = pa.schema(
    (
        *_STUDY_KEY,
        _column("sop_instance_uid", TEXT, "SOP Instance UID; empty when the file had none"),
        _column("series_instance_uid", TEXT, "Series Instance UID; empty when unknown"),
        _column("sop_class_uid", TEXT, "SOP Class UID; empty when unknown"),
        _column("source", TEXT, "file name of the image as spooled or as given; no folder"),
        _column("input_digest", TEXT, "SHA-256 of the file as received; empty for an empty or unreadable file"),
        _column("status", TEXT, "measured, or rejected (never measured), or failed (measurement gave up)"),
        _column("reason", TEXT, "named reason when not measured", optional=True),
        _column("detail", TEXT, "the reason in words; never patient data", optional=True),
        _column("laterality", TEXT, "L or R", optional=True),
        _column("view", TEXT, "View Position", optional=True),
        _column("rows", INTEGER, "Rows (0028,0010)", unit="px", optional=True),
        _column("columns", INTEGER, "Columns (0028,0011)", unit="px", optional=True),
        _column("row_spacing_mm", NUMBER, "vertical pixel distance in the detector plane", unit="mm", optional=True),
        _column(
            "column_spacing_mm", NUMBER, "horizontal pixel distance in the detector plane", unit="mm", optional=True
        ),
        _column("inferred", pa.list_(TEXT), "each fact that the header did not state, and how it was inferred"),
        _column("manufacturer", TEXT, "Manufacturer (0008,0070)", optional=True),
        _column("model", TEXT, "Manufacturer's Model Name (0008,1090)", optional=True),
        _column("breast_area_mm2", NUMBER, "breast area with pectoral muscle", unit="mm2", optional=True),
        _column("pectoral_area_mm2", NUMBER, "pectoral muscle; null: none found", unit="mm2", optional=True),
        _column("pectoral_angle_deg", NUMBER, "its edge against the vertical", unit="degree", optional=True),
        _column("nipple_x_px", NUMBER, "nipple: column", unit="px", optional=True),
        _column("nipple_y_px", NUMBER, "nipple: row", unit="px", optional=True),
        _column("nipple_confidence", NUMBER, "0…1", optional=True),
        _column("seconds", NUMBER, "time of all stages on this image", unit="s", optional=True),
        *_PROVENANCE,
    )
)

STUDIES = pa.schema(
    (
        *_STUDY_KEY,
        _column("woman", TEXT, "keyed pseudonym of the patient"),
        _column("study_date", pa.date32(), "Study Date (0008,0020)", optional=True),
        _column("study_year", INTEGER, "year of the study; 0 when unknown"),
        _column("views", TEXT, "measured views in the order R CC, L CC, R MLO, L MLO, others"),
        _column("image_count", INTEGER, "objects of the study that arrived"),
        _column("measured_count", INTEGER, "images measured"),
        _column("rejected_count", INTEGER, "objects that could not be measured"),
        _column("percent_density", NUMBER, "mean over both breasts", unit="%", optional=True),
        _column("percent_density_left", NUMBER, "mean over the views of the left breast", unit="%", optional=True),
        _column("percent_density_right", NUMBER, "mean over the views of the right breast", unit="%", optional=True),
        _column("category", TEXT, "a–d, of the denser breast", optional=True),
        _column("volumetric_percent", NUMBER, "volumetric density of the mean breast", unit="%", optional=True),
        _column("volumetric_percent_left", NUMBER, "volumetric density, left breast", unit="%", optional=True),
        _column("volumetric_percent_right", NUMBER, "volumetric density, right breast", unit="%", optional=True),
        _column("volumetric_category", TEXT, "a–d, of the denser breast", optional=True),
        _column("density_left_right", NUMBER, "percent density, left less right", unit="%", optional=True),
        _column(
            "density_between_views",
            NUMBER,
            "percent density, CC less MLO, mean of the breasts",
            unit="%",
            optional=True,
        ),
        _column("volumetric_left_right", NUMBER, "volumetric density, left less right", unit="%", optional=True),
        _column(
            "volumetric_between_views",
            NUMBER,
            "volumetric density, CC less MLO, mean of breasts",
            unit="%",
            optional=True,
        ),
        _column("nipple_line_left_mm", NUMBER, "posterior nipple line, CC less MLO, left", unit="mm", optional=True),
        _column("nipple_line_right_mm", NUMBER, "posterior nipple line, CC less MLO, right", unit="mm", optional=True),
        _column("mass_marks", INTEGER, "masses at an operating point, over all views"),
        _column("calcification_marks", INTEGER, "calcification clusters at an operating point, over all views"),
        _column("highest_mass_score", NUMBER, "highest score of a mass candidate", optional=True),
        _column("highest_calcification_score", NUMBER, "highest score of a calcification candidate", optional=True),
        _column("seconds", NUMBER, "time of all stages on all images", unit="s"),
        *_PROVENANCE,
    )
)

TABLES: dict[str, pa.Schema] = {
    "studies": STUDIES,
    "images": IMAGES,
    "density": DENSITY,
    "quality": QUALITY,
    "findings": FINDINGS,
}
