"""A content tree as data sets or, far quicker, as the bytes that pydicom would write for them.

A report of twenty findings has some 5,000 nested data sets. Building and writing them with pydicom takes most of a
second; their bytes are put together here directly, in explicit VR little endian with defined lengths.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item, reference

_CONTENT_SEQUENCE = BaseTag(0x0040A730)
_ITEM = b"\xfe\xff\x00\xe0"
_KEYWORDS = {"TEXT": "TextValue", "DATE": "Date", "TIME": "Time", "UIDREF": "UID"}


def write_content(target: Dataset, root: Item) -> None:
    """Put a content tree into a data set that will be written in explicit VR little endian.

    Texts beyond ASCII depend on the character set of the data set, so a tree that has any becomes nested data sets.
    """
    paths = _paths(root)
    target.update(_dataset(_alone(root), paths))
    try:
        encoded = b"".join(_framed(_bytes(child, paths, {})) for child in root.children)
    except UnicodeEncodeError:
        target.ContentSequence = [_dataset(child, paths) for child in root.children]
        return
    target[_CONTENT_SEQUENCE] = RawDataElement(  # pydicom parses it when somebody looks at it
        _CONTENT_SEQUENCE, "SQ", len(encoded), encoded, 0, is_implicit_VR=False, is_little_endian=True
    )


def keep_encoded(dataset: Dataset) -> None:
    """Let pydicom write the bytes of `write_content` as they are; call it last, the character set must be known.

    They are ASCII, which is the same in every character set. Without this pydicom would parse and encode them again.
    """
    if isinstance(dataset.get_item(_CONTENT_SEQUENCE), RawDataElement):
        stated = dataset.get("SpecificCharacterSet")
        dataset.set_original_encoding(
            is_implicit_vr=False,
            is_little_endian=True,
            character_encoding=convert_encodings(stated) if stated else default_encoding,
        )


def content_dataset(root: Item) -> Dataset:
    """A content tree as nested data sets, for any transfer syntax and character set."""
    return _dataset(root, _paths(root))


def _alone(root: Item) -> Item:
    copied = root.related(root.relationship)
    copied.children = ()
    return copied


def _paths(root: Item) -> dict[int, tuple[int, ...]]:
    """Place of every item from the root, which is (1,), by its identity."""
    found: dict[int, tuple[int, ...]] = {}

    def walk(item: Item, path: tuple[int, ...]) -> None:
        found[id(item)] = path
        for place, child in enumerate(item.children, start=1):
            walk(child, (*path, place))

    walk(root, (1,))
    return found


def _code_dataset(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def _dataset(item: Item, paths: dict[int, tuple[int, ...]]) -> Dataset:
    built = Dataset()
    if item.relationship:
        built.RelationshipType = item.relationship
    if item.target is not None:
        built.ReferencedContentItemIdentifier = list(paths[id(item.target)])
        return built
    built.ValueType = item.value_type
    if item.concept is not None:
        built.ConceptNameCodeSequence = [_code_dataset(item.concept)]
    if item.continuity:
        built.ContinuityOfContent = item.continuity
    if item.value_type in _KEYWORDS:
        setattr(built, _KEYWORDS[item.value_type], item.text)
    elif item.value_type == "CODE" and item.code is not None:
        built.ConceptCodeSequence = [_code_dataset(item.code)]
    elif item.value_type == "NUM" and item.code is not None:
        measured = Dataset()
        measured.MeasurementUnitsCodeSequence = [_code_dataset(item.code)]
        measured.NumericValue = item.text
        built.MeasuredValueSequence = [measured]
    elif item.value_type == "SCOORD":
        built.GraphicType, built.GraphicData = item.graphic_type, list(item.graphic)
    elif item.instance is not None:
        built.ReferencedSOPSequence = [reference(*item.instance)]
    if item.template:
        content_template = Dataset()
        content_template.MappingResource, content_template.TemplateIdentifier = "DCMR", item.template
        built.ContentTemplateSequence = [content_template]
    if item.children:
        built.ContentSequence = [_dataset(child, paths) for child in item.children]
    return built


def _framed(content: bytes) -> bytes:
    return _ITEM + struct.pack("<I", len(content)) + content


def _tag(group: int, element: int) -> bytes:
    return struct.pack("<HH", group, element)


def _short(tag: bytes, vr: bytes, value: bytes, padding: bytes = b" ") -> bytes:
    value += padding * (len(value) % 2)
    return tag + vr + struct.pack("<H", len(value)) + value


def _long(tag: bytes, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return tag + vr + b"\0\0" + struct.pack("<I", len(value)) + value


@lru_cache(maxsize=4096)
def _coded(tag: bytes, code: Code) -> bytes:
    """A code sequence of one item."""
    parts = (
        _short(_CODE_VALUE, b"SH", code.value.encode("ascii")),
        _short(_SCHEME, b"SH", code.scheme.encode("ascii")),
        _short(_MEANING, b"LO", code.meaning.encode("ascii")),
    )
    return _long(tag, b"SQ", _framed(b"".join(parts)))


@lru_cache(maxsize=256)
def _heading(relationship: str, value_type: str) -> bytes:
    found = _short(_RELATIONSHIP, b"CS", relationship.encode("ascii")) if relationship else b""
    return found + (_short(_VALUE_TYPE, b"CS", value_type.encode("ascii")) if value_type else b"")


@lru_cache(maxsize=4096)
def _referring(relationship: str, path: tuple[int, ...]) -> bytes:
    place = struct.pack(f"<{len(path)}I", *path)
    return _heading(relationship, "") + _short(_TARGET, b"UL", place)


def _bytes(item: Item, paths: dict[int, tuple[int, ...]], done: dict[int, bytes]) -> bytes:
    """Elements of one item in the order of their tags; `done` keeps those of items that stand in several places."""
    if item.target is not None:
        return _referring(item.relationship, paths[id(item.target)])
    known = done.get(id(item))
    if known is not None:
        return known
    parts = []
    if item.instance is not None:
        named = (
            _short(_SOP_CLASS, b"UI", item.instance[0].encode("ascii"), b"\0"),
            _short(_SOP_INSTANCE, b"UI", item.instance[1].encode("ascii"), b"\0"),
        )
        parts.append(_long(_SOP_SEQUENCE, b"SQ", _framed(b"".join(named))))
    kind = item.value_type
    parts.append(_heading(item.relationship, kind))
    if item.concept is not None:
        parts.append(_coded(_CONCEPT, item.concept))
    if item.continuity:
        parts.append(_short(_CONTINUITY, b"CS", item.continuity.encode("ascii")))
    if kind == "CODE" and item.code is not None:
        parts.append(_coded(_VALUE, item.code))
    elif kind == "NUM" and item.code is not None:
        measured = _coded(_UNITS, item.code) + _short(_NUMERIC, b"DS", item.text.encode("ascii"))
        parts.append(_long(_MEASURED, b"SQ", _framed(measured)))
    elif kind == "TEXT":
        parts.append(_long(_TEXT, b"UT", item.text.encode("ascii")))
    elif kind == "DATE":
        parts.append(_short(_DATE, b"DA", item.text.encode("ascii")))
    elif kind == "TIME":
        parts.append(_short(_TIME, b"TM", item.text.encode("ascii")))
    elif kind == "UIDREF":
        parts.append(_short(_UID, b"UI", item.text.encode("ascii"), b"\0"))
    if item.children:
        parts.append(_long(_CONTENT, b"SQ", b"".join([_framed(_bytes(child, paths, done)) for child in item.children])))
    if kind == "SCOORD":
        data = struct.pack(f"<{len(item.graphic)}f", *item.graphic)
        parts.append(_short(_GRAPHIC, b"FL", data))
        parts.append(_short(_GRAPHIC_TYPE, b"CS", item.graphic_type.encode("ascii")))
    done[id(item)] = encoded = b"".join(parts)
    return encoded


_CODE_VALUE, _SCHEME, _MEANING = _tag(0x0008, 0x0100), _tag(0x0008, 0x0102), _tag(0x0008, 0x0104)
_SOP_CLASS, _SOP_INSTANCE, _SOP_SEQUENCE = _tag(0x0008, 0x1150), _tag(0x0008, 0x1155), _tag(0x0008, 0x1199)
_UNITS, _NUMERIC, _MEASURED = _tag(0x0040, 0x08EA), _tag(0x0040, 0xA30A), _tag(0x0040, 0xA300)
_RELATIONSHIP, _VALUE_TYPE, _CONCEPT = _tag(0x0040, 0xA010), _tag(0x0040, 0xA040), _tag(0x0040, 0xA043)
_CONTINUITY, _DATE, _TIME = _tag(0x0040, 0xA050), _tag(0x0040, 0xA121), _tag(0x0040, 0xA122)
_UID = _tag(0x0040, 0xA124)
_TEXT, _VALUE, _CONTENT = _tag(0x0040, 0xA160), _tag(0x0040, 0xA168), _tag(0x0040, 0xA730)
_TARGET, _GRAPHIC, _GRAPHIC_TYPE = _tag(0x0040, 0xDB73), _tag(0x0070, 0x0022), _tag(0x0070, 0x0023)
