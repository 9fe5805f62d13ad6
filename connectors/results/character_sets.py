"""The character set of what we write: that of the source, unless a text of ours does not fit into it (R0.545)."""

from __future__ import annotations

from pydicom.charset import convert_encodings, encode_string
from pydicom.dataset import Dataset

from reread.connectors.dicom_parts import quiet_reading

_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_LATIN_1, _UNICODE = "ISO_IR 100", "ISO_IR 192"


def fit_character_set(dataset: Dataset) -> None:
    """State UTF-8 if some text cannot be written in the character set that the data set states."""
    stated = dataset.get("SpecificCharacterSet") or []
    terms = [str(stated)] if isinstance(stated, str) else [str(term) for term in stated]
    # without a character set nothing but ASCII is allowed (PS3.5 6.1.2.1); Latin 1 is known to the oldest readers
    wanted = terms if any(terms) else [_LATIN_1]
    texts = _texts(dataset)
    if texts:
        dataset.SpecificCharacterSet = wanted if all(_fits(text, wanted) for text in texts) else _UNICODE


def _fits(text: str, terms: list[str]) -> bool:
    with quiet_reading() as complaints:
        try:
            encodings = convert_encodings(terms)
            for part in text.replace("=", "^").split("^"):
                encode_string(part, encodings)
        except UnicodeEncodeError:
            return False
        return not complaints


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
