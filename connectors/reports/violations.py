"""What a checker says: the rule that is broken, where, and a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reread.connectors.reports.content_tree import Node

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    path: tuple[int, ...]
    """content item from the root, which is (1,); () for an attribute outside the content tree"""
    rule: str
    """stable name: TID4006-7 for a row, PS3.3-C.18.1 for a clause"""
    detail: str
    """one sentence, without values of the patient"""
    where: str = ""
    """concept names along the path, or the attribute with the items that lead to it"""
    notice: bool = False
    """worth knowing, but not against the standard"""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a report may be compared with when the image itself was given too."""

    sop_class_uid: str
    rows: int
    columns: int
    frames: int
    attributes: frozenset[str]
    """keywords of the attributes with a value, of those that TID 4020 asks for"""


def named_path(path: tuple[int, ...], nodes: Mapping[tuple[int, ...], Node]) -> str:
    """Concept names from the root to an item, separated by ` > `."""
    known = [nodes[path[:length]] for length in range(1, len(path) + 1) if path[:length] in nodes]
    return " > ".join(_name(node) for node in known)


def _name(node: Node) -> str:
    meaning = node.concept.meaning if node.concept is not None else node.value_type
    if not node.value_type:
        meaning = f"by-reference {node.relationship}"
    name = printable(meaning) or "(unnamed)"
    return f"{name} = {printable(node.code.meaning)}" if node.value_type == "CODE" and node.code else name


def printable(text: str) -> str:
    """At most 64 characters of a text, without control characters."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST_NAME])
