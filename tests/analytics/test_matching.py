"""One place in two views, and a mass with its calcifications."""

from dataclasses import replace
from itertools import permutations

import numpy as np
from phantoms import phantom

from reread.analytics.matching import MatchingParameters, matched
from reread.analytics.records import Finding, FindingKind, ImageResult, Laterality, Nipple, View

L, R = Laterality.LEFT, Laterality.RIGHT


def mass(
    x: float, y: float, *, size: float = 12.0, point: int | None = 0, kind: FindingKind = FindingKind.MASS
) -> Finding:
    around = tuple(
        (x + 5 * size / 2 * float(np.cos(a)), y + 5 * size / 2 * float(np.sin(a)))
        for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)
    )
    return Finding(kind, x, y, 0.5, point, around, size)


def cluster(x: float, y: float, *, point: int | None = 0) -> Finding:
    return mass(x, y, size=4.0, point=point, kind=FindingKind.CALCIFICATION)


def image(view: View, side: Laterality, *findings: Finding, nipple: bool = True, number: int = 1) -> ImageResult:
    header = replace(
        phantom(rows=64, columns=64, spacing_mm=3.0).mammogram.header,
        laterality=side,
        view=view,
        sop_instance_uid=f"2.25.{number}",
    )
    header = replace(header, spacing=replace(header.spacing, row_spacing_mm=0.2, column_spacing_mm=0.2))
    at = Nipple(400.0, 500.0, 0.9) if nipple else None
    return ImageResult(header, None, None, at, None, tuple(findings), None, "", ())


def numbers(images: tuple[ImageResult, ...], field: str) -> list[list[int | None]]:
    return [[getattr(finding, field) for finding in one.findings] for one in images]


def test_the_same_distance_from_the_nipple_is_the_same_place() -> None:
    # 40 mm before the nipple in one view, 44 mm below it in the other
    pair = matched([image(View.CC, L, mass(200, 500)), image(View.MLO, L, mass(400, 720))])
    assert numbers(pair, "match") == [[1], [1]]


def test_too_far_apart_too_unlike_or_of_another_kind_is_not() -> None:
    first = image(View.CC, L, mass(200, 500))
    for other in (mass(400, 900), mass(400, 720, size=40.0), cluster(400, 720), mass(400, 720, point=None)):
        assert numbers(matched([first, image(View.MLO, L, other)]), "match") == [[None], [None]]


def test_other_breast_same_view_or_no_nipple_is_not_matched() -> None:
    first = image(View.CC, L, mass(200, 500))
    for other in (
        image(View.MLO, R, mass(400, 720)),
        image(View.CC, L, mass(400, 720)),
        image(View.MLO, L, mass(400, 720), nipple=False),
    ):
        assert numbers(matched([first, other]), "match") == [[None], [None]]


def test_each_finding_has_one_partner_and_the_most_alike_win() -> None:
    one = image(View.CC, L, mass(200, 500), mass(180, 500))
    other = image(View.MLO, L, mass(400, 702), mass(400, 760, point=2))
    assert numbers(matched([one, other]), "match") == [[1, 2], [1, 2]]
    only = image(View.MLO, L, mass(400, 722))
    assert numbers(matched([one, only]), "match") == [[None, 1], [1]]


def test_the_arc_is_a_setting() -> None:
    pair = [image(View.CC, L, mass(200, 500)), image(View.MLO, L, mass(400, 760))]
    assert numbers(matched(pair), "match") == [[1], [1]]
    assert numbers(matched(pair, MatchingParameters(arc_mm=10.0)), "match") == [[None], [None]]


def test_both_breasts_are_numbered_through() -> None:
    images = [image(View.CC, side, mass(200, 500), number=n) for n, side in enumerate((L, R))] + [
        image(View.MLO, side, mass(400, 700), number=n + 2) for n, side in enumerate((L, R))
    ]
    assert numbers(matched(images), "match") == [[1], [2], [1], [2]]


def test_a_mass_with_clusters_in_it_is_a_composite() -> None:
    inside, beside, far = cluster(210, 505), cluster(240, 500), cluster(300, 500)
    (found,) = matched([image(View.MLO, L, mass(200, 500), inside, beside, far)])
    # radius 30 px, margin 15 px
    assert [f.composite for f in found.findings] == [1, 1, 1, None]


def test_a_cluster_belongs_to_one_mass_and_marks_only_join() -> None:
    (found,) = matched([image(View.MLO, L, mass(200, 500), mass(220, 500), cluster(205, 500))])
    assert [f.composite for f in found.findings] == [1, None, 1]
    (below,) = matched([image(View.MLO, L, mass(200, 500, point=None), cluster(205, 500))])
    assert [f.composite for f in below.findings] == [None, None]


def test_nothing_else_changes_and_the_order_of_candidates_does_not_matter() -> None:
    findings = [mass(200, 500), mass(100, 500), cluster(205, 500)]
    other = image(View.MLO, L, mass(400, 700), mass(400, 800))
    seen = set()
    for order in permutations(findings):
        (changed, _) = matched([image(View.CC, L, *order), other])
        assert [replace(f, match=None, composite=None) for f in changed.findings] == list(order)
        seen.add(frozenset((f.x_px, f.match is not None, f.composite) for f in changed.findings))
    assert len(seen) == 1
    assert matched([]) == ()
