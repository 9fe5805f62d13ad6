"""Which attributes of received objects are read, and by what: found in the source of the modules that read them.

Keywords and tags of the DICOM dictionary that stand in a module as text, as attribute or as number count. So an
attribute that the code comes to read is in the statement without anybody's doing.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from reread.connectors import (
    dicom_parts,
    header_values,
    mammogram_header,
    mammograms,
    notification,
    part10,
    pixel_decoding,
    pixel_values,
    procedure_steps,
)
from reread.connectors.query_keys import KEYS

READERS: tuple[tuple[str, tuple[ModuleType, ...], tuple[str, ...]], ...] = (
    ("receiving: what the object is, to whom it belongs", (part10, dicom_parts), ()),
    ("measuring: side, view, spacing, orientation", (mammogram_header,), ()),
    ("measuring: header and size", (mammograms,), ()),
    ("measuring: pixel values", (pixel_decoding, pixel_values), ()),
    ("writing results: copied", (header_values,), ("equipment_values",)),
    ("end-of-case message", (notification,), ()),
    ("procedure step", (procedure_steps,), ()),
)
"""Purpose, modules, and functions in them that do not read what was received."""
_FIRST_OF_DATA_SETS = 0x00080000
_LEAST_PIECE = 8
"""letters of a keyword that a formatted text has to give"""


@cache
def attributes_read(with_queries: bool) -> tuple[tuple[int, str], ...]:
    """Tag and purposes, by tag; `with_queries`: what the index for queries keeps too."""
    found: dict[int, dict[str, None]] = {}
    for purpose, modules, skipped in READERS:
        for module in modules:
            for tag in _tags_in(module, skipped):
                found.setdefault(tag, {})[purpose] = None
    if with_queries:
        for key in KEYS.values():
            if not key.computed:
                found.setdefault(key.tag, {})["queries"] = None
    return tuple((tag, "; ".join(found[tag])) for tag in sorted(found))


def _tags_in(module: ModuleType, skipped: tuple[str, ...]) -> Iterator[int]:
    tree = ast.parse(inspect.getsource(module))
    tops = [node for node in tree.body if getattr(node, "name", "") not in skipped]
    pieces = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }  # of a formatted text: no keywords of their own
    for top in tops:
        for node in ast.walk(top):
            if id(node) not in pieces:
                yield from _tags_of(node)


def _tags_of(node: ast.AST) -> Iterator[int]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        if node.value >= _FIRST_OF_DATA_SETS and keyword_for_tag(node.value):
            yield node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _tag_of_word(node.value)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield from _tag_of_word(node.attr)
    elif isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values]
        if len(max(parts, key=len)) >= _LEAST_PIECE and all(part.isidentifier() for part in parts if part):
            pattern = re.compile("".join(re.escape(part) if part else "[A-Z][a-z]+" for part in parts))
            yield from (tag for tag, entry in DicomDictionary.items() if pattern.fullmatch(entry[4]))


def _tag_of_word(word: str) -> Iterator[int]:
    tag = tag_for_keyword(word) if word.isidentifier() else None
    if tag is not None and tag >= _FIRST_OF_DATA_SETS:
        yield tag
