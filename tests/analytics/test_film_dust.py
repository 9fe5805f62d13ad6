"""Dust goes, grains that a film could show stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reread.analytics.film_dust import DustParameters, without_dust

SPACING_MM = 0.05
BLUR_MM = 0.05
"""standard deviation: a point comes out 0.12 mm wide, as sharp as a screen of mammography is"""


def film(seed: int = 1, size: int = 256) -> np.ndarray:
    """Tissue of several scales with grain as wide as a pixel."""
    rng = np.random.default_rng(seed)
    tissue = sum(cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma) * sigma for sigma in (8, 16, 32))
    return (0.5 + 0.01 * tissue + 0.005 * rng.standard_normal((size, size))).astype(np.float32)


def grain(diameter_mm: float, at: tuple[float, float] = (128.0, 128.0), size: int = 256) -> np.ndarray:
    """A round grain behind a screen, height 1 before its blur."""
    y, x = np.mgrid[:size, :size]
    disc = np.clip(diameter_mm / SPACING_MM / 2 + 0.5 - np.hypot(x - at[0], y - at[1]), 0, 1)
    return np.asarray(cv2.GaussianBlur(disc, (0, 0), BLUR_MM / SPACING_MM))


@settings(deadline=None, max_examples=40)
@given(st.floats(0.2, 0.8), st.floats(0.04, 0.3), st.tuples(st.floats(120, 136), st.floats(120, 136)))
def test_a_grain_keeps_its_contrast(diameter_mm, height, at):
    plain = film()
    marked = (plain + height * grain(diameter_mm, at)).astype(np.float32)
    left = cv2.blur(without_dust(marked, SPACING_MM) - without_dust(plain, SPACING_MM), (4, 4)).max()
    given_contrast = cv2.blur(marked - plain, (4, 4)).max()
    # the smallest and faintest, a few times the noise, may lose a third where noise sharpens them
    assert left > (0.9 if diameter_mm >= 0.3 else 0.6) * given_contrast


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 40), (40, 2)])
def test_a_sharp_speck_or_scratch_goes(shape):
    marked = film()
    rows, columns = slice(100, 100 + shape[0]), slice(100, 100 + shape[1])
    before = marked[rows, columns].max()
    marked[rows, columns] += 0.2
    assert without_dust(marked, SPACING_MM)[rows, columns].max() < before + 0.04


def test_film_without_dust_is_nearly_as_it_was():
    plain = film()
    changed = without_dust(plain, SPACING_MM) != plain
    assert changed.mean() < 0.005


def test_pixels_that_cannot_tell_are_left_alone():
    plain = film()
    plain[100, 100] += 0.5
    assert without_dust(plain, DustParameters().coarsest_mm + 0.01) is plain
