"""The pectoral muscle against the wedge of the phantom."""

import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.breast import find_breast
from reread.analytics.pectoral import find_pectoral
from reread.analytics.records import Laterality, View


@pytest.mark.parametrize("view", [View.MLO, View.ML, View.LMO])
@pytest.mark.parametrize("laterality", list(Laterality))
@pytest.mark.parametrize("seed", [1, 2])
def test_wedge_is_found(view: View, laterality: Laterality, seed: int) -> None:
    truth = phantom(view, laterality, seed=seed)
    found = find_pectoral(find_breast(truth.mammogram), view)
    assert found is not None
    assert found.muscle.area_mm2 == pytest.approx(truth.pectoral.sum() * 0.04, rel=0.12)
    assert truth.pectoral_angle_deg is not None
    assert found.muscle.edge_angle_deg == pytest.approx(truth.pectoral_angle_deg, abs=5)
    rows, columns = np.nonzero(truth.pectoral)
    xs, ys = np.array(found.muscle.outline).T
    assert np.mean(xs) == pytest.approx(columns.mean(), abs=150)
    assert ys.min() < rows.min() + 30


@pytest.mark.parametrize("view", [View.CC, View.XCCL, View.FB])
def test_cranio_caudal_views_have_no_muscle(view: View) -> None:
    # the pixels show a wedge; the view says that it cannot be the muscle
    truth = phantom(View.MLO)
    assert find_pectoral(find_breast(truth.mammogram), view) is None


def test_no_muscle_is_reported_where_none_shows() -> None:
    truth = phantom(View.CC, mass=False, gland_radius_mm=10)
    assert find_pectoral(find_breast(truth.mammogram), View.MLO) is None
