"""The truth as tables: women, images, lesions, calcifications; a column is defined here and nowhere else."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from reread.analytics.simulation import SimulatedImage
from reread.analytics.simulation_lesions import LesionClass
from reread.analytics.simulation_truth import GrainTruth
from reread.analytics.simulation_women import Woman

Row = dict[str, Any]


def _column(name: str, kind: pa.DataType, meaning: str, *, unit: str = "", optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=optional, metadata={"meaning": meaning, "unit": unit})


TEXT, INTEGER, NUMBER, TRUTH = pa.string(), pa.int32(), pa.float64(), pa.bool_()
_POINTS = pa.list_(pa.list_(pa.float64(), 2))
_IMAGE_KEY = (
    _column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)"),
    _column("patient_id", TEXT, "Patient ID (0010,0020) of the made woman"),
    _column("year", INTEGER, "examination, from 0"),
    _column("laterality", TEXT, "L or R"),
    _column("view", TEXT, "View Position: CC or MLO"),
)
_PLACE = (
    _column("x_px", NUMBER, "column of its centre in the stored image, from 0", unit="px"),
    _column("y_px", NUMBER, "row of its centre in the stored image, from 0", unit="px"),
    _column("depth_mm", NUMBER, "in the compressed breast: from the chest wall edge", unit="mm"),
    _column("down_mm", NUMBER, "in the compressed breast: down the image", unit="mm"),
    _column("height_mm", NUMBER, "in the compressed breast: above the support plate", unit="mm"),
)

WOMEN = pa.schema(
    (
        _column("patient_id", TEXT, "Patient ID (0010,0020)"),
        _column("woman_number", INTEGER, "number within the simulation, from 0"),
        _column("seed", pa.int64(), "seed of the simulation"),
        _column("age_years", INTEGER, "age in year 0", unit="year"),
        _column("years", INTEGER, "number of examinations, one a year"),
        _column("volume_left_cm3", NUMBER, "nominal volume of the left breast", unit="cm3"),
        _column("volume_right_cm3", NUMBER, "nominal volume of the right breast", unit="cm3"),
        _column("gland_left_percent", NUMBER, "nominal volumetric density of the left breast in year 0", unit="%"),
        _column("gland_right_percent", NUMBER, "nominal volumetric density of the right breast in year 0", unit="%"),
        _column("fall_per_year_percent", NUMBER, "relative loss of gland in a year", unit="%"),
        _column("lesion_count", INTEGER, "lesions planted, over all years"),
    )
)
IMAGES = pa.schema(
    (
        *_IMAGE_KEY,
        _column("file", TEXT, "path of the DICOM file under the folder of the simulation"),
        _column("intent", TEXT, "processing, presentation or film"),
        _column("study_instance_uid", TEXT, "Study Instance UID (0020,000D)"),
        _column("study_date", TEXT, "Study Date (0008,0020)"),
        _column("vendor", TEXT, "key of the made vendor"),
        _column("rows", INTEGER, "Rows", unit="px"),
        _column("columns", INTEGER, "Columns", unit="px"),
        _column("spacing_mm", NUMBER, "pixel distance in the detector plane", unit="mm"),
        _column("magnification", NUMBER, "of the middle of the breast onto the detector"),
        _column("angle_deg", NUMBER, "of the compression axis; 0 on CC", unit="degree"),
        _column("anode", TEXT, "target material"),
        _column("filter", TEXT, "filter material"),
        _column("kvp", NUMBER, "tube voltage", unit="kV"),
        _column("mas", NUMBER, "tube current time product", unit="mAs"),
        _column("hvl_mm_al", NUMBER, "half-value layer with paddle", unit="mm Al"),
        _column("dose_mgy", NUMBER, "average glandular dose, 50 % gland assumed", unit="mGy"),
        _column("thickness_mm", NUMBER, "true compressed thickness at the chest wall", unit="mm"),
        _column("breast_cm3", NUMBER, "volume of the breast on the image, skin with, muscle without", unit="cm3"),
        _column("gland_cm3", NUMBER, "fibroglandular volume on the image", unit="cm3"),
        _column("lesion_cm3", NUMBER, "volume of masses, strands and calcifications", unit="cm3"),
        _column("skin_cm3", NUMBER, "volume of the skin", unit="cm3"),
        _column("muscle_cm3", NUMBER, "volume of the pectoral muscle on the image", unit="cm3"),
        _column("volumetric_percent", NUMBER, "gland_cm3 / breast_cm3", unit="%"),
        _column("area_percent", NUMBER, "area in which gland is at least area_threshold of the path", unit="%"),
        _column("area_threshold", NUMBER, "share of gland in the path from which area counts as dense"),
        _column("breast_area_mm2", NUMBER, "projected area without muscle, in the detector plane", unit="mm2"),
        _column("muscle_area_mm2", NUMBER, "projected area of the muscle, in the detector plane", unit="mm2"),
        _column("nipple_x_px", NUMBER, "tip of the nipple in profile, else its middle: column", unit="px"),
        _column("nipple_y_px", NUMBER, "tip of the nipple in profile, else its middle: row", unit="px"),
        _column("nipple_in_profile", TRUTH, "whether the nipple stands out of the outline"),
        _column("skin_line", _POINTS, "(x_px, y_px) from top to bottom, open", unit="px"),
        _column(
            "muscle_line", _POINTS, "(x_px, y_px) of the muscle's edge from top, open; empty without muscle", unit="px"
        ),
        _column("lesion_count", INTEGER, "lesions in this breast at this time"),
    )
)
LESIONS = pa.schema(
    (
        *_IMAGE_KEY,
        _column("lesion_number", INTEGER, "within the woman, from 1; the same lesion in all views and years"),
        _column("kind", TEXT, "mass, calcification (a cluster), distortion or asymmetry"),
        _column(
            "lesion_class", TEXT, "circumscribed, ill_defined, spiculated; pleomorphic, punctate, amorphous, linear; …"
        ),
        *_PLACE,
        _column("radius_px", NUMBER, "radius of the circle round it; of a mass without its strands", unit="px"),
        _column("radius_mm", NUMBER, "the same in the breast", unit="mm"),
        _column("long_axis_mm", NUMBER, "diameter of a mass; largest extent of a cluster", unit="mm"),
        _column("volume_mm3", NUMBER, "volume of what was planted; 0 for an asymmetry, which is gland", unit="mm3"),
        _column("peak_mm", NUMBER, "longest path of a ray in it; of a cluster in mineral", unit="mm"),
        _column("calcification_count", INTEGER, "calcifications of a cluster"),
        _column("visible", TRUTH, "whether its centre lies on the image"),
        _column("nipple_distance_mm", NUMBER, "on the image, from the nipple, in the detector plane", unit="mm"),
    )
)
CALCIFICATIONS = pa.schema(
    (
        *_IMAGE_KEY,
        _column("lesion_number", INTEGER, "the cluster, within the woman; 0: benign, of no lesion"),
        _column("calcification_number", INTEGER, "within the cluster, or the benign ones of the image, from 1"),
        *_PLACE,
        _column("length_mm", NUMBER, "long axis", unit="mm"),
        _column("width_mm", NUMBER, "short axes", unit="mm"),
        _column("material", TEXT, "hydroxyapatite or calcium_oxalate"),
        _column(
            "contrast", NUMBER, "share of 20 keV photons that it takes away at its centre, before blur and scatter"
        ),
        _column("visible", TRUTH, "whether it lies on the image"),
    )
)
LABELS = pa.schema(
    (
        _column("image", TEXT, "path of the DICOM file under the folder of the simulation, without its ending"),
        _column("case", INTEGER, "number of the woman, from 1"),
        _column("side", TEXT, "L or R"),
        _column("tissue", TEXT, "F, G or D: volumetric density below 7.5 %, below 15.5 %, above"),
        _column("abnormality", TEXT, "NORM, CALC, CIRC, SPIC, MISC (an ill-defined mass), ARCH or ASYM"),
        _column(
            "x_image",
            NUMBER,
            "centre: column; empty for NORM, and where it is not on the image",
            unit="px",
            optional=True,
        ),
        _column("y_image_from_top", NUMBER, "centre: row", unit="px", optional=True),
        _column("radius_px", NUMBER, "radius of the circle round it, at least 5 mm", unit="px", optional=True),
        _column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)"),
    )
)
"""One row per lesion, or per image without one, with the columns of the labels of mini-MIAS (Suckling et al. 1994)."""
TRUTH_TABLES: dict[str, pa.Schema] = {
    "women": WOMEN,
    "images": IMAGES,
    "lesions": LESIONS,
    "calcifications": CALCIFICATIONS,
    "labels": LABELS,
}
_MIAS_CLASS = {
    LesionClass.CIRCUMSCRIBED: "CIRC",
    LesionClass.SPICULATED: "SPIC",
    LesionClass.ILL_DEFINED: "MISC",
    LesionClass.ARCHITECTURAL: "ARCH",
    LesionClass.FOCAL: "ASYM",
}
_LEAST_RADIUS_MM = 5.0


def woman_row(woman: Woman, patient_id: str, years: int) -> Row:
    """One row of the table of women."""
    return {
        "patient_id": patient_id,
        "woman_number": woman.number,
        "seed": woman.seed,
        "age_years": woman.age_years,
        "years": years,
        "volume_left_cm3": woman.left.volume_cm3,
        "volume_right_cm3": woman.right.volume_cm3,
        "gland_left_percent": 100 * woman.left.gland_share,
        "gland_right_percent": 100 * woman.right.gland_share,
        "fall_per_year_percent": 100 * woman.fall_per_year,
        "lesion_count": len(woman.lesions),
    }


def image_rows(image: SimulatedImage, names: Row) -> dict[str, list[Row]]:
    """The rows of one object in the tables of images, lesions and calcifications.

    Parameters
    ----------
    names
        What the DICOM side knows: sop_instance_uid, patient_id, study_instance_uid, study_date, file, intent.
    """
    truth, exposure = image.truth, image.exposure
    key = {
        "sop_instance_uid": names["sop_instance_uid"],
        "patient_id": names["patient_id"],
        "year": image.year,
        "laterality": image.laterality.value,
        "view": image.view.value,
    }
    row = {
        **key,
        **names,
        "vendor": image.vendor.key,
        "rows": image.shown.shape[0],
        "columns": image.shown.shape[1],
        "spacing_mm": image.spacing_mm,
        "magnification": exposure.magnification,
        "angle_deg": image.angle_deg,
        "anode": exposure.beam.anode,
        "filter": exposure.beam.filter_material,
        "kvp": exposure.beam.kvp,
        "mas": exposure.mas,
        "hvl_mm_al": exposure.beam.hvl_mm_al,
        "dose_mgy": exposure.dose_mgy,
        "nipple_x_px": truth.nipple_px[0],
        "nipple_y_px": truth.nipple_px[1],
        "skin_line": [list(point) for point in truth.skin_line],
        "muscle_line": [list(point) for point in truth.muscle_line],
        "lesion_count": len(truth.lesions),
    }
    row |= {name: getattr(truth, name) for name in IMAGES.names if name not in row}
    lesions, grains = [], []
    for one in truth.lesions:
        away = (one.x_px - truth.nipple_px[0]) ** 2 + (one.y_px - truth.nipple_px[1]) ** 2
        numbered = {**key, "lesion_number": one.lesion.number}
        lesions.append(
            {
                **numbered,
                "kind": one.lesion.kind.value,
                "lesion_class": one.lesion.lesion_class.value,
                **{name: getattr(one, name) for name in ("x_px", "y_px", "depth_mm", "down_mm", "height_mm")},
                **{
                    name: getattr(one, name)
                    for name in ("radius_px", "long_axis_mm", "volume_mm3", "peak_mm", "visible")
                },
                "radius_mm": one.radius_px * image.spacing_mm / exposure.magnification,
                "calcification_count": len(one.grains),
                "nipple_distance_mm": away**0.5 * image.spacing_mm,
            }
        )
        grains += [_grain_row(numbered, number, grain) for number, grain in enumerate(one.grains, 1)]
    benign = {**key, "lesion_number": 0}
    grains += [_grain_row(benign, number, grain) for number, grain in enumerate(truth.benign, 1)]
    return {"images": [row], "lesions": lesions, "calcifications": grains, "labels": _label_rows(image, names)}


def _label_rows(image: SimulatedImage, names: Row) -> list[Row]:
    percent = image.truth.volumetric_percent
    common = {
        "image": names["file"].removesuffix(".dcm"),
        "case": image.woman.number + 1,
        "side": image.laterality.value,
        "tissue": "F" if percent < 7.5 else "G" if percent < 15.5 else "D",
        "abnormality": "NORM",
        "x_image": None,
        "y_image_from_top": None,
        "radius_px": None,
        "sop_instance_uid": names["sop_instance_uid"],
    }
    rows = []
    for one in image.truth.lesions:
        row = {**common, "abnormality": _MIAS_CLASS.get(one.lesion.lesion_class, "CALC")}
        if one.visible:
            row |= {"x_image": one.x_px, "y_image_from_top": one.y_px}
            row["radius_px"] = max(one.radius_px, _LEAST_RADIUS_MM / image.spacing_mm)
        rows.append(row)
    return rows or [common]


def _grain_row(numbered: Row, number: int, grain: GrainTruth) -> Row:
    own = {name: getattr(grain, name) for name in CALCIFICATIONS.names if hasattr(grain, name)}
    return {**numbered, "calcification_number": number, **own}
