"""Context groups (CIDs of PS3.16) as far as the CAD templates use them, and when two codes mean the same.

The members come from pydicom's copy of the standard; only what that copy lacks is written here. SNOMED codes have
an older form (SRT, and SNM3 or 99SDM before it) that PS3.16 8.1.1 declares equivalent; Reread compares in SCT.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

from reread.connectors.reports.codes import Code

_FROM_SRT: dict[str, str] = mapping["SRT"] | {"Y-X1770": "399192008", "Y-X1771": "399101009"}
"""with the SNM3 values of the exaggerated cranio-caudal views (R1.277), which pydicom lacks"""
_CONCEPTS = cast(dict[str, dict[str, dict[str, tuple[str, list[int]]]]], concepts)
"""scheme → keyword → value → meaning and CIDs"""
_OLD_SCHEMES = frozenset({"SRT", "SNM3", "99SDM"})

_LACKING: dict[int, tuple[Code, ...]] = {
    # BI-RADS itself is no scheme that pydicom carries (PS3.16 CID 6027)
    6027: (
        Code("397138000", "SCT", "0 - Incomplete - Need additional imaging evaluation +/- priors"),
        Code("397140005", "SCT", "1 - Negative"),
        Code("397141009", "SCT", "2 - Benign"),
        Code("397143007", "SCT", "3 - Probably Benign"),
        Code("397144001", "SCT", "4 - Suspicious"),
        Code("MA.II.A.5.4A", "BI", "4A - Low suspicion"),
        Code("MA.II.A.5.4B", "BI", "4B - Intermediate suspicion"),
        Code("MA.II.A.5.4C", "BI", "4C - Moderate suspicion"),
        Code("397145000", "SCT", "5 - Highly suggestive of malignancy"),
        Code("MA.II.A.5.6", "BI", "6 - Known biopsy proven malignancy"),
    ),
}
_REPLACED = {("111037", "DCM"): ("112233002", "SCT")}
"""concepts that a later edition of PS3.16 has exchanged: Margins of TID 4005 and 4011"""
_INCLUDED = {6026: (6027,)}
_SCHEMES_OF = {
    5000: frozenset({"RFC5646", "RFC3066", "ISO639_1", "ISO639_2"}),
    5001: frozenset({"ISO3166_1", "ISO3166", "ISO3166_2"}),
}
"""groups that are whole schemes: languages and countries"""


def modern(code: Code) -> Code:
    """The code in SCT when it is an older SNOMED code with an equivalent, else as it is."""
    if code.scheme in _OLD_SCHEMES:
        value = _FROM_SRT.get(code.value)
        return code if value is None else Code(value, "SCT", code.meaning)
    return code


def key(code: Code) -> tuple[str, str]:
    """What two equivalent codes have in common: value and scheme in SCT; DCM, UCUM and the rest as they are."""
    known = modern(code)
    found = (known.value, known.scheme)
    return _REPLACED.get(found, found)


@cache
def members(cid: int) -> tuple[Code, ...]:
    """The codes of a context group, with those of the groups that it includes."""
    known = getattr(codes, f"cid{cid}", None)
    found = [] if known is None else [_plain(getattr(known, name)) for name in known.dir()]
    found += _LACKING.get(cid, ())
    for other in _INCLUDED.get(cid, ()):
        found += members(other)
    return tuple(found)


@cache
def keys(cids: tuple[int, ...]) -> frozenset[tuple[str, str]]:
    """`key` of all members of the groups."""
    return frozenset(key(code) for cid in cids for code in members(cid))


def contains(cids: tuple[int, ...], code: Code) -> bool:
    """Whether one of the groups has the code or an equivalent one."""
    return key(code) in keys(cids) or any(code.scheme in _SCHEMES_OF.get(cid, ()) for cid in cids)


def known_meanings(code: Code) -> frozenset[str]:
    """Meanings of a code in the standard; empty for a code that the standard does not have."""
    return _meanings().get(key(code), frozenset())


def dcm(value: str) -> Code:
    """A code of scheme DCM with the meaning of PS3.16 Annex D.

    Raises
    ------
    KeyError
        There is none.
    """
    return _dcm()[value]


def _plain(code: object) -> Code:
    value, scheme = str(getattr(code, "value", "")), str(getattr(code, "scheme_designator", ""))
    return Code(value, scheme, _text(str(getattr(code, "meaning", ""))))


def _text(meaning: str) -> str:
    # the standard's tables break long words with zero-width spaces
    return meaning.replace("\u200b", "")


@cache
def _dcm() -> dict[str, Code]:
    found = {}
    for by_value in _CONCEPTS["DCM"].values():
        for value, (meaning, _) in by_value.items():
            found[value] = Code(value, "DCM", _text(meaning))
    return found


@cache
def _meanings() -> dict[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for scheme, by_keyword in _CONCEPTS.items():
        for by_value in by_keyword.values():
            for value, (meaning, _) in by_value.items():
                found.setdefault((value, scheme), set()).add(_text(meaning))
    return {identity: frozenset(meanings) for identity, meanings in found.items()}
