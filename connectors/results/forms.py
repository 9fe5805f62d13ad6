"""What a form of result is: the door for ours and for those of others (vendor-private carriers, R0.367)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.analytics.records import ImageResult, Mammogram, Provenance, StudyResult
from reread.connectors.identifiers import instance_uid, series_uid
from reread.connectors.mammograms import read_mammogram
from reread.connectors.reports.cad_report import UnmeasuredImage
from reread.connectors.reports.report_options import CadReportOptions
from reread.connectors.services import EXPLICIT_LITTLE


@dataclass(frozen=True, slots=True)
class AuthoredObject:
    """One written DICOM file."""

    format: str
    """name of its form"""
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    path: Path
    key: str = ""
    """tells it from the other objects of its form in the study, see `Draft.key`"""
    variant: str = ""
    """of the options that it was written with (`CadReportOptions.variant`); "" for a form that has none"""
    destinations: tuple[str, ...] = ()
    """names of those who want this variant"""

    @property
    def slot(self) -> str:
        """Under which a later revision finds it among its predecessors: the form, and the key where there is one."""
        return f"{self.format}/{self.key}" if self.key else self.format


@dataclass(frozen=True, slots=True)
class EarlierDensity:
    """Density of an earlier examination of the same woman."""

    study_date: str
    """DICOM DA"""
    percent_density: float
    category: str
    right: float | None
    """percent density of the right breast"""
    left: float | None
    volumetric_percent: float | None
    version: str
    """algorithm and version that measured it"""


@dataclass(frozen=True, slots=True, eq=False)
class ResultCase:
    """Everything that a form may be made from: one revision of a study, measured by one analysis."""

    result: StudyResult
    provenance: Provenance
    sources: Mapping[str, Path]
    """SOP Instance UID → file of the image"""
    unmeasured: tuple[UnmeasuredImage, ...] = ()
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    """SOP Instance UID → RGB picture of the image with its marks"""
    options: CadReportOptions = field(default_factory=CadReportOptions)
    predecessors: Mapping[str, AuthoredObject] = field(default_factory=dict)
    """`AuthoredObject.slot` → the object of an earlier revision that the new one replaces"""
    read: Callable[[Path], Mammogram] = read_mammogram
    """how pixels are read"""
    greys: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    """SOP Instance UID → grey picture (`render_grey`); what is missing is read and rendered again"""
    language: str = "en"
    """of the texts on pages"""
    earlier: tuple[EarlierDensity, ...] = ()
    """what is known of the woman's earlier examinations, oldest first"""
    formats: frozenset[str] = frozenset()
    """of the forms in its own `refers_to` those that the same destinations get, so that one object names another"""
    variants: Mapping[str, str] = field(default_factory=dict)
    """form → what tells its UIDs from those that other destinations get; a form that is not named has the options"""

    @property
    def measured(self) -> tuple[ImageResult, ...]:
        """The images that were measured and whose file is at hand, in the order of the result."""
        return tuple(
            item for item in self.result.images if item.succeeded and item.header.sop_instance_uid in self.sources
        )

    def mammogram(self, image: ImageResult) -> Mammogram:
        """Read the pixels of an image again; nothing is kept, a study of large images would not fit.

        Raises
        ------
        AuthoringFailed
            The file is not among the sources.
        """
        path = self.sources.get(image.header.sop_instance_uid)
        if path is None:
            raise AuthoringFailed("the source file of an image is not at hand")
        return self.read(path)

    def instance_uid(self, form: str, key: str = "") -> str:
        """SOP Instance UID that an object of a form has or will have: lets one object refer to another."""
        return instance_uid(self.result, self.provenance, self._kind(form, key))

    def series_uid(self, form: str, series: str = "") -> str:
        """Series Instance UID likewise."""
        return series_uid(self.result, self.provenance, self._kind(form, series))

    def _kind(self, form: str, key: str) -> str:
        variant = self.variants.get(form, self.options.variant)
        return form + variant + (f"/{key}" if key else "")

    @property
    def history_key(self) -> str:
        """Part of `Draft.key` of an object that shows `earlier`: another history is another object."""
        return hashlib.sha256(repr(self.earlier).encode()).hexdigest()[:16] if self.earlier else ""


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """An object without patient, study, equipment, UIDs and file meta, which `author_study` adds."""

    dataset: Dataset
    key: str = ""
    """tells it from the other objects of its form in the study, for example the SOP Instance UID of its image"""
    series: str = ""
    """objects of a form with the same word here share a series"""
    instance_number: int | None = None
    """the revision of the study when None"""
    keeps_header: bool = False
    """a derived image: patient, study and equipment of the data set itself stay"""
    transfer_syntax_uid: str = EXPLICIT_LITTLE


class Form(Protocol):
    """One kind of result object. Entry points of the group ``reread.forms`` add a site's own.

    Two further attributes may be there. `depends_on`, a frozenset of "options", "language" and "history" (without it:
    all three) and of names of `VIEWER_OPTIONS`: what changes the object, so that destinations which differ in nothing
    else get the same one. `refers_to`, names of forms (without it: none): `ResultCase.formats` tells which of them the
    same destinations get.
    `transfer_syntax_uids` (without it: Explicit VR Little Endian): all that its objects may be in, for the conformance
    statement.
    """

    @property
    def name(self) -> str:
        """The word in the settings."""

    @property
    def sop_class_uids(self) -> tuple[str, ...]:
        """All that it may write; proposed to the destinations."""

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """The objects of one case; none when it has nothing to say.

        Raises
        ------
        AuthoringFailed
            What it needs is not there.
        """
