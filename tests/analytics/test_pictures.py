"""Pictures: marks stand where the findings are, views hang as they should."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from phantoms import phantom

from reread.analytics.pictures import draw_marks, montage
from reread.analytics.pictures_grey import render_grey
from reread.analytics.pictures_overlay import Projection, overlay_of
from reread.analytics.pictures_text import text_width, unwritable, wrapped
from reread.analytics.records import (
    BreastRegion,
    DensityScore,
    Finding,
    FindingKind,
    ImageResult,
    Laterality,
    Mammogram,
    Nipple,
    View,
)

ROWS, COLUMNS = 500, 400


def made(view: View = View.CC, side: Laterality = Laterality.LEFT, **options) -> tuple[Mammogram, ImageResult]:
    mammogram = phantom(view, side, ROWS, COLUMNS, 0.4, **options).mammogram
    return mammogram, ImageResult(mammogram.header, None, None, None, None, (), None, "", ())


def test_size_and_aspect():
    mammogram, result = made()
    assert draw_marks(mammogram, result, height_px=250).shape == (250, 200, 3)
    spacing = replace(mammogram.header.spacing, column_spacing_mm=0.2)
    header = replace(mammogram.header, spacing=spacing)
    narrow = replace(result, header=header)
    assert draw_marks(Mammogram(header, mammogram.pixels), narrow, height_px=250).shape == (250, 100, 3)


@pytest.mark.parametrize("side", list(Laterality))
def test_a_mark_is_drawn_around_its_finding_only(side):
    mammogram, result = made(side=side)
    x_px, y_px = 100.0, 220.0
    finding = Finding(FindingKind.MASS, x_px, y_px, 0.9, 0, (), 10.0)
    left = side is Laterality.LEFT
    region = BreastRegion((), 1.0, left)
    before = draw_marks(mammogram, replace(result, breast=region), height_px=ROWS)
    after = draw_marks(mammogram, replace(result, breast=region, findings=(finding,)), height_px=ROWS)
    rows, columns = np.nonzero((before != after).any(axis=2))
    assert rows.mean() == pytest.approx(y_px, abs=1.5)
    assert columns.mean() == pytest.approx(x_px, abs=1.5)
    assert np.hypot(rows - y_px, columns - x_px).max() < 20
    below = replace(finding, operating_point=None)
    assert np.array_equal(
        draw_marks(mammogram, replace(result, breast=region, findings=(below,)), height_px=ROWS), before
    )


def test_shapes_tell_kinds_apart_without_colour():
    mammogram, result = made()
    drawn = []
    for kind in FindingKind:
        corners = ((120.0, 220.0), (180.0, 220.0), (180.0, 280.0), (120.0, 280.0))
        finding = Finding(kind, 150.0, 250.0, 0.9, 0, corners, 10.0)
        picture = draw_marks(mammogram, replace(result, findings=(finding,)), height_px=ROWS)
        drawn.append((picture != draw_marks(mammogram, result, height_px=ROWS)).any(axis=2))
    ellipse, rectangle = drawn
    assert (ellipse & rectangle).sum() < 0.5 * (ellipse | rectangle).sum()
    # an ellipse is narrow at its top, a rectangle as wide as in the middle
    for shape, narrow in ((ellipse, True), (rectangle, False)):
        rows = np.nonzero(shape.any(axis=1))[0]
        top, middle = (np.ptp(np.nonzero(shape[row])[0]) for row in (rows[0] + 3, (rows[0] + rows[-1]) // 2))
        assert (top < 0.7 * middle) == narrow


def test_heavier_lines_are_more_specific():
    mammogram, result = made()
    plain = draw_marks(mammogram, result)
    changed = []
    for point in (0, 1, 2):
        finding = Finding(FindingKind.MASS, 150.0, 250.0, 0.9, point, (), 10.0)
        picture = draw_marks(mammogram, replace(result, findings=(finding,)))
        changed.append(int((picture != plain).any(axis=2).sum()))
    assert changed[0] > changed[1] > changed[2] > 0


def test_a_mirrored_image_hangs_like_any_other():
    usual, result = made()
    mirrored, _ = made(chest_wall_on_left=False)
    one = draw_marks(usual, replace(result, breast=BreastRegion((), 1.0, True)), height_px=200)
    other = draw_marks(
        mirrored, replace(result, header=mirrored.header, breast=BreastRegion((), 1.0, False)), height_px=200
    )
    assert one[:, :80].mean() > one[:, -40:].mean()
    assert other[:, :80].mean() > other[:, -40:].mean()


def test_everything_at_once_and_nothing_at_all():
    mammogram, result = made(View.MLO)
    score = DensityScore(31.0, "c", 10.0, 30.0, 0.5)
    full = replace(
        result,
        breast=BreastRegion(((0.0, 0.0), (300.0, 250.0), (0.0, 499.0)), 1.0, True),
        nipple=Nipple(300.0, 250.0, 0.2),
        density=score,
    )
    assert not np.array_equal(draw_marks(mammogram, full), draw_marks(mammogram, result))
    blank = Mammogram(mammogram.header, np.zeros_like(mammogram.pixels))
    assert draw_marks(blank, result).max() > 0


def flat(value: int, width: int = 40, height: int = 60) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_views_hang_with_chest_walls_in_the_middle():
    views = [(View.MLO, "L", 40), (View.CC, "R", 10), (View.MLO, "R", 30), (View.CC, "L", 20)]
    pictures = [
        (phantom(view, Laterality(side), 100, 80, 1.0).mammogram.header, flat(value * 2, 40 if value > 20 else 30))
        for view, side, value in views
    ]
    hung = montage(pictures, gap_px=6)
    assert hung.shape == (126, 86, 3)
    assert hung[30, 39, 0] == 20
    assert hung[30, 5, 0] == 10  # nothing beside the narrower picture, outside
    assert hung[30, 46, 0] == 40
    assert hung[90, 20, 0] == 60
    assert hung[90, 60, 0] == 80


def test_repeats_missing_views_and_other_views_find_a_place():
    header = phantom(View.CC, Laterality.LEFT, 100, 80, 1.0).mammogram.header
    other = replace(header, view=View.ML)
    hung = montage([(header, flat(50)), (header, flat(90)), (other, flat(130))])
    assert hung.shape == (60 * 3 + 12, 86, 3)
    assert [hung[row, 60, 0] for row in (30, 96, 162)] == [50, 90, 130]
    with pytest.raises(ValueError, match="no picture"):
        montage([])


def test_the_window_is_that_of_the_breast():
    mammogram, result = made()
    inside = BreastRegion(((0.0, 60.0), (150.0, 150.0), (200.0, 250.0), (150.0, 350.0), (0.0, 440.0)), 1.0, True)
    label = mammogram.pixels.copy()
    label[10:40, 300:380] = 1.0  # a film's letters
    grey = render_grey(Mammogram(mammogram.header, label), replace(result, breast=inside), height_px=ROWS)
    assert grey.shape == (ROWS, COLUMNS)
    assert grey[20, 340] <= 80
    breast = grey[230:270, 20:150]
    assert np.percentile(breast, 99) - np.percentile(breast, 1) > 60
    half = Mammogram(mammogram.header, 0.3 + 0.2 * mammogram.pixels)
    plain, stretched = (
        render_grey(item, replace(result, breast=inside), height_px=ROWS).astype(int) for item in (mammogram, half)
    )
    assert np.abs(plain - stretched).max() <= 1


def test_raw_images_are_flattened():
    mammogram, result = made()
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    depth = np.clip(1 - np.hypot(x / 300, (y - 250) / 240), 0, 1)
    pixels = np.where(depth > 0, 0.2 + 0.6 * np.sqrt(depth) + 0.02 * (((x // 12) + (y // 12)) % 2), 0)
    header = replace(mammogram.header, for_processing=True)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 40)
    outline = tuple((300.0 * np.cos(t), 250.0 + 240.0 * np.sin(t)) for t in turn)
    shown = replace(result, breast=BreastRegion(outline, 1.0, True))

    def contrast(raw: bool) -> float:
        image = Mammogram(replace(header, for_processing=raw), pixels.astype(np.float32))
        grey = render_grey(image, shown, height_px=ROWS)[200:300, 20:150].astype(float)
        return float((grey - cv2.GaussianBlur(grey, (0, 0), 12)).std())

    assert contrast(True) > 1.2 * contrast(False)


def test_the_skin_line_leaves_out_the_edges_of_the_image():
    mammogram, result = made()
    outline = ((0.0, 60.0), (150.0, 150.0), (200.0, 250.0), (150.0, 350.0), (0.0, 440.0), (0.0, 250.0))
    projection = Projection(mammogram.header, chest_wall_on_left=True, height_px=ROWS)
    overlay = overlay_of(replace(result, breast=BreastRegion(outline, 1.0, True)), projection)
    assert overlay.skin[0] == (0.5, 60.5)
    assert overlay.skin[-1] == (0.5, 440.5)
    assert len(overlay.skin) == 5
    inner = tuple((x + 50.0, y) for x, y in outline)
    closed = overlay_of(replace(result, breast=BreastRegion(inner, 1.0, True)), projection).skin
    assert closed == (*((x + 0.5, y + 0.5) for x, y in inner), (50.5, 60.5))


def test_text_breaks_where_its_script_allows():
    assert wrapped("one two three", text_width("one two", 20), 20) == ("one two", "three")
    assert "".join(wrapped("研究用ソフトウェア", 60, 20)) == "研究用ソフトウェア"
    assert len(wrapped("研究用ソフトウェア", 60, 20)) > 2
    assert len(wrapped("unbreakablelongword", 40, 20)) > 2
    assert unwritable("Zoë 王 Ω Ж 한") == ""
    assert unwritable("a ع ท 😀") == "عท😀"
