"""The settings of what is written: forms of results, options of reports, language."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from reread.connectors.reports.report_options import CadReportOptions, CodeProfile, Impressions, Lengths, PointTable


class SettingsGroup(BaseModel):
    """A table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ResultFormatWord(StrEnum):
    """The built-in forms of results."""

    CAD_SR = "mammography-cad-sr"
    """Mammography CAD SR, one for each kind of image"""
    CAPTURE = "secondary-capture"
    """a sheet of four views with marks"""
    DENSITY_PAGE = "density-page"
    """a page of breast density"""
    PRESENTATION_STATE = "presentation-state"
    """marks of each image as graphics (GSPS)"""
    KEY_OBJECTS = "key-objects"
    """the images with marks (KO)"""
    SEGMENTATION = "segmentation"
    """breast, muscle and dense tissue (SEG)"""
    MEASUREMENT_REPORT = "measurement-report"
    """Comprehensive 3D SR, TID 1500"""
    OVERLAY = "overlay"
    """copies of images with marks as overlay planes"""
    ENHANCED_FILM = "enhanced-film"
    """For Presentation images of digitised films"""
    CINE = "cine"
    """a multi-frame secondary capture of views and marks"""
    ENHANCED_REPORT = "enhanced-report"
    """Enhanced SR for old receivers"""


DEFAULT_FORMATS = (
    ResultFormatWord.CAD_SR.value,
    ResultFormatWord.CAPTURE.value,
    ResultFormatWord.DENSITY_PAGE.value,
)
ALL_FORMATS = "all"


def checked_format(word: str) -> str:
    """The name of a form, built in or of an installed package (ValueError that names the known ones)."""
    if word in set(ResultFormatWord):
        return word
    # loads every form, and what they draw with: only for names that are not built in
    from reread.analytics.errors import AuthoringFailed
    from reread.connectors.results.authoring import known_forms

    try:
        known = known_forms()
    except AuthoringFailed as error:
        raise ValueError(str(error)) from error
    if word not in known:
        raise ValueError(f"{word!r} is no form of result; there are: {', '.join(known)}")
    return word


def checked_formats(words: tuple[str, ...]) -> tuple[str, ...]:
    """Each form once (ValueError)."""
    if len(set(words)) != len(words):
        raise ValueError("each form once")
    return words


def checked_language(word: str) -> str:
    """The code of a language that there are words for, as they are kept (ValueError)."""
    from reread.analytics.errors import SettingsInvalid
    from reread.connectors.results.page_language import words

    try:
        return words(word).language
    except SettingsInvalid as error:
        raise ValueError(str(error)) from error


def formats_of(words: str) -> tuple[str, ...]:
    """The names in a list with commas; "all" is every known form. They are not checked here."""
    if words.strip() == ALL_FORMATS:
        from reread.connectors.results.authoring import known_forms

        return tuple(known_forms())
    return tuple(word.strip() for word in words.split(",") if word.strip())


FormatName = Annotated[str, AfterValidator(checked_format)]
Formats = Annotated[tuple[FormatName, ...], AfterValidator(checked_formats)]
Language = Annotated[str, AfterValidator(checked_language)]


class ReportGroup(SettingsGroup):
    """What a destination finds in its Mammography CAD SR; the last two are of other forms."""

    codes: CodeProfile = CodeProfile.SCT
    """sct, or legacy: codes of SRT and SNM3 for workstations from before 2019; snm3: views of images in SNM3 too."""
    certainty: bool = False
    """The score of each finding as Certainty of Finding, %."""
    outlines: bool = True
    """Outlines of masses and clusters."""
    markers: bool = False
    """Outlines as plain shapes: ellipses for masses, upright rectangles for clusters."""
    outer_margin: bool = True
    """The outer limits of a mass's fuzzy margin."""
    calcifications: bool = True
    """The single calcifications of a cluster."""
    metrics: bool = True
    """Long axis, area, distances, contrast, spiculation and number of calcifications."""
    impressions: Impressions = Impressions.PER_IMAGE
    """Individual impressions: per-image or per-detection."""
    lengths: Lengths = Lengths.MILLIMETRES
    """Unit of lengths: mm or cm."""
    findings: bool = True
    """Masses and clusters."""
    composites: bool = True
    """A mass with calcifications, and the same place in two views, as one finding."""
    density: bool = True
    """Area and volumetric density, breast composition."""
    geometry: bool = True
    """Breast and muscle outline, nipple, selected region."""
    quality: bool = True
    """Image quality."""
    operating_points: bool = True
    """Optional marks of operating points 1 and 2, and the table of points; else only what point 0 marks."""
    point_table: PointTable = PointTable.SENSITIVITY
    """What the table of points sets against false marks per image: sensitivity or certainty."""
    cornerstone_tracking: bool = False
    """In measurement-report: tracking identifiers by which OHIF takes outlines over into its list of measurements."""
    segmentation_placed: bool = False
    """In segmentation: spacing and a plane orientation, which OHIF cannot do without; a mammogram has no right one."""

    @property
    def options(self) -> CadReportOptions:
        """As the writer takes them."""
        return CadReportOptions(**{name: getattr(self, name) for name in type(self).model_fields})


def options_of(words: Iterable[str]) -> CadReportOptions:
    """Options of reports as a command line gives them, each as ``name=value``; the others as by default.

    Raises
    ------
    ValueError
        An option is not known, or cannot have this value; the message says which, and what there is.
    """
    given = {}
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or name not in ReportGroup.model_fields:
            raise ValueError(f"{word!r} is no option of reports; there are: {', '.join(ReportGroup.model_fields)}")
        given[name] = value
    try:
        return ReportGroup.model_validate(given).options
    except ValidationError as error:
        told = error.errors()[0]
        raise ValueError(f"option {told['loc'][0]}={told['input']}: {told['msg']}") from None
