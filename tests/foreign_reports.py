"""Reports as other makers write them, built item by item; the makers' names are made up."""

from __future__ import annotations

from pathlib import Path

from made_studies import coded, save
from pydicom.dataset import Dataset
from report_files import MAMMOGRAM, reference

CONTAINS, HAS, MOD, CONTEXT = "CONTAINS", "HAS PROPERTIES", "HAS CONCEPT MOD", "HAS OBS CONTEXT"
INFERRED, FROM = "INFERRED FROM", "SELECTED FROM"
CAD_SR, ENHANCED, COMPREHENSIVE = (f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (50, 22, 33))
LEFT_SRT, RIGHT_SRT = coded("T-04030", "SRT", "LEFT BREAST"), coded("T-04020", "SRT", "RIGHT BREAST")
IMAGES = {("R", "CC"): "2.25.20001", ("L", "CC"): "2.25.20002", ("R", "MLO"): "2.25.20003", ("L", "MLO"): "2.25.20004"}
"""those of `result_cases.case_of`"""


def dcm(value: str, meaning: str = "Some Meaning") -> Dataset:
    return coded(value, "DCM", meaning)


def item(relationship: str, kind: str, concept: Dataset | None, *below: Dataset) -> Dataset:
    made = Dataset()
    if relationship:
        made.RelationshipType = relationship
    made.ValueType = kind
    if concept is not None:
        made.ConceptNameCodeSequence = [concept]
    if kind == "CONTAINER":
        made.ContinuityOfContent = "SEPARATE"
    if below:
        made.ContentSequence = list(below)
    return made


def holder(concept: Dataset, *below: Dataset, relationship: str = CONTAINS) -> Dataset:
    return item(relationship, "CONTAINER", concept, *below)


def code(relationship: str, concept: Dataset, value: Dataset, *below: Dataset) -> Dataset:
    made = item(relationship, "CODE", concept, *below)
    made.ConceptCodeSequence = [value]
    return made


def words(relationship: str, concept: Dataset, value: str, *below: Dataset, kind: str = "TEXT") -> Dataset:
    made = item(relationship, kind, concept, *below)
    setattr(made, {"TEXT": "TextValue", "PNAME": "PersonName", "DATE": "Date", "UIDREF": "UID"}[kind], value)
    return made


def number(relationship: str, concept: Dataset, value: str, unit: str, *below: Dataset) -> Dataset:
    made = item(relationship, "NUM", concept, *below)
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [coded(unit, "UCUM", unit)]
    made.MeasuredValueSequence = [measured]
    return made


def image(relationship: str, uid: str, *below: Dataset) -> Dataset:
    made = item(relationship, "IMAGE", None, *below)
    made.ReferencedSOPSequence = [reference(MAMMOGRAM, uid)]
    return made


def scoord(concept: Dataset, kind: str, points: list[float], uid: str, relationship: str = HAS) -> Dataset:
    made = item(relationship, "SCOORD", concept, image(FROM, uid))
    made.GraphicType, made.GraphicData = kind, points
    return made


def entry(side: str, view: str) -> Dataset:
    """Of the image library, in SRT."""
    view_code = {"CC": "R-10242", "MLO": "R-10226"}[view]
    return image(
        CONTAINS,
        IMAGES[side, view],
        code(CONTEXT, dcm("111027"), LEFT_SRT if side == "L" else RIGHT_SRT),
        code(CONTEXT, dcm("111031"), coded(view_code, "SRT", view.lower())),
    )


def document(
    root: Dataset,
    path: Path,
    *,
    uid: str = "2.25.501",
    sop_class: str = CAD_SR,
    maker: tuple[str, str, str] = ("Lookwell", "Second Look", "7.1"),
    study: str = "2.25.1001",
    patient: tuple[str, str] = ("T-1", "Test^Anna"),
    predecessors: tuple[str, ...] = (),
    content_time: str = "120000",
) -> Path:
    """Patient, study, equipment around a tree; saved."""
    root.SOPClassUID, root.SOPInstanceUID = sop_class, uid
    root.StudyInstanceUID, root.SeriesInstanceUID = study, "2.25.502"
    root.PatientID, root.PatientName = patient
    root.PatientBirthDate, root.PatientSex = "19600102", "F"
    root.AccessionNumber, root.StudyID, root.ReferringPhysicianName = "A7", "7", "Doctor^Daria"
    root.StudyDate, root.StudyTime = "20250102", "101112"
    root.ContentDate, root.ContentTime = "20250102", content_time
    root.Modality, root.SeriesNumber, root.InstanceNumber = "SR", 1, 1
    root.Manufacturer, root.ManufacturerModelName, root.SoftwareVersions = maker
    root.CompletionFlag, root.VerificationFlag = "COMPLETE", "UNVERIFIED"
    if predecessors:
        series, before = Dataset(), Dataset()
        series.SeriesInstanceUID = "2.25.502"
        series.ReferencedSOPSequence = [reference(sop_class, one) for one in predecessors]
        before.StudyInstanceUID, before.ReferencedSeriesSequence = study, [series]
        root.PredecessorDocumentsSequence = [before]
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(root, path)


def algorithm(name: str, version: str) -> list[Dataset]:
    return [words(HAS, dcm("111001"), name), words(HAS, dcm("111003"), version)]


