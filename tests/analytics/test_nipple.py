"""The nipple against the bump of the phantom."""

import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.nipple import find_nipple
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Laterality, View


@pytest.mark.parametrize("view", [View.CC, View.MLO])
@pytest.mark.parametrize("laterality", list(Laterality))
@pytest.mark.parametrize("seed", [1, 5])
def test_nipple_is_on_the_bump(view: View, laterality: Laterality, seed: int) -> None:
    truth = phantom(view, laterality, seed=seed)
    breast = find_breast(truth.mammogram)
    nipple = find_nipple(breast, find_pectoral(breast, view))
    distance_mm = 0.2 * np.hypot(nipple.x_px - truth.nipple[0], nipple.y_px - truth.nipple[1])
    assert distance_mm < 6
    assert 0 <= nipple.confidence <= 1


def test_it_mirrors_with_the_image() -> None:
    left = phantom(View.CC, Laterality.LEFT, chest_wall_on_left=True, noise=0)
    right = phantom(View.CC, Laterality.LEFT, chest_wall_on_left=False, noise=0)
    one = find_nipple(find_breast(left.mammogram), None)
    other = find_nipple(find_breast(right.mammogram), None)
    assert other.x_px == pytest.approx(799 - one.x_px, abs=2.5)
    assert other.y_px == pytest.approx(one.y_px, abs=2.5)
