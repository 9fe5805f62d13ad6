"""The two DIMSE messages of a C-STORE as bytes (PS3.7 6.3.1, 9.3.1, E.1): read the request, write the answer.

pynetdicom reads and writes every message; for an object of half a megabyte its way through pydicom costs
more than the object. Only these two are written here, because only these two come a million times.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

C_STORE_RQ = 0x0001
NO_DATA_SET = 0x0101
_C_STORE_RSP = 0x8001
_HEAD = struct.Struct("<HHI")

_CLASS, _FIELD, _MESSAGE, _PRIORITY, _DATA_SET = 0x0002, 0x0100, 0x0110, 0x0700, 0x0800
_RESPONDED, _STATUS, _OFFENDING, _COMMENT, _INSTANCE = 0x0120, 0x0900, 0x0901, 0x0902, 0x1000


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """A C-STORE-RQ."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_store_command(command: bytes) -> StoreCommand | None:
    """Read a command set, always Implicit VR Little Endian (PS3.7 6.3.1).

    Returns
    -------
    StoreCommand or None
        None for every other message, for a C-STORE without data set, and for what cannot be read: the toolkit
        decides about those.
    """
    elements = _elements(command)
    try:
        if int.from_bytes(elements[_FIELD], "little") != C_STORE_RQ:
            return None
        if int.from_bytes(elements[_DATA_SET], "little") == NO_DATA_SET or len(elements[_MESSAGE]) != 2:
            return None
        return StoreCommand(
            int.from_bytes(elements[_MESSAGE], "little"), _uid(elements[_CLASS]), _uid(elements[_INSTANCE])
        )
    except (KeyError, UnicodeDecodeError):
        return None


def store_answer(
    command: StoreCommand, status: int, *, comment: str = "", offending_element: int | None = None
) -> bytes:
    """The command set of the C-STORE-RSP; Error Comment is cut at 64 characters."""
    elements = [
        (_CLASS, _text(command.sop_class_uid)),
        (_FIELD, struct.pack("<H", _C_STORE_RSP)),
        (_RESPONDED, struct.pack("<H", command.message_id)),
        (_DATA_SET, struct.pack("<H", NO_DATA_SET)),
        (_STATUS, struct.pack("<H", status)),
    ]
    if offending_element is not None:
        elements.append((_OFFENDING, struct.pack("<HH", offending_element >> 16, offending_element & 0xFFFF)))
    if comment:
        elements.append((_COMMENT, _text(comment[:64], b" ")))
    elements.append((_INSTANCE, _text(command.sop_instance_uid)))
    body = b"".join(_HEAD.pack(0, element, len(value)) + value for element, value in elements)
    return _HEAD.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def command_pdu(context_id: int, command: bytes) -> bytes:
    """A P-DATA-TF PDU with one presentation data value that holds a whole command set (PS3.8 9.3.5, E.2)."""
    return struct.pack(">BBIIBB", 0x04, 0, len(command) + 6, len(command) + 2, context_id, 0x03) + command


def _elements(command: bytes) -> dict[int, bytes]:
    """Elements of group 0000 by element number; stops at the first that does not fit."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(command):
        group, element, length = _HEAD.unpack_from(command, at)
        at += 8
        if group != 0 or at + length > len(command):
            return {}
        found[element] = command[at : at + length]
        at += length
    return found


def _uid(value: bytes) -> str:
    return value.decode("ascii").rstrip("\0 ")


def _text(value: str, pad: bytes = b"\0") -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + pad if len(encoded) % 2 else encoded
