"""Identifiers of queries and retrievals: what is asked for, and the answers, as bytes.

An identifier is refused with A900 and its Offending Element when its Query/Retrieve Level is missing or not
one of the information model (R3.160, R3.224), when a unique key of a level above is not one single value
(R3.157: queries are hierarchical), and when a date, a time or a UID in it cannot be understood.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.filereader import read_dataset

from reread.analytics.errors import RereadError
from reread.connectors.dicom_parts import quiet_reading
from reread.connectors.query_keys import (
    CODE_KEYS,
    KEYS,
    KEYS_BY_TAG,
    LEVELS,
    UNIQUE,
    Level,
    Matching,
    Root,
    is_answered,
)
from reread.connectors.query_matching import Query, has_wildcard, is_universal, is_valid
from reread.connectors.text_values import TEXT_VRS, CharacterSet, character_set, encoding_for, raw_value, text_value

IDENTIFIER_MISMATCH, CANNOT_UNDERSTAND = 0xA900, 0xC000
LEVEL, CHARACTER_SET, RETRIEVE_AE_TITLE, AVAILABILITY, FAILED_LIST = (
    0x00080052,
    0x00080005,
    0x00080054,
    0x00080056,
    0x00080058,
)
_TIMEZONE = 0x00080201
_NOT_KEYS = frozenset({LEVEL, CHARACTER_SET, RETRIEVE_AE_TITLE, AVAILABILITY, _TIMEZONE})
_LONG = frozenset({"SQ", "UT", "UC", "UN"})
_IMPLICIT = "1.2.840.10008.1.2"
_LARGEST_SHORT = 0xFFFE

Element = tuple[int, str, bytes]
"""Tag, VR, value."""


class IdentifierRefused(RereadError):
    """The identifier gets this status.

    Parameters
    ----------
    status
        DIMSE status.
    comment
        Error Comment, at most 64 characters.
    element
        Offending Element, a tag.
    """

    def __init__(self, status: int, comment: str, element: int | None = None) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.element = element


@dataclass(frozen=True, slots=True)
class Asked:
    """An identifier that can be answered."""

    query: Query
    character_set: CharacterSet
    """the requester's"""
    has_unsupported: bool
    """some key is neither matched nor answered: pending responses are FF01 (R4.159)"""
    transfer_syntax_uid: str


def read_find(identifier: bytes, transfer_syntax_uid: str, root: Root) -> Asked:
    """What a C-FIND asks for.

    Raises
    ------
    IdentifierRefused
        See the top of this module.
    """
    dataset = _parsed(identifier, transfer_syntax_uid)
    charset = character_set(dataset)
    level = _level(dataset, root)
    keys: dict[str, str] = {}
    codes, unsupported = None, False
    for tag in tuple(dataset.keys()):
        key = KEYS_BY_TAG.get(int(tag))
        if int(tag) in _NOT_KEYS or tag.element == 0:
            continue
        if key is None or not is_answered(key, level):
            unsupported = True
        elif key.matching is Matching.SEQUENCE:
            codes, more = _codes(dataset, key.tag, charset)
            unsupported = unsupported or more
        else:
            value = text_value(dataset, key.tag, key.vr, charset)
            if not is_valid(key.matching, value):
                raise IdentifierRefused(
                    IDENTIFIER_MISMATCH, f"{key.keyword} has a value that cannot be matched", key.tag
                )
            keys[key.keyword] = "" if is_universal(value) else value
    for above in _levels_above(level, root):
        _check_single(keys.get(UNIQUE[above], ""), above)
    return Asked(Query(root, level, keys, codes), charset, unsupported, transfer_syntax_uid)


def read_retrieve(identifier: bytes, transfer_syntax_uid: str, root: Root) -> Query:
    """What a C-MOVE or C-GET asks for: unique keys only (R3.218 to R3.220); other keys are not looked at.

    Raises
    ------
    IdentifierRefused
        See the top of this module; also when the unique key of the level itself is missing.
    """
    dataset = _parsed(identifier, transfer_syntax_uid)
    charset = character_set(dataset)
    level = _level(dataset, root)
    keys: dict[str, str] = {}
    for each in (*_levels_above(level, root), level):
        key = KEYS[UNIQUE[each]]
        value = text_value(dataset, key.tag, key.vr, charset)
        if each is level and each is not Level.PATIENT:
            parts = [part for part in value.split("\\") if part]
            if not parts or not is_valid(key.matching, value) or "*" in value:
                raise IdentifierRefused(IDENTIFIER_MISMATCH, f"{key.keyword} has to be a UID or several", key.tag)
            value = "\\".join(parts)
        else:
            _check_single(value, each)
        keys[key.keyword] = value
    return Query(root, level, keys)


