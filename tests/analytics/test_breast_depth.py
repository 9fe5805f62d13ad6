"""Depth under the skin where the outline runs along the border of the film."""

from dataclasses import replace

import numpy as np
import pytest
from outlines import whole_mask, with_mask
from phantoms import phantom

from reread.analytics.breast import SegmentedBreast, find_breast
from reread.analytics.breast_depth import fading_depth_mm
from reread.analytics.density import measure_density
from reread.analytics.records import Mammogram, View


def cut_at(row: int) -> SegmentedBreast:
    """The phantom, whose breast ends at row 900, on a film that ends at `row`; 0.4 mm in the frame."""
    image = phantom(View.CC, label=False, mass=False, cluster=False).mammogram
    header = replace(image.header, rows=row)
    return find_breast(Mammogram(header, np.ascontiguousarray(image.pixels[:row])))


def ending_at(breast: SegmentedBreast, above_px: int, width_px: int = 150) -> SegmentedBreast:
    """The breast with a lower end that is straight for a while and this far above the border."""
    mask = whole_mask(breast)
    last = mask.shape[0] - above_px
    mask[last - 12 : last, :width_px] = True
    mask[last:] = False
    return with_mask(breast, mask)


def test_a_pixel_at_the_fading_border_changes_little() -> None:
    breast = cut_at(906)
    touching, above = ending_at(breast, 0), ending_at(breast, 1)
    rows = above.mask.shape[0]
    jump = np.abs(touching.depth_mm[:rows] - above.depth_mm).max()
    assert jump > 20, "the plain depth is expected to jump, else this test shows nothing"
    assert np.abs(fading_depth_mm(touching)[:rows] - fading_depth_mm(above)).max() < 3
    density = [measure_density(one, None).percent_density for one in (touching, above)]
    assert density[0] == pytest.approx(density[1], abs=0.5)


def test_a_breast_that_is_cut_off_goes_on_beyond_the_border() -> None:
    breast = cut_at(600)
    depth = fading_depth_mm(breast)
    # at the corner of skin and border the breast fades, and the border counts as skin for some millimetres
    assert depth == pytest.approx(breast.depth_mm, abs=6)
    assert np.abs(depth - breast.depth_mm)[breast.mask].mean() < 1
    assert depth[-1, 20] > 40


def test_away_from_the_borders_it_is_the_distance_to_the_skin() -> None:
    breast = find_breast(phantom(View.CC).mammogram)
    assert fading_depth_mm(breast) == pytest.approx(breast.depth_mm, abs=0.01)


@pytest.mark.parametrize("power", [0.6, 1.5])
@pytest.mark.parametrize("row", [600, 906])
def test_a_bend_of_the_grey_scale_does_not_matter(power: float, row: int) -> None:
    breast = ending_at(cut_at(row), 0)
    whole = replace(breast.surroundings, pixels=np.clip(breast.surroundings.pixels, 0, 1) ** np.float32(power))
    assert fading_depth_mm(replace(breast, surroundings=whole)) == pytest.approx(fading_depth_mm(breast), abs=2.0)
