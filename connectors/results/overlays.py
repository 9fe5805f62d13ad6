"""A mammogram with an overlay plane of its marks: a copy for viewers that show nothing but images.

001-secondlook 6.10 (R1.323-R1.336). The copy is the received image, header and compressed pixel data included, with
its own UIDs; it names its source and us as the equipment that contributed.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from reread.analytics.errors import AuthoringFailed
from reread.analytics.measurement import NAME
from reread.analytics.records import Finding, Provenance
from reread.connectors.mammogram_header import FOR_PRESENTATION, FOR_PROCESSING
from reread.connectors.pixel_decoding import COMPRESSED
from reread.connectors.results.derived_images import contribute, derived_copy
from reread.connectors.results.forms import Draft, ResultCase
from reread.connectors.results.overlays_plane import overlay_plane, packed
from reread.connectors.results.source_images import Carrier, carriers
from reread.connectors.services import EXPLICIT_LITTLE

OVERLAY = "overlay"
_GROUPS = range(0x6000, 0x6020, 2)
_NATIVE_SERIES = 9907


class OverlayForm:
    """One per image with marks, and per For Presentation twin of a raw image (R1.324); none without a mark."""

    name = OVERLAY
    sop_class_uids = (FOR_PRESENTATION, FOR_PROCESSING, "1.2.840.10008.5.1.4.1.1.7")
    depends_on: frozenset[str] = frozenset()
    transfer_syntax_uids = (EXPLICIT_LITTLE, *sorted(COMPRESSED))

    def drafts(self, case: ResultCase) -> Iterator[Draft]:
        """Copies; those of one source series share a series."""
        for place, carrier in enumerate(carriers(case), start=1):
            marks = [item for item in carrier.image.findings if item.operating_point is not None]
            if marks:
                dataset, transfer_syntax_uid = overlay_copy(carrier, marks, case.provenance)
                yield Draft(
                    dataset,
                    key=carrier.header.sop_instance_uid,
                    series=carrier.header.series_instance_uid,
                    instance_number=place,
                    keeps_header=True,
                    transfer_syntax_uid=transfer_syntax_uid,
                )


def overlay_copy(carrier: Carrier, marks: list[Finding], provenance: Provenance) -> tuple[Dataset, str]:
    """The copy, and the transfer syntax that its pixel data are in.

    Raises
    ------
    AuthoringFailed
        The source cannot be read, or all sixteen overlay groups are taken.
    """
    header = carrier.header
    dataset, transfer_syntax_uid = derived_copy(carrier.path, header)
    group = _free_group(dataset)
    name = "Reread" if provenance.algorithm == NAME else f"Reread, model {provenance.algorithm}"
    plane = (
        (0x0010, "US", header.rows),
        (0x0011, "US", header.columns),
        (0x0022, "LO", f"{name} {provenance.version}, not a medical device"[:64]),
        (0x0040, "CS", "G"),
        (0x0045, "LO", "AUTOMATED"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x1500, "LO", "Reread"),
        (0x3000, "OW", packed(overlay_plane(marks, header))),
    )
    for element, vr, value in plane:
        dataset.add_new((group << 16) | element, vr, value)
    contribute(dataset, provenance, f"Marks in overlay {group:04X}")
    dataset.SeriesNumber = _NATIVE_SERIES
    dataset.SeriesDescription = "Reread marks as overlay"
    return dataset, transfer_syntax_uid


def _free_group(dataset: Dataset) -> int:
    taken = {tag >> 16 for tag in map(int, dataset.keys())}
    for group in _GROUPS:
        if group not in taken:
            return group
    raise AuthoringFailed("the image has an overlay in every group already")
