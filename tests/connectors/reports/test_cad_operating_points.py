"""The operating points that a report states are those of the images it is about."""

from dataclasses import replace

from made_studies import PROVENANCE, image_result, mammogram_dataset, save, study_result

from reread.analytics.calibration import built_in_table, image_kind
from reread.analytics.measurement import NAME
from reread.analytics.records import Acquisition, FindingKind
from reread.connectors.mammograms import read_header
from reread.connectors.reports import codes as c
from reread.connectors.reports.cad_operating_points import calibrated
from reread.connectors.reports.cad_report import cad_report_content
from reread.connectors.reports.content_encoding import content_dataset

OWN = replace(PROVENANCE, algorithm=NAME)


def headers(folder):
    """Two digital images and a film."""
    paths = [save(mammogram_dataset("R", "CC", number=n), folder / f"{n}.dcm") for n in (1, 2, 3)]
    detectors = ("SCINTILLATOR", "FILM", "DIRECT")
    return [
        replace(read_header(path), acquisition=Acquisition(detector_type=detector))
        for path, detector in zip(paths, detectors, strict=True)
    ]


def test_images_of_a_kind_stand_together_with_their_points(tmp_path):
    digital, film, other = headers(tmp_path)
    parts = calibrated([digital, film, other], FindingKind.CALCIFICATION, OWN)
    assert sorted((images for _, images in parts), key=len) == [[film], [digital, other]]
    for calibration, images in parts:
        assert len({image_kind(image) for image in images}) == 1
        assert calibration == built_in_table().of(images[0], FindingKind.CALCIFICATION)


def test_what_has_no_points_is_one_part(tmp_path):
    images = headers(tmp_path)
    assert calibrated(images, None, OWN) == [(None, images)]
    assert calibrated(images, FindingKind.MASS, replace(OWN, algorithm="another")) == [(None, images)]


def named(item, name):
    """Everything below an item with a concept."""
    for part in item.get("ContentSequence", ()):
        if "ConceptNameCodeSequence" in part and part.ConceptNameCodeSequence[0].CodeValue == name.value:
            yield part
        yield from named(part, name)


def test_a_report_states_the_points_of_each_kind_of_image(tmp_path):
    result = study_result(*(image_result(header) for header in headers(tmp_path)))
    detections = list(named(content_dataset(cad_report_content(result, (), OWN)), c.DETECTION))
    masses = [item for item in detections if item.ConceptCodeSequence[0].CodeValue == c.MASS.value]
    assert len(masses) == 2
    seen = []
    for item in masses:
        places = [
            tuple(part.ReferencedContentItemIdentifier)
            for part in item.ContentSequence
            if "ReferencedContentItemIdentifier" in part
        ]
        headers_here = [result.images[place - 1].header for _, _, place in places]
        calibration = built_in_table().of(headers_here[0], FindingKind.MASS)
        stated = [
            float(part.MeasuredValueSequence[0].NumericValue)
            for part in named(item, c.FALSE_MARKERS_PER_IMAGE)
            if "MeasuredValueSequence" in part
        ]
        assert stated == [point.false_marks_per_image for point in calibration.points]
        assert len({image_kind(header) for header in headers_here}) == 1
        seen += places
    assert len(seen) == len(set(seen)) == 3