def find_answer(
    asked: Asked, values: Mapping[str, str], codes: Sequence[Mapping[str, str]], retrieve_ae_title: str
) -> bytes:
    """The identifier of one match: the keys that were asked for (R3.156), and how to get what was found."""
    query = asked.query
    texts = [values[keyword] for keyword in query.keys if KEYS[keyword].vr in TEXT_VRS]
    texts += [value for item in codes for value in item.values()]
    stated, codec = encoding_for(texts, asked.character_set)
    elements: list[Element] = [
        (LEVEL, "CS", raw_value("CS", query.level.value)),
        (RETRIEVE_AE_TITLE, "AE", raw_value("AE", retrieve_ae_title)),
        (AVAILABILITY, "CS", raw_value("CS", "ONLINE")),
    ]
    if stated:
        elements.append((CHARACTER_SET, "CS", raw_value("CS", stated)))
    for keyword in query.keys:
        key = KEYS[keyword]
        elements.append((key.tag, key.vr, raw_value(key.vr, values[keyword], codec)))
    if query.codes is not None:
        tag = KEYS["ProcedureCodeSequence"].tag
        elements.append((tag, "SQ", _sequence(query.codes, codes, codec, asked.transfer_syntax_uid)))
    return encode(elements, asked.transfer_syntax_uid)


def failed_list(sop_instance_uids: Sequence[str], transfer_syntax_uid: str) -> bytes:
    """The identifier with Failed SOP Instance UID List (0008,0058), as many as its length field can hold."""
    value = raw_value("UI", "\\".join(sop_instance_uids))
    if len(value) > _LARGEST_SHORT:
        value = raw_value("UI", value[:_LARGEST_SHORT].rpartition(b"\\")[0].decode("ascii"))
    return encode([(FAILED_LIST, "UI", value)], transfer_syntax_uid)


def encode(elements: Iterable[Element], transfer_syntax_uid: str) -> bytes:
    """Elements in the order of their tags, Explicit or Implicit VR Little Endian."""
    parts = []
    for tag, vr, value in sorted(elements):
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if transfer_syntax_uid == _IMPLICIT:
            head += struct.pack("<I", len(value))
        elif vr in _LONG:
            head += vr.encode() + struct.pack("<HI", 0, len(value))
        else:
            value = value[:_LARGEST_SHORT]
            head += vr.encode() + struct.pack("<H", len(value))
        parts.append(head + value)
    return b"".join(parts)


def _parsed(identifier: bytes, transfer_syntax_uid: str) -> Any:
    try:
        with quiet_reading():
            return read_dataset(BytesIO(identifier), transfer_syntax_uid == _IMPLICIT, True)
    except Exception as error:  # as everywhere: a parser meets what nobody wrote as DICOM
        raise IdentifierRefused(CANNOT_UNDERSTAND, f"the identifier cannot be read ({type(error).__name__})") from None


def _level(dataset: Any, root: Root) -> Level:
    stated = text_value(dataset, LEVEL, "CS", CharacterSet()).upper()
    level = next((level for level in root.levels if level.value == stated), None)
    if level is None:
        why = "is missing" if not stated else "is not one of this information model"
        raise IdentifierRefused(IDENTIFIER_MISMATCH, f"Query/Retrieve Level {why}", LEVEL)
    return level


def _levels_above(level: Level, root: Root) -> tuple[Level, ...]:
    return tuple(above for above in root.levels if LEVELS.index(above) < LEVELS.index(level))


def _check_single(value: str, level: Level) -> None:
    key = KEYS[UNIQUE[level]]
    if is_universal(value) or has_wildcard(value) or "\\" in value or not is_valid(key.matching, value):
        raise IdentifierRefused(IDENTIFIER_MISMATCH, f"{key.keyword} has to be one single value", key.tag)


def _codes(dataset: Any, tag: int, charset: CharacterSet) -> tuple[dict[str, str], bool]:
    """Keys of the only item, and whether it has others that we do not know."""
    try:
        with quiet_reading():
            items = list(dataset[tag].value or ())
    except Exception:
        raise IdentifierRefused(IDENTIFIER_MISMATCH, "a sequence that cannot be read", tag) from None
    if len(items) > 1:
        raise IdentifierRefused(IDENTIFIER_MISMATCH, "a sequence key has one item at most", tag)
    if not items or not len(items[0]):
        return dict.fromkeys(CODE_KEYS, ""), False
    known = {inner: keyword for keyword, (inner, _) in CODE_KEYS.items()}
    found = {
        keyword: text_value(items[0], inner, CODE_KEYS[keyword][1], charset)
        for inner, keyword in known.items()
        if inner in items[0]
    }
    inside = {int(inner) for inner in tuple(items[0].keys())}
    return found, bool(inside - set(known) - {CHARACTER_SET})


def _sequence(asked: Mapping[str, str], items: Sequence[Mapping[str, str]], codec: str, syntax: str) -> bytes:
    encoded = []
    for item in items:
        elements = [
            (tag, vr, raw_value(vr, item.get(keyword, ""), codec))
            for keyword, (tag, vr) in CODE_KEYS.items()
            if keyword in asked
        ]
        content = encode(elements, syntax)
        encoded.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content)
    return b"".join(encoded)
