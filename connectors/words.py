"""DICOM words of the settings: keywords and UIDs to what they stand for."""

from __future__ import annotations

import re

from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from reread.analytics.errors import SettingsInvalid

_UID = re.compile(r"(?=.{1,64}$)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_TRANSFER_SYNTAXES = {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}


def transfer_syntax_named(word: str) -> str:
    """The UID of a transfer syntax that is given by keyword ("JPEG2000Lossless") or by UID, private ones too.

    Raises
    ------
    SettingsInvalid
        It is neither.
    """
    uid = _TRANSFER_SYNTAXES.get(word, word)
    if not _UID.fullmatch(uid):
        raise SettingsInvalid(f"{word!r} is no transfer syntax: neither a UID nor a keyword like JPEG2000Lossless")
    return uid


def tag_named(keyword: str) -> int:
    """The tag of an attribute (SettingsInvalid if there is none of that keyword)."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise SettingsInvalid(f"{keyword!r} is no keyword of a DICOM attribute, for example StudyDate")
    return int(tag)
