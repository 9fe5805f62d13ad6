"""What surrounds the content tree of an SR: document, series, template and evidence (PS3.3 C.17)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset

from reread.connectors.mammogram_header import text
from reread.connectors.reports.content_tree import Node
from reread.connectors.reports.relationship_rules import SR_IODS
from reread.connectors.reports.tree_checking import sequence
from reread.connectors.reports.violations import Violation

_EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
_FLAGS = {
    "CompletionFlag": ("PARTIAL", "COMPLETE"),
    "VerificationFlag": ("UNVERIFIED", "VERIFIED"),
    "PreliminaryFlag": ("PRELIMINARY", "FINAL"),
}


def check_document(dataset: Dataset, nodes: Mapping[tuple[int, ...], Node]) -> Iterator[Violation]:
    """Modality, flags, root template, and the evidence against the references of the tree."""
    iod = SR_IODS.get(text(dataset, "SOPClassUID"))
    modality = iod.modality if iod is not None else "SR"
    if text(dataset, "Modality") != modality:
        yield Violation((), "PS3.3-C.17.1", f"Modality is not {modality}", "Modality")
    for keyword, allowed in _FLAGS.items():
        value = text(dataset, keyword)
        if value and value not in allowed:
            yield Violation((), "PS3.3-C.17.2", f"{value[:16]!r} is none of {', '.join(allowed)}", keyword)
    if text(dataset, "VerificationFlag") == "VERIFIED" and not sequence(dataset, "VerifyingObserverSequence"):
        yield Violation((), "PS3.3-C.17.2", "a verified document names who verified it", "VerifyingObserverSequence")
    root = nodes[1,]
    if root.value_type != "CONTAINER":
        yield Violation((1,), "PS3.3-C.17.3", "the root is no CONTAINER")
    if iod is not None and iod.root_template and root.template != iod.root_template:
        said = f"template {root.template[:16]}" if root.template else "no template"
        yield Violation((1,), f"PS3.3-{iod.clause}", f"the root says {said}, {iod.name} is TID {iod.root_template}")
    elif root.template and not any(
        text(item, "MappingResource") for item in sequence(dataset, "ContentTemplateSequence")
    ):
        yield Violation((1,), "PS3.3-C.18.8", "a template without Mapping Resource")
    yield from _references(dataset, nodes)


def _references(dataset: Dataset, nodes: Mapping[tuple[int, ...], Node]) -> Iterator[Violation]:
    evidence = evidence_of(dataset)
    told: set[str] = set()
    for node in nodes.values():
        uid = node.sop_instance_uid
        if node.value_type not in ("IMAGE", "COMPOSITE", "WAVEFORM") or not uid or uid in told:
            continue
        if uid not in evidence:
            told.add(uid)
            detail = "the object is in neither evidence sequence"
            yield Violation(node.path, "PS3.3-C.17.2.3", detail)
        elif node.sop_class_uid and evidence[uid] and evidence[uid] != node.sop_class_uid:
            told.add(uid)
            yield Violation(node.path, "PS3.3-C.17.2.3", "the evidence sequence gives another SOP class for the object")


def evidence_of(dataset: Dataset) -> dict[str, str]:
    """SOP Instance UID → SOP Class UID of everything in the evidence sequences."""
    found: dict[str, str] = {}
    for keyword in _EVIDENCE:
        for study in sequence(dataset, keyword):
            for series in sequence(study, "ReferencedSeriesSequence"):
                for item in sequence(series, "ReferencedSOPSequence"):
                    found[text(item, "ReferencedSOPInstanceUID")] = text(item, "ReferencedSOPClassUID")
    return found
