"""Attributes of type 1 and 2 that an IOD needs, by the module tables of PS3.3 that highdicom carries."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from highdicom import _standard_utils as standard
from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text
from reread.connectors.reports.tree_checking import sequence
from reread.connectors.reports.violations import Violation

_LEFT_OUT = frozenset({"sr-document-content", "sop-common", "common-instance-reference"})
"""the content tree has its own rules; of SOP Common only the two UIDs are always needed"""
_GROUPS = frozenset({"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"})
_PAIRED = frozenset({"BREAST"})
"""paired parts among those that Reread writes (PS3.3 C.7.3.1: Laterality)"""

Required = tuple[str, str, str]
"""keyword, type 1 or 2, module"""


def check_attributes(dataset: Dataset) -> Iterator[Violation]:
    """Missing and empty attributes of the modules that the IOD makes mandatory, and of those that are there."""
    sop_class_uid = text(dataset, "SOPClassUID")
    for path, required in _required(sop_class_uid):
        for item, where in items_at(dataset, path):
            for keyword, kind, module in required:
                if keyword not in item:
                    detail = f"{keyword} is missing, type {kind} of {module.replace('-', ' ')}"
                    yield Violation((), f"PS3.3-{module}", detail, where + keyword)
                elif kind == "1" and _empty(item, keyword):
                    detail = f"{keyword} is empty, type 1 of {module.replace('-', ' ')}"
                    yield Violation((), f"PS3.3-{module}", detail, where + keyword)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not text(dataset, keyword):
            yield Violation((), "PS3.3-sop-common", f"{keyword} is missing, type 1 of sop common", keyword)
    part = text(dataset, "BodyPartExamined")
    # multi-frame images with functional groups tell it for each frame
    told = "Laterality" in dataset or "SharedFunctionalGroupsSequence" in dataset
    if part in _PAIRED and not told and not text(dataset, "ImageLaterality"):
        detail = "Laterality is missing, type 2C for one of a pair of body parts"
        yield Violation((), "PS3.3-general-series", detail, "Laterality")


def items_at(dataset: Dataset, path: tuple[str, ...]) -> Iterator[tuple[Dataset, str]]:
    """The items that a chain of sequences leads to, each with its name: `A[1].B[2].`"""
    if not path:
        yield dataset, ""
        return
    for place, item in enumerate(sequence(dataset, path[0]), start=1):
        for found, where in items_at(item, path[1:]):
            yield found, f"{path[0]}[{place}].{where}"


def _empty(item: Dataset, keyword: str) -> bool:
    try:
        return bool(item[keyword].is_empty)
    except Exception:  # whatever pydicom meets in broken bytes: it is there, its value is for other rules
        return False


@cache
def _required(sop_class_uid: str) -> tuple[tuple[tuple[str, ...], tuple[Required, ...]], ...]:
    iod = standard.get_sop_class_iod_map().get(sop_class_uid)
    if iod is None:
        return ()
    found: dict[tuple[str, ...], list[Required]] = {}
    attributes = standard.get_module_attribute_map()
    for module in standard.get_iod_module_map()[iod]:
        if module["key"] in _LEFT_OUT or module["usage"] == "U":
            continue
        for attribute in attributes[module["key"]]:
            path = tuple(attribute["path"])
            if path[-1:] and path[-1] in _GROUPS:
                continue  # which functional groups there are is told by other conditions
            # of a conditional module only what stands within its sequences: that it is there makes it needed
            if attribute["type"] in ("1", "2") and (module["usage"] == "M" or path):
                found.setdefault(path, []).append((attribute["keyword"], attribute["type"], module["key"]))
    return tuple((path, tuple(dict.fromkeys(rows))) for path, rows in sorted(found.items()))
