"""The annexes: objects that are written, attributes that are read, codes, extensions and retirements."""

from __future__ import annotations

from pydicom.datadict import dictionary_description, dictionary_VR

from reread.connectors.conformance_contexts import class_name, syntax_text
from reread.connectors.conformance_facts import Facts, WrittenObject
from reread.connectors.conformance_reading import attributes_read
from reread.connectors.conformance_services import tag_text
from reread.connectors.pixel_decoding import DECODABLE
from reread.connectors.reports import codes
from reread.connectors.reports.code_profiles import LEGACY
from reread.connectors.reports.codes import Code
from reread.connectors.reports.private_codes import PRIVATE_CODES, SCHEME, SCHEME_UID
from reread.connectors.results.authoring import WRITTEN_TRANSFER_SYNTAX, ResultFormat
from reread.connectors.statement_text import Bullets, Section, Table
from reread.connectors.storage_classes import INDUSTRIAL_CLASSES, PRIVATE_CLASSES, RETIRED_CLASSES


def annexes(facts: Facts) -> Section:
    """PS3.2, A.8."""
    querying = any("C-FIND" in service.operations for service in facts.services)
    return Section(
        "Annexes",
        Section(
            "Objects that are written",
            Bullets(
                (
                    f"All but copies of images are written as {syntax_text(WRITTEN_TRANSFER_SYNTAX)}, into the study "
                    "of their images, in series of their own.",
                    f"Copies of images ({ResultFormat.OVERLAY}) keep the transfer syntax of a compressed image, and "
                    "all attributes of the image that are valid.",
                    "A destination can ask for other options of the Mammography CAD SR. Then it gets objects with UIDs "
                    "of their own.",
                    "A report of a new revision of a study names the one that it replaces (Predecessor Documents).",
                    "UIDs are 2.25 and a number (PS3.5 B.2), computed from study, revision, algorithm, version and "
                    "parameters. The same result has the same UIDs, so a repeated send gives a peer what it has.",
                    "No private attributes are written.",
                    "Manufacturer is Reread. Reread is research and quality software, not a medical device.",
                )
            ),
            *(_written(item) for item in facts.written),
        ),
        Section(
            "Attributes of received objects that are used",
            "All other attributes are stored and not looked at.",
            Table(
                "attributes that are read",
                ("tag", "attribute", "VR", "for"),
                tuple(
                    (tag_text(tag), dictionary_description(tag), dictionary_VR(tag), purposes)
                    for tag, purposes in attributes_read(querying)
                ),
            ),
            "Transfer syntaxes of images that can be measured: " + ", ".join(map(syntax_text, sorted(DECODABLE))) + ".",
        ),
        Section(
            "Coerced attributes",
            "None: neither of objects that are received nor of objects that are passed on.",
        ),
        Section("Private attributes", "None are defined."),
        Section(
            "Coded terminology and templates",
            "The report follows TID 4000 (PS3.16). Coding schemes are those of the table. The private scheme "
            f"{SCHEME} ({SCHEME_UID}) extends CID 6142 by calculated values; objects that use it identify it in "
            "Coding Scheme Identification Sequence. The last column is what the legacy profile has instead.",
            _codes(),
        ),
        Section("Greyscale image consistency", "Nothing is displayed."),
        Section(
            "Extended, specialised, private and retired SOP classes",
            "These are taken as storage classes; see the service Storage.",
            Table(
                "retired and private classes",
                ("SOP class", "UID", "standing"),
                tuple(
                    (name, uid, standing)
                    for standing, group in (
                        ("retired", RETIRED_CLASSES),
                        ("of a sister standard", INDUSTRIAL_CLASSES),
                        ("private", PRIVATE_CLASSES),
                    )
                    for uid, name in group.items()
                ),
            ),
        ),
        Section(
            "Private transfer syntaxes",
            "None are defined. A private one is taken from a peer that has it in its own list of transfer syntaxes.",
        ),
    )


def _written(item: WrittenObject) -> Section:
    name = item.form
    rows = tuple(
        (
            f"{attribute.module} ({attribute.usage})" if attribute.usage else attribute.module,
            attribute.name,
            tag_text(attribute.tag),
            attribute.vr,
            attribute.presence,
            attribute.value,
        )
        for attribute in sorted(item.attributes, key=lambda attribute: (attribute.module, attribute.tag))
    )
    parts: list[str | Table] = [
        f"SOP class {class_name(item.sop_class_uid)} ({item.sop_class_uid}). In the settings: {item.form}.",
        Table(f"{name}: attributes", ("module", "attribute", "tag", "VR", "present", "value"), rows),
    ]
    if any(not attribute.usage for attribute in item.attributes):
        parts.append(
            "An attribute that is in no module of the IOD makes the object one of a Standard Extended SOP class."
        )
    if item.content:
        parts.append(Table(f"{name}: content items", ("relationship", "value type", "concept", "units"), item.content))
    return Section(name, *parts)


def _codes() -> Table:
    found: dict[Code, None] = dict.fromkeys(PRIVATE_CODES)
    for value in vars(codes).values():
        group = value.values() if isinstance(value, dict) else value if type(value) is tuple else (value,)
        for code in group:
            if isinstance(code, Code):
                found[code] = None
    rows = [
        (code.value, code.scheme, code.meaning, ", ".join(LEGACY[code.value]) if code.value in LEGACY else "")
        for code in sorted(found, key=lambda code: (code.scheme, code.value))
    ]
    return Table("codes that are written", ("code value", "scheme", "meaning", "legacy profile"), tuple(rows))
