"""The character set of what we write: that of the source, unless a text of ours does not fit into it (R0.545)."""

from __future__ import annotations

from pydicom.charset import convert_encodings, encode_string
from pydicom.dataset import Dataset

from reread.connectors.dicom_parts import quiet_reading

_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_UNICODE = "ISO_IR 192"


def fit_character_set(dataset: Dataset) -> None:
    """State UTF-8 if some text cannot be written in the character set that the data set states."""
    stated = dataset.get("SpecificCharacterSet") or []
    with quiet_reading() as complaints:
        encodings = convert_encodings([str(stated)] if isinstance(stated, str) else [str(term) for term in stated])
        for text in _texts(dataset):
            for part in text.replace("=", "^").split("^"):
                encode_string(part, encodings)
        fits = not complaints
    if not fits:
        dataset.SpecificCharacterSet = _UNICODE


def _texts(dataset: Dataset) -> list[str]:
    """Every text beyond ASCII, at any depth."""
    found = []
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found += _texts(item)
        elif element.VR in _TEXTS and element.value:
            text = str(element.value)
            if not text.isascii():
                found.append(text)
    return found