def finding(value: str, uid: str, at: tuple[float, float], *below: Dataset, intent: str = "111150") -> Dataset:
    """A single image finding in SRT; `at` is (x_px, y_px) of Reread, half a pixel less than as written."""
    place = [at[0] + 0.5, at[1] + 0.5]
    return code(
        CONTAINS,
        dcm("111059", "SINGLE IMAGE FINDING"),
        coded(value, "SRT", "A FINDING"),
        code(CONTEXT, dcm("111056"), dcm(intent)),
        *algorithm("LookMass", "3.3"),
        scoord(dcm("111010"), "POINT", place, uid),
        *below,
    )


def cad_tree(at: tuple[float, float], cluster_at: tuple[float, float]) -> Dataset:
    """TID 4000 of another maker: a mass and a cluster on L CC, one of each on no place of ours, a private measure."""
    left, right = IMAGES["L", "CC"], IMAGES["R", "CC"]
    mass = finding(
        "F-01796",
        left,
        at,
        number(HAS, dcm("111012"), "83.5", "%"),
        number(HAS, coded("G-A185", "SRT", "LONG AXIS"), "1.3", "cm"),
        number(HAS, coded("LW7", "99LOOKWELL", "Roundness"), "0.75", "1"),
        scoord(coded("LW8", "99LOOKWELL", "Halo"), "CIRCLE", [20.0, 30.0, 25.0, 30.0], left),
        code(HAS, coded("LW9", "99LOOKWELL", "Texture"), coded("LW10", "99LOOKWELL", "Velvet")),
    )
    cluster = finding("F-01775", left, cluster_at, number(HAS, dcm("111038"), "7", "1"))
    far = finding("F-01796", right, (3.0, 4.0))
    hidden = finding("F-01796", right, (90.0, 90.0), intent="111152")
    impression = holder(dcm("111034"), code(CONTEXT, dcm("111056"), dcm("111150")), mass, cluster, far, hidden)
    summary = code(CONTAINS, dcm("111017"), dcm("111242"), impression)
    performed = code(CONTAINS, dcm("111022"), coded("F-01796", "SRT", "Density"), *algorithm("LookMass", "3.3"))
    done = code(CONTAINS, dcm("111064"), dcm("111222"), holder(dcm("111063"), performed))
    library = holder(dcm("111028"), *(entry(*key) for key in IMAGES))
    return item("", "CONTAINER", dcm("111036", "MAMMOGRAPHY CAD REPORT"), library, summary, done)


def malformed_density_tree() -> Dataset:
    """As a validator's log shows a real one: densities below the summary, an invented modifier, wrong relationships."""
    view = entry("L", "CC")
    view.ContentSequence[1].ContentSequence = [code(MOD, dcm("111032"), coded("T-Rex", "SRT", "T-Rex"))]

    def of(concept: str, value: str, unit: str, side: Dataset) -> Dataset:
        inputs = number(HAS, coded("IN1", "99THICK", "Input Thickness"), "54", "mm")
        version = words(MOD, dcm("111003", "algorithm version"), "1.5.11", inputs)
        name = words(MOD, dcm("111001", "algorithm name"), "Thickwell Density")
        three = code(MOD, dcm("121401"), dcm("112189", "three-dimensional METHOD"))
        sided = code(MOD, coded("G-C171", "SRT", "laterality"), side)
        return number(CONTAINS, dcm(concept, "BREAST TISSUE DENSITY"), value, unit, sided, three, name, version)

    numbers = [
        of(concept, value, unit, side)
        for side, values in ((LEFT_SRT, ("11.5", "60", "520")), (RIGHT_SRT, ("9.25", "48", "519")))
        for concept, value, unit in zip(("112191", "112192", "112193"), values, ("%", "cm3", "cm3"), strict=True)
    ]
    summary = code(CONTAINS, dcm("111017", "cad processing AND findings summary"), dcm("111242"), *numbers)
    detections = code(MOD, dcm("111064"), dcm("111225"))
    analyses = code(MOD, dcm("111065"), dcm("111222"))
    library = holder(dcm("111028"), view)
    return item("", "CONTAINER", dcm("111036"), library, summary, detections, analyses)


def density_tree() -> Dataset:
    """A Comprehensive SR without a template: a container for each breast, a letter, a private score, a physician."""

    def breast(side: Dataset, percent: str, letter: str) -> Dataset:
        return holder(
            coded("DW1", "99DENSEWELL", "Density of one breast"),
            code(MOD, coded("272741003", "SCT", "Laterality"), side),
            number(CONTAINS, dcm("111046", "Percent Fibroglandular Tissue"), percent, "%"),
            code(CONTAINS, coded("129715009", "SCT", "Breast composition"), coded(letter, "SCT", "A letter")),
            number(CONTAINS, coded("DW2", "99DENSEWELL", "Wellness"), "4.5", "{score}"),
        )

    left, right = coded("80248007", "SCT", "Left breast"), coded("73056007", "SCT", "Right breast")
    return item(
        "",
        "CONTAINER",
        coded("DW0", "99DENSEWELL", "Density report"),
        words(CONTEXT, dcm("121008", "Person Observer Name"), "Doctor^Daria", kind="PNAME"),
        words(CONTEXT, dcm("121029", "Subject Name"), "Test^Anna", kind="PNAME"),
        words(CONTEXT, dcm("121030", "Subject ID"), "T-1"),
        words(CONTAINS, coded("DW3", "99DENSEWELL", "Note"), "Anna was seen before"),
        words(CONTAINS, coded("DW4", "99DENSEWELL", "Advice"), "next round in two years"),
        words(CONTAINS, dcm("111001", "Algorithm Name"), "DenseWell Core"),
        words(CONTAINS, dcm("111003", "Algorithm Version"), "2.0"),
        breast(left, "17.5", "129717001"),
        breast(right, "31", "129718006"),
    )
