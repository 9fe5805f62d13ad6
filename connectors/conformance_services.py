"""What each service of the listener does, beyond its tables: prose, and tables of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pydicom.datadict import dictionary_description, tag_for_keyword

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.commitment import FAILURE_REASONS, GIVEN_REASONS
from reread.connectors.completeness import ClosingRule, ClosingRules
from reread.connectors.conformance_contexts import class_name
from reread.connectors.conformance_facts import Facts
from reread.connectors.listener import ListenerSettings
from reread.connectors.negotiation import STANDARD_ORDER, UnknownClasses
from reread.connectors.outgoing import SEND_HELD, Call, Outcome
from reread.connectors.peers import PeerRole
from reread.connectors.plain_objects import can_write_plain
from reread.connectors.procedure_steps import REQUIRED_IN_CREATE
from reread.connectors.query_keys import CODE_KEYS, KEYS, LEVELS, UNIQUE, Key, Level, Root
from reread.connectors.services import UNCOMPRESSED
from reread.connectors.statement_text import Bullets, Section, Table
from reread.connectors.states import STEP_TRANSITIONS, StepStatus
from reread.connectors.store_statuses import STORE_STATUSES

Part = str | Bullets | Table | Section
KEY_HEADS = ("level of the key", "attribute", "tag", "VR", "matching", "note")

ACTIVITIES: Mapping[str, str] = {
    "Verification": "A peer asks whether the listener is there. Every peer that may associate gets an answer.",
    "Storage": "A peer sends objects. The bytes of the data set are stored exactly as they came, private elements "
    "included: nothing is coerced, discarded or decoded. Success is answered when file and ledger row are on the disk. "
    "That is level 2 (full) of storage support (PS3.4 B.4.1). An object of which the same bytes are here already is "
    "answered with success and not stored twice. Different bytes under one SOP Instance UID are kept apart and "
    "reported to the person who runs the night.",
    "Study Content Notification (retired)": "A peer says which objects belong to a case. What it names is compared "
    "with what is here. The message may come before its images. Nothing of it is kept but UIDs. The class is retired "
    "(PS3.4 annex R of older editions).",
    "Modality Performed Procedure Step": "A modality says when it begins with a case (N-CREATE), and at its end which "
    "images it made (N-SET). A step in progress keeps its study open. A completed one closes it as soon as its images "
    "are here. Only UIDs, status and times are kept. Nothing is passed on.",
    "Storage Commitment": "A peer asks whether we keep objects that it sent (N-ACTION). The request is in the ledger "
    "before it is answered, and survives a restart. An object is committed to when the ledger has it under that SOP "
    "class and its file is in the spool with its full size. The result goes out as N-EVENT-REPORT.",
    "Storage Commitment (results)": "A peer reports whether it keeps results that we sent (N-EVENT-REPORT), on an "
    "association that it opens. It may propose to be SCP by role selection. A peer that does not is heard too.",
    "Query": "A peer asks what we hold: objects that were received, and results that were written. Queries are "
    "hierarchical: every level above the level of the query needs its unique key as a single value. Relational "
    "queries and other extended negotiation are not supported.",
    "Retrieve by C-MOVE": "A peer has objects sent to itself or to another peer. Only configured peers with host and "
    "port are destinations. The retrieval goes on if the peer that asked goes away, and stops if it cancels.",
    "Retrieve by C-GET": "A peer has objects sent to it on its own association, where it is SCP of their classes by "
    "role selection. The retrieval ends if the peer goes away or cancels.",
}
"""By name of the service."""

CLOSING_RULES: Mapping[ClosingRule, str] = {
    ClosingRule.IMPORT: "its files were named by a person (import)",
    ClosingRule.NOTIFICATION: "everything that an end-of-case message names is here",
    ClosingRule.PROCEDURE_STEP: "every image that its completed procedure steps name is here, and none is in progress",
    ClosingRule.EXPECTED_VIEWS: "the views that are expected of its source are here",
    ClosingRule.ARCHIVE_COUNT: "as many objects are here as the archive has",
    ClosingRule.QUIET: "neither an image nor a message came for the quiet time",
    ClosingRule.CASE_TIMEOUT: "its first image came so long ago",
    ClosingRule.COHORT: "it came with others to a called AE title with MULTIPATIENT in it, and that cohort is quiet",
}


def about(service: str, facts: Facts) -> tuple[Part, ...]:
    """What is to be said of one service; a service without a text here has its tables all the same."""
    own: Mapping[str, Callable[[Facts], Iterable[Part]]] = {
        "Storage": lambda facts: _storage(facts.listener),
        "Study Content Notification (retired)": lambda facts: _closing(facts.listener),
        "Modality Performed Procedure Step": lambda _: _steps(),
        "Storage Commitment": _commitment,
        "Query": lambda facts: (_asking(facts.listener), *_keys()),
        "Retrieve by C-MOVE": lambda facts: (_asking(facts.listener), *_sending()),
        "Retrieve by C-GET": lambda facts: (_asking(facts.listener),),
    }
    parts: list[Part] = [ACTIVITIES[service]] if service in ACTIVITIES else []
    return (*parts, *(own[service](facts) if service in own else ()))


def answers_table(call: Call, what: str) -> Table:
    """What we make of a peer's statuses."""
    rows = [(_range(answer.first, answer.last), answer.outcome.value, answer.reaction) for answer in call.answers]
    rows += [
        ("any other", Outcome.REFUSED.value, call.otherwise),
        ("none, or the association breaks off", "failure", call.unanswered),
    ]
    return Table(
        f"reaction to the statuses of {call.operation}: {what}", ("status", "taken as", "reaction"), tuple(rows)
    )


