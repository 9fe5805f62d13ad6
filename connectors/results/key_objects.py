"""Key Object Selection: the images with findings, for a viewer that opens them first (TID 2010, R3.445-R3.473)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from reread.connectors.reports.codes import Code
from reread.connectors.results.cad_sr_form import study_reference
from reread.connectors.results.document_items import (
    CONTAINS,
    container,
    device_observer,
    image,
    language,
    text,
)
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.page_language import Words, words
from reread.connectors.results.presentation_state import GRAYSCALE_PRESENTATION_STATE, PRESENTATION_STATE
from reread.connectors.results.source_images import Carrier, carriers
from reread.connectors.results.spoken import speak

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
KEY_OBJECTS = "key-objects"
_OF_INTEREST = Code("113000", "DCM", "Of Interest")
"""CID 7010; whoever looks decides what they are for, so none of the purposes"""
_DESCRIPTION = Code("113012", "DCM", "Key Object Description")


class KeyObjectForm:
    """One document per study revision; none when nothing was found."""

    name = KEY_OBJECTS
    sop_class_uids = (KEY_OBJECT_SELECTION,)
    depends_on = frozenset({"language"})
    refers_to = (PRESENTATION_STATE,)

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """Each image with a mark, with its presentation state when that is written too."""
        chosen = [
            carrier
            for carrier in carriers(case)
            if any(finding.operating_point is not None for finding in carrier.image.findings)
        ]
        if chosen:
            yield Draft(key_object_attributes(case, chosen))


def key_object_attributes(case: ResultCase, chosen: list[Carrier]) -> Dataset:
    """Key Object Document Series, Document and Content modules."""
    said = words(case.language)
    states = PRESENTATION_STATE in case.formats
    items = []
    evidence = []
    for carrier in chosen:
        header = carrier.header
        evidence.append((header.series_instance_uid, header.sop_class_uid, header.sop_instance_uid))
        state = None
        if states:
            state = GRAYSCALE_PRESENTATION_STATE, case.instance_uid(PRESENTATION_STATE, header.sop_instance_uid)
            series = case.series_uid(PRESENTATION_STATE, header.laterality.value)
            evidence.append((series, *state))
        items.append(image(CONTAINS, header.sop_class_uid, header.sop_instance_uid, presentation_state=state))
    target = container(
        "",
        _OF_INTEREST,
        [
            language(),
            *device_observer(case.provenance),
            text(CONTAINS, _DESCRIPTION, _description(len(case.result.marks), len(chosen), said)),
            *items,
        ],
        template="2010",
    )
    speak(target, said)
    target.SOPClassUID = KEY_OBJECT_SELECTION
    target.Modality = "KO"
    target.SeriesNumber = 9904
    target.SeriesDescription = "Reread images with findings"
    target.ReferencedPerformedProcedureStepSequence = []
    target.CurrentRequestedProcedureEvidenceSequence = [study_reference(case.result.study_instance_uid, evidence)]
    return target


def _description(marks: int, images: int, said: Words) -> str:
    return f"{said.marks}: {marks} ({said.view}: {images}). {said.notice}."
