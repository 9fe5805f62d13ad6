"""Reread one study: pixels in, records and pictures out. Plain functions, no server, no queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from reread.analytics.errors import InputError
from reread.analytics.measurement import Analysis
from reread.analytics.pictures import draw_marks
from reread.analytics.pictures_grey import render_grey
from reread.analytics.reasons import Reason
from reread.analytics.records import ImageResult, RejectedImage, StageTime, StudyResult
from reread.analytics.study import combine_study
from reread.connectors.dicom_parts import identify
from reread.connectors.mammograms import ReadLimits, read_mammogram
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.connectors.spool import sha256_of

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class RereadImage:
    """What one analysis made of one file; exactly one of `result` and `rejected` is set."""

    path: Path
    result: ImageResult | None
    rejected: RejectedImage | None
    picture: Picture | None
    grey: Picture | None = None
    """without marks, shape (rows, columns)"""


@dataclass(frozen=True, slots=True, eq=False)
class RereadStudy:
    """What one analysis made of one study, with the pictures of its images, by SOP Instance UID."""

    result: StudyResult
    pictures: Mapping[str, Picture]
    sources: Mapping[str, Path]
    greys: Mapping[str, Picture] = field(default_factory=dict)


def reread_image(
    path: Path, analyses: Sequence[Analysis], limits: ReadLimits, *, shown_as: str = ""
) -> tuple[RereadImage, ...]:
    """Read and decode one file once, measure and draw it with each analysis; bad input becomes a record.

    Parameters
    ----------
    path
        The file.
    shown_as
        Path that stands in records; the file's own when empty.

    Returns
    -------
    tuple of RereadImage
        One for each analysis, in their order. The time of reading counts for the first.
    """
    started = perf_counter()
    try:
        mammogram = read_mammogram(path, limits=limits)
    except InputError as error:
        refused = RereadImage(path, None, refusal(path, error.reason, error.detail, shown_as=shown_as), None)
        return (refused,) * len(analyses)
    # an analysis that wrote into the pixels would change what the next one sees
    mammogram.pixels.flags.writeable = False
    images: list[RereadImage] = []
    for analysis in analyses:
        read_times = () if images else (StageTime("read", perf_counter() - started),)
        result = analysis.measure(mammogram)
        started = perf_counter()
        picture, grey = draw_marks(mammogram, result), render_grey(mammogram, result)
        times = (*read_times, *result.times, StageTime("draw", perf_counter() - started))
        images.append(RereadImage(path, replace(result, times=times), None, picture, grey))
    return tuple(images)


def refusal(path: Path, reason: Reason, detail: str, *, shown_as: str = "") -> RejectedImage:
    """The record of a file that is not measured, with whatever identifiers could be read."""
    identity = identify(path)
    return RejectedImage(
        path=shown_as or str(path),
        reason=reason,
        detail=detail,
        sop_instance_uid=identity.sop_instance_uid,
        study_instance_uid=identity.study_instance_uid,
        input_digest=sha256_of(path) if path.is_file() else "",
    )


def gather_study(
    images: list[RereadImage],
    *,
    study_instance_uid: str,
    revision: int,
    woman: str,
    study_date: str,
    rejected: tuple[RejectedImage, ...] = (),
) -> RereadStudy:
    """Combine what one analysis made of the images of one study revision."""
    measured = [image for image in images if image.result is not None]
    result = combine_study(
        study_instance_uid=study_instance_uid,
        revision=revision,
        woman=woman,
        study_date=study_date,
        images=[image.result for image in measured if image.result is not None],
        rejected=[*(image.rejected for image in images if image.rejected is not None), *rejected],
    )
    uid_of = {image.path: image.result.header.sop_instance_uid for image in measured if image.result is not None}
    return RereadStudy(
        result=result,
        pictures={uid_of[image.path]: image.picture for image in measured if image.picture is not None},
        sources={uid: path for path, uid in uid_of.items()},
        greys={uid_of[image.path]: image.grey for image in measured if image.grey is not None},
    )


def reread_file(
    path: Path, limits: ReadLimits, models: Sequence[OnnxModel | None] = (None,)
) -> tuple[RereadImage, ...]:
    """`reread_image` with models, None being the built-in analysis: what a worker process can be handed."""
    return reread_image(path, [analysis_of(model) for model in models], limits)