def tag_text(tag: int) -> str:
    """(0008,0018)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _storage(listener: ListenerSettings) -> tuple[Part, ...]:
    policy = listener.policy
    if listener.unknown_classes is UnknownClasses.ACCEPT:
        unknown = (
            "Storage classes that are not in the table are accepted too, with the same transfer syntaxes: private "
            "classes, and classes below 1.2.840.10008.5.1.4.1.1. that are newer than this software."
        )
    else:
        unknown = "Storage classes that are not in the table are not accepted."
    with_element = ", ".join(f"{status.code:04X}" for status in STORE_STATUSES.values() if status.needs_element)
    return (
        unknown,
        _dispositions(policy),
        Bullets(
            (
                f"Offending Element (0000,0901) comes with: {with_element}. Error Comment (0000,0902) comes with every "
                "refusal. It holds no value of the object.",
                f"Objects of more than {policy.max_object_bytes >> 20} MiB are refused.",
                f"With less than {_gib(policy.min_free_bytes)} GiB of free space nothing is taken.",
                *_site_rules(policy),
            )
        ),
    )


def _dispositions(policy: AdmissionPolicy) -> Table:
    rows = [(class_name(uid), uid, "any", "stored and measured") for uid in sorted(policy.always_measured)]
    rows += [(class_name(uid), uid, "MG", "stored and measured") for uid in sorted(policy.measured_if_mg)]
    rows.append(("any other", "", "any", f"stored, not measured ({policy.others.value.replace('_', ' ')})"))
    rows.append(("any, with Manufacturer " + policy.own_manufacturer, "", "any", "stored, not measured (ignored)"))
    return Table("what becomes of an object", ("SOP class", "UID", "Modality", "what we do"), tuple(rows))


def _site_rules(policy: AdmissionPolicy) -> list[str]:
    rules = []
    if policy.refuse_lossy:
        rules.append("Lossy compressed images that would be measured are refused (C013).")
    if policy.required_tags:
        names = ", ".join(f"{dictionary_description(tag)} {tag_text(tag)}" for tag in policy.required_tags)
        rules.append(f"Images that would be measured need: {names}. Missing: C012. Empty: C013.")
    if policy.enabled_devices:
        names = ", ".join(sorted(policy.enabled_devices))
        rules.append(f"Images are measured of these devices only (Device Serial Number or Detector ID): {names}.")
    return rules or ["No rules of the site's own are in force (lossy compression, required attributes, devices)."]


def _closing(listener: ListenerSettings) -> tuple[Part, ...]:
    policy = listener.closing
    rows = [
        (rule.value, CLOSING_RULES[rule], _closing_value(rule, policy.default)) for rule in ClosingRule
    ]  # a rule without a sentence is a KeyError, not a gap
    sources = [("all others", *_closing_values(policy.default))]
    sources = [(name, *_closing_values(rules)) for name, rules in sorted(policy.by_source.items())] + sources
    return (
        Table("closing rules: a study is complete when", ("rule", "condition", "in force"), tuple(rows)),
        Table("values of the closing rules by source", ("source", "quiet time", "expected views"), tuple(sources)),
    )


def _steps() -> tuple[Part, ...]:
    tags = [(tag_for_keyword(keyword) or 0) for keyword, _ in REQUIRED_IN_CREATE]
    final = " or ".join(status.value for status in StepStatus if not STEP_TRANSITIONS[status])
    return (
        "When a study is complete: see the table of closing rules.",
        Table(
            "attributes that an N-CREATE needs, with a value",
            ("attribute", "tag"),
            tuple((dictionary_description(tag), tag_text(tag)) for tag in tags),
        ),
        f"The status has to be {StepStatus.IN_PROGRESS.value} in the N-CREATE. Each item of Scheduled Step Attributes "
        "Sequence needs a Study Instance UID.",
        f"An N-SET replaces status, end and performed series, until the step is {final}. With it the step needs "
        "its end date, end time and performed series.",
    )


def _closing_value(rule: ClosingRule, rules: ClosingRules) -> str:
    if rule is ClosingRule.QUIET:
        return f"{rules.quiet_s:g} s"
    if rule is ClosingRule.CASE_TIMEOUT:
        return f"{rules.case_timeout_s:g} s" if rules.case_timeout_s else "off"
    if rule is ClosingRule.PROCEDURE_STEP:
        return f"yes; a step in progress is forgotten after {rules.in_progress_s / 3600:g} h of silence"
    if rule is ClosingRule.EXPECTED_VIEWS:
        return "for the sources that have them"
    return "yes"


def _closing_values(rules: ClosingRules) -> tuple[str, str]:
    return f"{rules.quiet_s:g} s", ", ".join(sorted(rules.expected_views)) or "not used"


def _commitment(facts: Facts) -> tuple[Part, ...]:
    same = [peer.name for peer in facts.listener.peers if peer.report_on_same_association]
    where = "The report goes out on an association that we open to host and port of the peer."
    if same:
        where += f" For {', '.join(same)} it goes out on the association that asked, while that is open."
    rows = tuple((f"{code:04X}", FAILURE_REASONS[code]) for code in GIVEN_REASONS)
    return (
        where,
        f"A report that was not taken is repeated every {facts.listener.retry_interval_s:g} s, for "
        f"{facts.listener.retry_duration_s:g} s.",
        Table("Failure Reason (0008,1197)", ("reason", "meaning"), rows),
    )


def _asking(listener: ListenerSettings) -> str:
    asking = [peer.name for peer in listener.peers if PeerRole.QUERY in peer.roles]
    return f"Peers that may query and retrieve: {', '.join(asking)}. All others get 0124."


def _keys() -> tuple[Part, ...]:
    rows = [
        (
            key.level.value,
            dictionary_description(key.tag),
            tag_text(key.tag),
            key.vr,
            key.matching.value,
            _key_note(key),
        )
        for key in KEYS.values()
    ]
    rows += [
        (
            Level.STUDY.value,
            f"Procedure Code Sequence > {dictionary_description(tag)}",
            tag_text(tag),
            vr,
            "see the sequence",
            "",
        )
        for tag, vr in CODE_KEYS.values()
    ]
    levels = tuple((f"{root.value.title()} Root", ", ".join(level.value for level in root.levels)) for root in Root)
    return (
        Table("levels of the information models", ("information model", "levels"), levels),
        "A key is answered at its own level and at all levels below. In Study Root the keys of level PATIENT belong "
        "to level STUDY. A key that is not in the table is not matched and not answered; then pending responses are "
        "FF01.",
        Table("keys of queries", KEY_HEADS, tuple(rows)),
        Bullets(
            (
                "Every response has Query/Retrieve Level, Retrieve AE Title (ours) and Instance Availability (ONLINE).",
                "Dates and times are matched each for itself: there is no combined matching of date and time.",
                "Retrieve identifiers need the unique keys only: "
                + ", ".join(f"{level.value} {dictionary_description(KEYS[UNIQUE[level]].tag)}" for level in LEVELS)
                + ". Lists of UIDs are taken at the level of the request.",
            )
        ),
    )


def _key_note(key: Key) -> str:
    notes = ["unique key"] if UNIQUE[key.level] == key.keyword else []
    if key.computed:
        notes.append("counted or collected over the objects below")
    return "; ".join(notes)


def _sending() -> tuple[Part, ...]:
    undone = ", ".join(uid for uid in STANDARD_ORDER if uid not in UNCOMPRESSED and can_write_plain(uid))
    return (
        Section(
            "Sub-operations",
            "An association to the destination is opened with these contexts for each SOP class and transfer syntax "
            "of the objects:",
            Bullets(
                (
                    "one with the transfer syntax that the objects are stored in;",
                    "one with Explicit and Implicit VR Little Endian, if we can write the objects so.",
                )
            ),
            "An object is sent as it is wherever the destination takes it so. It is written uncompressed only when "
            "that is refused. Nothing is ever compressed. Transfer syntaxes that can be written uncompressed: "
            f"{undone}.",
            "C-GET sends by the same rule, on the association of the peer.",
            answers_table(SEND_HELD, "sub-operations"),
        ),
    )


def _range(first: int, last: int) -> str:
    return f"{first:04X}" if first == last else f"{first:04X} to {last:04X}"


def _gib(count: int) -> str:
    return f"{count / (1 << 30):g}"
