"""What the catalogue keeps of one object: the values of all query keys, read without pixels.

Holds patient data: it goes into the catalogue, which lies in the spool, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reread.connectors.careful_reading import read_careful_header
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.query_keys import CODE_KEYS, KEYS, Key, Matching
from reread.connectors.text_values import CharacterSet, character_set, raw_bytes, text_value

_STORED = tuple(key for key in KEYS.values() if not key.computed)
_CHARACTER_SET = 0x00080005
_TAGS = [_CHARACTER_SET, *(key.tag for key in _STORED)]
_UID = re.compile(r"(?=.*[0-9])[0-9.]{1,64}")
_MAX_CODES = 100


@dataclass(frozen=True, slots=True)
class Header:
    """Values by keyword; a sequence of codes is JSON text."""

    values: Mapping[str, str]
    transfer_syntax_uid: str


def read_header(path: Path) -> Header | None:
    """Read the keys of one Part 10 file.

    Returns
    -------
    Header or None
        None when it cannot be read or lacks a UID of its object, series, study or class: it cannot be asked for.
    """
    try:
        with path.open("rb") as file, quiet_reading():
            dataset = read_careful_header(file, tags=_TAGS, count_items=False)
            charset = character_set(dataset)
            values = {key.keyword: _value(dataset, key, charset) for key in _STORED}
            syntax = raw_bytes(dataset.file_meta, 0x00020010).decode("ascii", "replace").strip(" \0")
    except Exception:  # a parser meets what nobody wrote as DICOM; one bad file never stops the index
        return None
    uids = (values[name] for name in ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID"))
    if not _UID.fullmatch(syntax) or not all(_UID.fullmatch(uid) for uid in uids):
        return None
    return Header(values, syntax)


def codes_of(stored: str) -> list[dict[str, str]]:
    """The items of a sequence that `read_header` gave."""
    items: list[dict[str, str]] = json.loads(stored) if stored else []
    return items


def _value(dataset: Any, key: Key, charset: CharacterSet) -> str:
    if key.matching is Matching.SEQUENCE:
        return _codes(dataset, key.tag, charset)
    value = text_value(dataset, key.tag, key.vr, charset)
    if key.matching is Matching.DATE:
        return value.replace(".", "") if re.fullmatch(r"\d{4}\.\d\d\.\d\d", value) else value
    if key.matching is Matching.TIME:
        return value.replace(":", "")
    return value


def _codes(dataset: Any, tag: int, charset: CharacterSet) -> str:
    if tag not in dataset:
        return ""
    items = [
        {keyword: text_value(item, inner, vr, charset) for keyword, (inner, vr) in CODE_KEYS.items()}
        for item in list(dataset[tag].value or ())[:_MAX_CODES]
    ]
    return json.dumps(items, ensure_ascii=False) if items else ""
