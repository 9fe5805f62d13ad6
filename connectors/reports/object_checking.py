"""Checking files: reports, presentation states and captures; images beside them serve as reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage

from reread.analytics.errors import InputError, NotAMammogram
from reread.connectors.careful_reading import read_careful_header
from reread.connectors.dicom_parts import identify, parse, quiet_reading, read_bytes
from reread.connectors.mammogram_header import text, values
from reread.connectors.reports.attribute_checking import check_attributes
from reread.connectors.reports.cad_checking import check_report
from reread.connectors.reports.capture_checking import CAPTURES, check_capture, check_compression, whole
from reread.connectors.reports.content_tree import read_content
from reread.connectors.reports.presentation_checking import GSPS, check_presentation
from reread.connectors.reports.relationship_rules import SR_IODS
from reread.connectors.reports.templates import ROWS as TEMPLATE_ROWS
from reread.connectors.reports.templates import Kind
from reread.connectors.reports.violations import ImageFacts, Violation

_LARGEST_FILE = 1 << 31
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_FACTS = ("SOPClassUID", "SOPInstanceUID", "Rows", "Columns", "NumberOfFrames")
_ASKED_FOR = frozenset(
    keyword
    for row in TEMPLATE_ROWS[4020]
    if row.condition is not None and row.condition.kind is Kind.ATTRIBUTE
    for keyword in row.condition.attributes
)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What was found in one file."""

    path: Path
    kind: str
    """what it was checked as; "image" for a reference that was not checked, "" when it cannot be read"""
    violations: tuple[Violation, ...] = ()
    """against the standard"""
    notices: tuple[Violation, ...] = ()
    """worth knowing, but allowed"""
    error: str = ""
    """why it cannot be read"""


def check_files(paths: Iterable[Path]) -> Iterator[CheckedFile]:
    """Check files and all files of folders, in order.

    All are read once before: what a report refers to may lie beside it, then coordinates are held against its size
    and the entries of the Image Library against its attributes.
    """
    given = list(paths)
    files = list(_files(given))
    images: dict[str, ImageFacts] = {}
    for path in files:
        facts = image_facts(path)
        if facts is not None:
            images[facts[0]] = facts[1]
    for path in files:
        checked = check_file(path, images)
        # whatever else lies in a folder, a media directory for one, is none of our business; a file that was named is
        if checked.error and path not in given and (checked.kind or not _marked(path)):
            checked = CheckedFile(path, "other")
        yield checked


def check_file(path: Path, images: Mapping[str, ImageFacts]) -> CheckedFile:
    """Check one file; never raises for what is in it."""
    try:
        if not checkable(identify(path).sop_class_uid):
            return CheckedFile(path, "other" if image_facts(path) is None else "image")
        dataset = parse(read_bytes(path, _LARGEST_FILE))
        with quiet_reading():
            sop_class_uid = text(dataset, "SOPClassUID")
        if sop_class_uid in SR_IODS or sop_class_uid.startswith(_REPORTS):
            kind = SR_IODS[sop_class_uid].name if sop_class_uid in SR_IODS else "structured report"
            # reading twice costs little: a report is small, and only this reader guards against broken trees
            dataset, root = read_content(path)
            found = list(check_report(dataset, root, images))
        elif sop_class_uid == GSPS:
            kind, found = "presentation state", []
            with quiet_reading():
                found += check_presentation(dataset, images)
        elif sop_class_uid in CAPTURES:
            kind, found = "secondary capture", []
            with quiet_reading():
                found += check_capture(dataset, _syntax(dataset), _pixel_bytes(dataset))
        else:
            kind, found = "segmentation", []
        with quiet_reading():
            found += check_attributes(dataset)
            found += check_compression(dataset, _syntax(dataset))
    except NotAMammogram as error:
        return CheckedFile(path, "other" if _is_directory(path) else "", error=str(error))
    except InputError as error:
        return CheckedFile(path, "", error=str(error))
    except Exception as error:  # bytes that no parser expects: a checker reports them and goes on
        return CheckedFile(path, "", error=f"cannot be read ({type(error).__name__})")
    told = tuple(dict.fromkeys(found))
    return CheckedFile(
        path,
        kind,
        tuple(item for item in told if not item.notice),
        tuple(item for item in told if item.notice),
    )


def checkable(sop_class_uid: str) -> bool:
    """Whether there are rules for the SOP class; "" as well, so that what is no DICOM is said to be none."""
    known = (*SR_IODS, *CAPTURES, GSPS, SEGMENTATION, "")
    return sop_class_uid in known or sop_class_uid.startswith(_REPORTS)


def image_facts(path: Path) -> tuple[str, ImageFacts] | None:
    """SOP Instance UID and facts of an image file; None for anything else."""
    try:
        with path.open("rb") as file, quiet_reading():
            dataset = read_careful_header(file, tags=[*_FACTS, *_ASKED_FOR], force=True)
            rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
            if not rows or not columns:
                return None
            facts = ImageFacts(
                text(dataset, "SOPClassUID"),
                rows,
                columns,
                whole(dataset, "NumberOfFrames") or 1,
                frozenset(keyword for keyword in _ASKED_FOR if _has(dataset, keyword)),
            )
            return text(dataset, "SOPInstanceUID"), facts
    except Exception:  # unreadable: `check_file` says so, it is no reference for others
        return None


def _has(dataset: Dataset, keyword: str) -> bool:
    """Whether an attribute has a value; of the view modifiers only those count that stand below the view."""
    if keyword == "ViewModifierCodeSequence":
        return any(
            _has(item, "CodeValue") for view in _items(dataset, "ViewCodeSequence") for item in _items(view, keyword)
        )
    return any(values(dataset, keyword))


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    return [item for item in dataset.get(keyword) or [] if isinstance(item, Dataset)]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.is_file())
        else:
            yield path


def _marked(path: Path) -> bool:
    """Whether a file says that it is DICOM (PS3.10 7.1)."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return True


def _is_directory(path: Path) -> bool:
    """Whether it is the DICOMDIR of a medium, which is no instance (PS3.10 8.6)."""
    try:
        with quiet_reading():
            return text(read_file_meta_info(path), "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    except Exception:  # cut off within the meta information
        return False


def _syntax(dataset: Dataset) -> str:
    return text(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID")


def _pixel_bytes(dataset: Dataset) -> int | None:
    if "PixelData" not in dataset:
        return None
    value = dataset.get_item(0x7FE00010).value
    return len(value) if isinstance(value, bytes) else None
