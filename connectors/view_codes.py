"""View codes of images: CID 4014 in SCT, SRT and SNM3, and the words that stand for them elsewhere."""

from __future__ import annotations

import re

from reread.analytics.records import Laterality, View

VIEW_SCT = {
    View.ML: "399260004",
    View.MLO: "399368009",
    View.LM: "399352003",
    View.LMO: "399099002",
    View.CC: "399162004",
    View.FB: "399196006",
    View.SIO: "399188001",
    View.ISO: "441555000",
    View.XCCL: "399192008",
    View.XCCM: "399101009",
}
VIEW_SRT = {
    View.ML: "R-10224",
    View.MLO: "R-10226",
    View.LM: "R-10228",
    View.LMO: "R-10230",
    View.CC: "R-10242",
    View.FB: "R-10244",
    View.SIO: "R-102D0",
    View.ISO: "R-40AAA",
    View.XCCL: "R-1024A",
    View.XCCM: "R-1024B",
}
VIEW_MEANING = {
    View.ML: "medio-lateral",
    View.MLO: "medio-lateral oblique",
    View.LM: "latero-medial",
    View.LMO: "latero-medial oblique",
    View.CC: "cranio-caudal",
    View.FB: "caudo-cranial (from below)",
    View.SIO: "superolateral to inferomedial oblique",
    View.ISO: "inferomedial to superolateral oblique",
    View.XCCL: "cranio-caudal exaggerated laterally",
    View.XCCM: "cranio-caudal exaggerated medially",
}
"""Code meanings of CID 4014."""

_BY_CODE = (
    {code: view for view, code in VIEW_SCT.items()}
    | {code: view for view, code in VIEW_SRT.items()}
    # SNM3 of older devices (R1.277), and a misprint that devices copied
    | {"Y-X1770": View.XCCL, "Y-X1771": View.XCCM, "R-10266": View.MLO}
    # "exaggerated cranio-caudal" without a side: the lateral one is the usual one
    | {"R-102CF": View.XCCL, "399265009": View.XCCL}
)

SPECIMEN = frozenset({"G-8310", "127457009"})
"""tissue specimen from breast, a view code of CID 4014 that is no view of a breast (R0.88)"""

MODIFIER_CODES = {
    "cleavage": ("R-102D2", "399161006"),
    "magnification": ("R-102D6", "399163009"),
    "spot compression": ("R-102D7", "399055006"),
    "axillary tail": ("R-102D1", "399011000"),
    "rolled lateral": ("R-102D3", "399197002"),
    "rolled medial": ("R-102D4", "399226006"),
    "rolled inferior": ("R-102CA", "414493004"),
    "rolled superior": ("R-102C9", "415670009"),
    "implant displaced": ("R-102D5", "399209000"),
    "tangential": ("R-102C2", "399110001"),
    "nipple in profile": ("R-40AB3", "442581004"),
    "anterior compression": ("P2-00161", "441752004"),
    "infra-mammary fold": ("R-40ABE", "442593008"),
    "axillary tissue": ("R-40AB2", "442580003"),
}
"""View modifiers of CID 4015, in SRT (SNM3) and SCT (R0.339, R0.340)."""
MODIFIER_OF_CODE = {code: name for name, codes in MODIFIER_CODES.items() for code in codes}
NOT_FULL_FIELD = frozenset({"cleavage", "magnification", "spot compression"})
"""Modifiers of images that show a part of the breast, or both breasts: not measured (R0.89)."""
SMALLEST_MAGNIFICATION, LARGEST_MAGNIFICATION = 0.9, 1.1
"""outside of this Estimated Radiographic Magnification Factor an image is not measured (R0.87)"""

_VIEW_WORD = re.compile(
    r"(?<![A-Z])(?:([LR])[\s_-]?)?(XCCL|XCCM|MLO|LMO|SIO|ISO|XCC|CC|ML|LM|FB)(?:[\s_-]?([LR]))?(?![A-Z])"
)
_SIDE_WORD = re.compile(r"(?<![A-Z])(LEFT|RIGHT|LT|RT|LINKS|RECHTS|GAUCHE|DROITE?|SINISTRA|DESTRA)(?![A-Z])")
_SIDES = {"L": Laterality.LEFT, "G": Laterality.LEFT, "S": Laterality.LEFT}


def view_of_code(code: str) -> View | None:
    """The view of a code value of CID 4014, whatever scheme it is in."""
    return _BY_CODE.get(code.strip())


def view_in_words(text: str) -> View | None:
    """The one view that a text names ("R MLO", "LCC", "MLO_LEFT"); None when none, or several."""
    found = {match.group(2) for match in _VIEW_WORD.finditer(text.upper())}
    if len(found) != 1:
        return None
    word = found.pop()
    return View.XCCL if word == "XCC" else View(word)


def laterality_in_words(text: str) -> Laterality | None:
    """The one side that a text names; None when none, or both."""
    text = text.upper()
    found = {_SIDES.get(match.group(1)[0], Laterality.RIGHT) for match in _SIDE_WORD.finditer(text)}
    for match in _VIEW_WORD.finditer(text):
        for letter in (match.group(1), match.group(3)):
            if letter:
                found.add(Laterality(letter))
    return found.pop() if len(found) == 1 else None
