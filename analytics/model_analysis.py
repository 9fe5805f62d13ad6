"""A site's own model as an analysis: the built-in anatomy, the model, findings or a density."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reread.analytics.breast import SegmentedBreast, find_breast
from reread.analytics.measurement import MammographyAnalysis, Parameters, StageClock, checked
from reread.analytics.model_input import InputPreparation, Tensor, prepare_input
from reread.analytics.model_output import OutputKind, OutputMapping, density_of, findings_of
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import SegmentedPectoral, search_pectoral
from reread.analytics.reasons import MuscleOutcome
from reread.analytics.records import DensityScore, Finding, ImageResult, Mammogram

RunModel = Callable[[Tensor], NDArray[Any]]
"""from the input tensor to the output tensor"""

MODEL_STAGES = ("breast", "pectoral", "nipple", "model")
"""The stages of a model's analysis, in order."""


@dataclass(frozen=True, slots=True)
class ModelAnalysis:
    """A model between the preparation of its input and the mapping of its output.

    Breast, muscle and nipple are those of the built-in analysis: they orient the input, tell the breast from the rest
    and give distances.
    """

    name: str
    version: str
    weights_digest: str
    """SHA-256 of the file of weights, lower-case hex"""
    preparation: InputPreparation
    mapping: OutputMapping
    run: RunModel
    anatomy: Parameters = field(default_factory=Parameters)

    @property
    def parameters_digest(self) -> str:
        """First 16 hex digits of the SHA-256 of weights, preparation, mapping and anatomy as canonical JSON."""
        anatomy = (self.anatomy.breast, self.anatomy.pectoral, self.anatomy.nipple)
        facts = {
            "weights": self.weights_digest,
            "input": asdict(self.preparation),
            "output": asdict(self.mapping),
            "anatomy": [MammographyAnalysis(self.anatomy).version, *(asdict(part) for part in anatomy)],
        }
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def measure(self, mammogram: Mammogram) -> ImageResult:
        """Measure one image; a failure is a result, and keeps what the stages before it found."""
        cv2.setNumThreads(1)
        clock = StageClock()
        breast = clock.run("breast", lambda: find_breast(checked(mammogram), self.anatomy.breast))
        if breast is None:
            return clock.result(mammogram)
        pectoral, muscle_outcome = clock.run(
            "pectoral", lambda: search_pectoral(breast, mammogram.header.view, self.anatomy.pectoral)
        ) or (None, MuscleOutcome.NOT_SEARCHED)
        nipple = clock.run("nipple", lambda: find_nipple(breast, pectoral, self.anatomy.nipple))
        findings, density = clock.run("model", lambda: self._ask(mammogram, breast, pectoral)) or ((), None)
        return ImageResult(
            header=mammogram.header,
            breast=breast.region,
            pectoral=None if pectoral is None else pectoral.muscle,
            nipple=nipple,
            density=density,
            findings=findings,
            failure=clock.failure,
            failure_detail=clock.detail,
            times=tuple(clock.times),
            muscle_outcome=muscle_outcome,
        )

    def _ask(
        self, mammogram: Mammogram, breast: SegmentedBreast, pectoral: SegmentedPectoral | None
    ) -> tuple[tuple[Finding, ...], DensityScore | None]:
        prepared = prepare_input(mammogram, breast, self.preparation)
        output = np.asarray(self.run(prepared.tensor))
        if self.mapping.kind is OutputKind.DENSITY:
            return (), density_of(output, self.mapping, breast, None if pectoral is None else pectoral.mask)
        return findings_of(output, self.mapping, breast, prepared.grid), None
