"""The door that every analysis goes through, and the built-in mammography analysis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Protocol, TypeVar, runtime_checkable

import cv2

from reread.analytics.asymmetry import AsymmetryParameters
from reread.analytics.breast import BreastParameters, find_breast
from reread.analytics.calcifications import CalcificationParameters, find_calcifications
from reread.analytics.calibration import built_in_table
from reread.analytics.density import DensityParameters, measure_density
from reread.analytics.errors import MeasurementFailed
from reread.analytics.masses import MassParameters, find_masses
from reread.analytics.matching import MatchingParameters
from reread.analytics.nipple import NippleParameters, find_nipple
from reread.analytics.pectoral import PectoralParameters, search_pectoral
from reread.analytics.positioning import PositioningParameters, measure_positioning
from reread.analytics.quality import QualityParameters, measure_quality
from reread.analytics.reasons import MuscleOutcome, Reason, Refusal
from reread.analytics.records import FindingKind, ImageResult, Mammogram, StageTime
from reread.analytics.signatures import SignatureParameters, signature_of
from reread.analytics.volumetric import VolumetricParameters, refusal, try_volume

Found = TypeVar("Found")

NAME = "reread-mammography"
"""name of the built-in analysis"""

STAGES = ("breast", "pectoral", "nipple", "density", "quality", "positioning", "calcifications", "masses", "signature")
"""The stages of the built-in analysis, in order; raw images have "volumetric" after "density"."""


@runtime_checkable
class Analysis(Protocol):
    """What turns a mammogram into a result; the built-in analysis and a site's own model look the same from here."""

    @property
    def name(self) -> str:
        """Name of the algorithm, as it stands in every row and every DICOM object."""

    @property
    def version(self) -> str:
        """Version of the algorithm; the same version and parameters give the same numbers."""

    @property
    def parameters_digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the parameters' canonical JSON."""

    def measure(self, mammogram: Mammogram) -> ImageResult:
        """Measure one image. A failure is a result, not an exception."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of the built-in analysis; lengths in millimetres, levels in units of the full range."""

    breast: BreastParameters = field(default_factory=BreastParameters)
    pectoral: PectoralParameters = field(default_factory=PectoralParameters)
    nipple: NippleParameters = field(default_factory=NippleParameters)
    density: DensityParameters = field(default_factory=DensityParameters)
    volumetric: VolumetricParameters = field(default_factory=VolumetricParameters)
    quality: QualityParameters = field(default_factory=QualityParameters)
    positioning: PositioningParameters = field(default_factory=PositioningParameters)
    calcifications: CalcificationParameters = field(default_factory=CalcificationParameters)
    masses: MassParameters = field(default_factory=MassParameters)
    signature: SignatureParameters = field(default_factory=SignatureParameters)
    asymmetry: AsymmetryParameters = field(default_factory=AsymmetryParameters)
    matching: MatchingParameters = field(default_factory=MatchingParameters)
    operating_points: str = field(default_factory=lambda: built_in_table().version)
    """version of the table of operating points"""

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON (sorted keys, no spaces)."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class MammographyAnalysis:
    """Breast, muscle, nipple, area density, calcification clusters and mass candidates of one image."""

    parameters: Parameters = field(default_factory=Parameters)

    @property
    def name(self) -> str:
        return NAME

    @property
    def version(self) -> str:
        return "0.4.0"

    @property
    def parameters_digest(self) -> str:
        return self.parameters.digest

    def measure(self, mammogram: Mammogram) -> ImageResult:
        """Measure one image; never raises for a readable one.

        A stage that fails sets `failure`; what the other stages found is kept. Without a breast nothing else runs.
        OpenCV is held to one thread: parallelism belongs to whoever spreads the images.
        """
        cv2.setNumThreads(1)
        clock = StageClock()
        chosen = self.parameters
        breast = clock.run("breast", lambda: find_breast(checked(mammogram), chosen.breast))
        if breast is None:
            return clock.result(mammogram)
        view = mammogram.header.view
        pectoral, muscle_outcome = clock.run("pectoral", lambda: search_pectoral(breast, view, chosen.pectoral)) or (
            None,
            MuscleOutcome.NOT_SEARCHED,
        )
        nipple = clock.run("nipple", lambda: find_nipple(breast, pectoral, chosen.nipple))
        density = clock.run("density", lambda: measure_density(breast, pectoral, chosen.density))
        refused = refusal(mammogram.header, chosen.volumetric)
        volumetric = None
        if refused is None:
            volumetric, refused = clock.run(
                "volumetric", lambda: try_volume(breast, pectoral, mammogram.header, chosen.volumetric)
            ) or (None, Refusal.FAILED)
        quality = clock.run("quality", lambda: measure_quality(mammogram, breast, pectoral, chosen.quality))
        positioning = clock.run(
            "positioning",
            lambda: measure_positioning(breast, pectoral, nipple, mammogram.header, chosen.positioning),
        )
        clusters = clock.run(
            "calcifications",
            lambda: find_calcifications(mammogram, breast, pectoral, chosen.calcifications, nipple=nipple),
        )
        spacing = mammogram.header.spacing
        masses = clock.run(
            "masses",
            lambda: find_masses(
                breast,
                pectoral,
                chosen.masses,
                nipple=nipple,
                spacing=spacing,
                calibration=built_in_table().of(mammogram.header, FindingKind.MASS),
            ),
        )
        signature = clock.run("signature", lambda: signature_of(breast, pectoral, nipple, chosen.signature))
        return ImageResult(
            header=mammogram.header,
            breast=breast.region,
            pectoral=None if pectoral is None else pectoral.muscle,
            nipple=nipple,
            density=density,
            findings=(*(masses or ()), *(clusters or ())),
            failure=clock.failure,
            failure_detail=clock.detail,
            times=tuple(clock.times),
            signature=signature,
            volumetric=volumetric,
            volumetric_refusal=refused,
            muscle_outcome=muscle_outcome,
            quality=quality,
            positioning=positioning,
        )


class StageClock:
    """Runs the stages, keeps their times and the first failure."""

    def __init__(self) -> None:
        self.times: list[StageTime] = []
        self.failure: Reason | None = None
        self.detail = ""

    def run(self, stage: str, work: Callable[[], Found]) -> Found | None:
        """What `work` gives; None when it fails, and the first failure is kept."""
        with self._timed(stage):
            try:
                return work()
            except Exception as error:
                if self.failure is None:
                    self.failure = Reason.MEASUREMENT_FAILED
                    self.detail = f"{stage}: {type(error).__name__}: {error}"
        return None

    def result(self, mammogram: Mammogram) -> ImageResult:
        """The result of an image on which no breast was found."""
        return ImageResult(mammogram.header, None, None, None, None, (), self.failure, self.detail, tuple(self.times))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.times.append(StageTime(stage, perf_counter() - start))


def checked(mammogram: Mammogram) -> Mammogram:
    """The same image, or MeasurementFailed when it has no plane of pixels or a spacing that no mammogram has."""
    size, shape = mammogram.header.spacing, mammogram.pixels.shape
    if len(shape) != 2 or min(shape) < 1:
        raise MeasurementFailed(f"pixels have shape {shape}, not (rows, columns)")
    if not (0.005 <= size.row_spacing_mm <= 5.0 and 0.005 <= size.column_spacing_mm <= 5.0):
        raise MeasurementFailed(
            f"a pixel distance of {size.row_spacing_mm} x {size.column_spacing_mm} mm is not that of a mammogram"
        )
    return mammogram
