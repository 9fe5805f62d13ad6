"""Content items made through the rows of the templates: what a row forbids cannot be written."""

from __future__ import annotations

from collections.abc import Iterable

from reread.analytics.errors import AuthoringFailed
from reread.connectors.reports import content_items as build
from reread.connectors.reports.code_profiles import in_profile
from reread.connectors.reports.codes import Code
from reread.connectors.reports.content_items import Item
from reread.connectors.reports.report_options import CodeProfile
from reread.connectors.reports.templates import Row, relationships
from reread.connectors.reports.templates_values import problems

Value = Code | str | float | tuple[str, str] | None
"""of a CODE, of a TEXT, DATE, TIME or UIDREF, of a NUM, SOP Class and Instance UID of an IMAGE, none of a CONTAINER"""


def item(
    row: Row,
    value: Value = None,
    children: Iterable[Item] = (),
    *,
    relationship: str = "",
    concept: Code | None = None,
    unit: Code | None = None,
    profile: CodeProfile = CodeProfile.SCT,
) -> Item:
    """A content item of a row, with concept, relationship and unit of the row where it leaves no choice.

    Parameters
    ----------
    row
        From `templates.row`; not an inclusion.
    value
        In SCT; the profile is applied to it and to the concept here.
    relationship
        Needed where the template is included in several ways, see `templates.relationships`.
    concept
        Needed where the row takes it from a context group.
    unit
        Needed where the row allows several.

    Raises
    ------
    AuthoringFailed
        The row forbids it; the text names the row.
    """
    possible = relationships(row)
    related = relationship or (possible[0] if len(possible) == 1 else "")
    name = concept or row.concept
    named = None if name is None else in_profile(name, profile)
    below = tuple(children)
    measured = unit or (row.units[0] if len(row.units) == 1 else None)
    match row.value_type, value:
        case "CONTAINER", None if named is not None:
            template = str(row.template) if not possible else ""
            made = build.container(related, named, below, template=template)
        case "CODE", Code() if named is not None:
            made = build.code(related, named, in_profile(value, profile), below)
        case ("TEXT" | "DATE" | "TIME" | "UIDREF") as kind, str() if named is not None:
            made = Item(related, kind, named, below, text=value)
        case "NUM", int() | float() if named is not None and measured is not None:
            made = build.number(related, named, value, measured, below)
        case "IMAGE", (str(), str()):
            made = Item(related, "IMAGE", named, below, instance=(value[0], value[1]))
        case _:
            raise AuthoringFailed(
                f"{row.rule}: {type(value).__name__} is no value of this row, or unit or concept lack"
            )
    return fitted(row, made)


def fitted(row: Row, made: Item) -> Item:
    """The item itself when it fits the row; for items that were built otherwise, as graphics are.

    Raises
    ------
    AuthoringFailed
        It does not fit; the text names the row and what is wrong.
    """
    if row.by_reference != (made.target is not None):
        raise AuthoringFailed(f"{row.rule}: by reference and by value are exchanged")
    if made.relationship not in (relationships(row) or ("",)):
        raise AuthoringFailed(f"{row.rule}: {made.relationship or 'no relationship'} is not {relationships(row)}")
    if row.by_reference:
        return made
    if made.value_type != row.value_type:
        raise AuthoringFailed(f"{row.rule}: {made.value_type} in place of {row.value_type}")
    number = float(made.text) if made.value_type == "NUM" else None
    wrong = problems(row, made.concept, made.code, made.text, number, made.graphic_type)
    if wrong:
        raise AuthoringFailed(f"{row.rule}: {'; '.join(detail for _, detail in wrong)}")
    return made
