"""An SR document as a tree of small records, whatever wrote it: nothing is assumed of templates here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from pydicom.dataset import Dataset

from reread.analytics.errors import InputError, NotAMammogram, NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.dicom_parts import parse, quiet_reading, read_bytes
from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.code_profiles import modern_value
from reread.connectors.reports.codes import Code

UNREADABLE = "unreadable"
"""value type of an item that cannot be parsed"""
_DEEPEST = 60
_LARGEST_FILE = 1 << 28


@dataclass(frozen=True, slots=True)
class Node:
    """One content item; code values are kept as written, `modern` gives those of SCT."""

    path: tuple[int, ...]
    """position from the root, which is (1,)"""
    relationship: str
    value_type: str
    """"" for a by-reference item"""
    concept: Code | None
    code: Code | None
    """value of a CODE"""
    text: str
    """value of a TEXT, DATE, TIME, UIDREF or PNAME"""
    number: float | None
    unit: Code | None
    graphic_type: str
    points: tuple[tuple[float, float], ...]
    """of a SCOORD: (column, row) as written, from the corner of the first pixel"""
    sop_class_uid: str
    sop_instance_uid: str
    """of an IMAGE or COMPOSITE"""
    target: tuple[int, ...]
    """of a by-reference item"""
    template: str
    children: tuple[Node, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Code value of the concept name, SCT where it has one, "" when there is none."""
        return modern_value(self.concept.value) if self.concept else ""

    @property
    def value(self) -> str:
        """Code value of a CODE, SCT where it has one."""
        return modern_value(self.code.value) if self.code else ""

    def walk(self) -> Iterator[Node]:
        """This node and everything below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def named(self, *names: Code) -> tuple[Node, ...]:
        """The children with one of these concept names."""
        wanted = {modern_value(name.value) for name in names}
        return tuple(child for child in self.children if child.name in wanted)


def read_content(path: Path) -> tuple[Dataset, Node]:
    """Parse an SR file; the Dataset stays within the connectors.

    Raises
    ------
    InputError
        Not DICOM, or not an SR document.
    """
    dataset = parse(read_bytes(path, _LARGEST_FILE))
    with quiet_reading():
        if "ContentSequence" not in dataset and text(dataset, "ValueType") != "CONTAINER":
            raise NotAMammogram(Reason.WRONG_MODALITY, "no structured report")
        try:
            return dataset, _node(dataset, (1,))
        except InputError:
            raise
        except Exception as error:  # a content tree of bytes that no parser accepts
            raise NotDicom(Reason.UNDECODABLE, f"the content tree cannot be read ({type(error).__name__})") from None


def _node(item: Dataset, path: tuple[int, ...]) -> Node:
    if len(path) > _DEEPEST:
        raise NotDicom(Reason.UNDECODABLE, "content items nested too deeply")
    measured = _first(item, "MeasuredValueSequence")
    referenced = _first(item, "ReferencedSOPSequence")
    template = _first(item, "ContentTemplateSequence")
    written = [text(item, keyword) for keyword in ("TextValue", "Date", "Time", "UID", "PersonName")]
    return Node(
        path=path,
        relationship=text(item, "RelationshipType"),
        value_type=text(item, "ValueType"),
        concept=_code(_first(item, "ConceptNameCodeSequence")),
        code=_code(_first(item, "ConceptCodeSequence")),
        text=next((value for value in written if value), ""),
        number=_float(text(measured, "NumericValue")) if measured is not None else None,
        unit=_code(_first(measured, "MeasurementUnitsCodeSequence")) if measured is not None else None,
        graphic_type=text(item, "GraphicType"),
        points=_points(values(item, "GraphicData")),
        sop_class_uid=text(referenced, "ReferencedSOPClassUID") if referenced is not None else "",
        sop_instance_uid=text(referenced, "ReferencedSOPInstanceUID") if referenced is not None else "",
        target=_target(values(item, "ReferencedContentItemIdentifier")),
        template=text(template, "TemplateIdentifier") if template is not None else "",
        children=tuple(
            _readable(child, (*path, place)) for place, child in enumerate(_sequence(item, "ContentSequence"), start=1)
        ),
    )


def _readable(item: Dataset, path: tuple[int, ...]) -> Node:
    """One item that nobody can parse does not take the others with it."""
    try:
        return _node(item, path)
    except InputError:
        raise
    except Exception:  # bytes of any kind
        return Node(path, "", UNREADABLE, None, None, "", None, None, "", (), "", "", (), "", ())


def _target(parts: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def _sequence(item: Dataset, keyword: str) -> list[Dataset]:
    try:
        return list(item.get(keyword) or [])
    except (TypeError, ValueError, AttributeError, EOFError, struct.error, NotImplementedError):
        return []


def _first(item: Dataset, keyword: str) -> Dataset | None:
    found = _sequence(item, keyword)
    return found[0] if found and isinstance(found[0], Dataset) else None


def _code(item: Dataset | None) -> Code | None:
    if item is None:
        return None
    value = next(
        (text(item, keyword) for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue") if keyword in item), ""
    )
    return Code(value, text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning"))


def _float(value: str) -> float | None:
    """None for what is no decimal number; Python would take "nan" and "inf" for some."""
    try:
        found = float(value)
    except ValueError:
        return None
    return found if isfinite(found) else None


def _points(parts: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    numbers = [_float(part) for part in parts]
    if None in numbers:
        return ()
    known = [number for number in numbers if number is not None]
    return tuple(zip(known[::2], known[1::2], strict=False))
