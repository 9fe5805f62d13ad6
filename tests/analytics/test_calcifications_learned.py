"""Single calcifications of digital images: the network, its features, and where it is used."""

import json
from dataclasses import replace
from importlib.resources import files

import cv2
import numpy as np
import pytest
from phantoms import Phantom, phantom

from reread.analytics.breast import find_breast
from reread.analytics.calcifications import CalcificationParameters, find_calcifications
from reread.analytics.calcifications_learned import (
    LearnedParameters,
    SpotNetwork,
    built_in_networks,
    candidates_of,
    network_for,
    read_networks,
)
from reread.analytics.calcifications_spots import SpotParameters
from reread.analytics.calibration import ImageKind, image_kind
from reread.analytics.errors import SettingsInvalid
from reread.analytics.frame import Frame, resample
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Mammogram, View

PARAMETERS = LearnedParameters()


def digital(*, cluster: bool = True, noise: float = 0.006, seed: int = 1) -> Phantom:
    """A digital image at a tenth of a millimetre."""
    return phantom(View.CC, rows=1500, columns=1200, spacing_mm=0.1, seed=seed, cluster=cluster, noise=noise)


def candidates(image: Mammogram):
    breast = find_breast(image)
    frame = resample(image, PARAMETERS.spacing_mm, crop_px=breast.crop_px)
    return frame, candidates_of(frame, breast, None, PARAMETERS, SpotParameters())


def test_the_weights_are_those_of_the_parameters_version() -> None:
    raw = json.loads((files("reread.analytics") / "calcification_spots.json").read_text(encoding="utf-8"))
    assert raw["version"] == PARAMETERS.weights
    assert set(raw["images"]) == {"presentation", "processing"}


def test_film_and_coarse_pixels_have_no_network() -> None:
    assert network_for(ImageKind.FILM, 0.05, PARAMETERS) is None
    assert network_for(ImageKind.PRESENTATION, 0.28, PARAMETERS) is None
    assert network_for(ImageKind.PRESENTATION, 0.1, PARAMETERS) is built_in_networks()[ImageKind.PRESENTATION]


def test_the_logit_is_that_of_one_hidden_layer() -> None:
    network = SpotNetwork(
        mean=np.array([1.0, 2.0]),
        scale=np.array([2.0, 4.0]),
        hidden=np.array([[0.5, -1.0, 0.0], [0.0, 1.0, 2.0]]),
        hidden_bias=np.array([0.1, 0.0, -0.2]),
        output=np.array([1.0, 2.0, -3.0]),
        output_bias=0.5,
    )
    # inputs are (1, 1) after scaling
    expected = np.tanh(0.6) + 2 * np.tanh(0.0) - 3 * np.tanh(1.8) + 0.5
    assert network.logit(np.array([[3.0, 6.0]])) == pytest.approx([expected])


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.pop("images"),
        lambda raw: raw["images"].update(tape={}),
        lambda raw: raw["images"]["processing"].pop("hidden"),
        lambda raw: raw["images"]["processing"]["output"].append(1.0),
    ],
)
def test_weights_that_do_not_fit_are_refused(change) -> None:
    raw = json.loads((files("reread.analytics") / "calcification_spots.json").read_text(encoding="utf-8"))
    change(raw)
    with pytest.raises(SettingsInvalid, match="calcification network"):
        read_networks(json.dumps(raw))


def test_features_fit_the_network_and_ignore_gain() -> None:
    image = digital().mammogram
    _, plain = candidates(image)
    _, darker = candidates(Mammogram(image.header, (0.5 * image.pixels + 0.2).astype(np.float32)))
    for network in built_in_networks().values():
        assert plain.features.shape[1] == len(network.mean)
    ten = slice(0, 10)
    assert np.array_equal(plain.points[ten], darker.points[ten])
    np.testing.assert_allclose(plain.features[ten], darker.features[ten], atol=0.05)


def test_features_are_the_same_turned_by_a_right_angle() -> None:
    image = digital(noise=0.003).mammogram
    frame, plain = candidates(image)
    breast = find_breast(image)
    turned_breast = replace(
        breast, mask=np.ascontiguousarray(np.rot90(breast.mask)), depth_mm=np.rot90(breast.depth_mm)
    )
    small = breast.frame
    side = frame.pixels.shape[1]

    def turned(one: Frame) -> Frame:
        return replace(one, pixels=np.ascontiguousarray(np.rot90(one.pixels)), origin=(0.0, 0.0))

    turned_breast = replace(turned_breast, frame=turned(small))
    other = candidates_of(turned(frame), turned_breast, None, PARAMETERS, SpotParameters())
    where = {(int(x), int(y)): k for k, (x, y) in enumerate(other.points)}
    pairs = [
        (k, where[y, side - 1 - x]) for k, (x, y) in enumerate(plain.points.tolist()[:30]) if (y, side - 1 - x) in where
    ]
    assert len(pairs) >= 20
    first, second = np.array(pairs).T
    # the windows of the noise lie a pixel or two apart
    np.testing.assert_allclose(plain.features[first], other.features[second], atol=0.15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_cluster_on_a_digital_image_comes_first(seed: int) -> None:
    truth = digital(seed=seed)
    assert image_kind(truth.mammogram.header) is ImageKind.PRESENTATION
    breast = find_breast(truth.mammogram)
    findings = find_calcifications(truth.mammogram, breast, find_pectoral(breast, View.CC))
    assert truth.cluster is not None
    assert np.hypot(findings[0].x_px - truth.cluster[0], findings[0].y_px - truth.cluster[1]) < 30
    assert findings[0].operating_point == 0


def test_noise_on_a_digital_image_is_no_cluster() -> None:
    image = digital(cluster=False, noise=0.02).mammogram
    breast = find_breast(image)
    found = find_calcifications(image, breast, find_pectoral(breast, View.CC))
    assert all(finding.operating_point is None for finding in found)


def test_the_same_pixels_give_the_same_findings_whatever_the_threads() -> None:
    image = digital().mammogram
    before = cv2.getNumThreads()
    results = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        breast = find_breast(image)
        results.append(find_calcifications(image, breast, None, CalcificationParameters()))
    cv2.setNumThreads(before)
    assert results[0] == results[1]
