"""What Reread asks of its peers as an application entity: fetching, sending, storage commitment, verification."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.datadict import dictionary_description, tag_for_keyword

from reread.connectors.calling import ANY_PDU, MOST_ASSOCIATION_S
from reread.connectors.commitment import FAILURE_REASONS
from reread.connectors.conformance_contexts import class_name, proposed_table
from reread.connectors.conformance_facts import Facts
from reread.connectors.conformance_listening import policies
from reread.connectors.conformance_services import answers_table, tag_text
from reread.connectors.dimse import store_contexts
from reread.connectors.outgoing import (
    ASKED_KEYS,
    FIND,
    MOVE,
    MOVED_KEYS,
    REQUEST_COMMITMENT,
    STORE,
    VERIFY,
    Call,
)
from reread.connectors.pacing import LARGEST_PDU_BYTES
from reread.connectors.peers import PeerRole
from reread.connectors.results.authoring import WRITTEN_TRANSFER_SYNTAX, known_forms
from reread.connectors.retrieve_contexts import MOST_CONTEXTS, ProposedContext
from reread.connectors.statement_text import Bullets, Section, Table

CALLS: tuple[Call, ...] = (VERIFY, FIND, MOVE, STORE, REQUEST_COMMITMENT)


def calling_entity_section(facts: Facts) -> Section:
    """Its specification."""
    return Section(
        "Caller",
        "It calls peers under our AE title, in the commands night, poll, verify and doctor. It accepts no "
        "associations.",
        Section("SOP classes", _classes(facts)),
        Section(
            "Association policies",
            *policies(facts, "initiates", ANY_PDU),
            Bullets(
                (
                    "One association at a time with one peer.",
                    f"At most {MOST_CONTEXTS} presentation contexts in one association; more objects need another.",
                    f"Our PDUs hold at most {LARGEST_PDU_BYTES} bytes, whatever more the peer would take.",
                    f"A connection, and the answer to an association request, are waited for {MOST_ASSOCIATION_S:g} s.",
                )
            ),
        ),
        Section(
            "Association initiation policy",
            _verify(),
            _find(facts),
            _move(facts),
            _store(facts),
            _commitment(facts),
        ),
        Section(
            "Association acceptance policy",
            "None: results of storage commitment that come on other associations are taken by the listener.",
        ),
    )


def result_contexts(facts: Facts) -> tuple[ProposedContext, ...]:
    """What is proposed for results: one context for each format that some route sends."""
    formats = dict.fromkeys(
        item
        for delivered in facts.delivered
        for recipient in delivered.recipients
        if recipient.name
        for item in recipient.formats
    )
    forms = known_forms()
    return store_contexts(
        dict.fromkeys(
            (uid, syntax)
            for item in formats
            for uid in forms[item].sop_class_uids
            for syntax in getattr(forms[item], "transfer_syntax_uids", (WRITTEN_TRANSFER_SYNTAX,))
        )
    )


def _classes(facts: Facts) -> Table:
    rows = []
    for call in CALLS:
        for context in result_contexts(facts) if call is STORE else call.contexts:
            rows.append((class_name(context.abstract_syntax), context.abstract_syntax, call.operation, call.role))
    return Table("SOP classes of the caller", ("SOP class", "UID", "DIMSE service", "our role"), tuple(rows))


def _verify() -> Section:
    return Section(
        "Activity: verify a peer",
        "A person asks whether a peer is there. One C-ECHO, one try.",
        proposed_table(VERIFY),
        answers_table(VERIFY, "verification"),
    )


def _sources(facts: Facts) -> str:
    names = [peer.name for peer in facts.listener.peers if PeerRole.SOURCE in peer.roles]
    return f"Peers that are asked (role source): {', '.join(names) or 'none'}."


def _find(facts: Facts) -> Section:
    return Section(
        "Activity: find studies",
        "Each source is asked for the studies of a window of days, newest days first. A study of which objects are "
        "missing here is asked for its series and their objects.",
        _sources(facts),
        proposed_table(FIND),
        _key_table("keys of our queries (Study Root)", ASKED_KEYS),
        f"Study Date and Study Time are sent as single values or ranges. Modalities in Study is sent as "
        f"{facts.modality or 'an empty value'}. All other keys are sent empty, but for the UIDs of the levels above.",
        f"Each answer is waited for {facts.move_timeout_s:g} s.",
        answers_table(FIND, "queries"),
    )


def _move(facts: Facts) -> Section:
    return Section(
        "Activity: fetch a study",
        f"What is missing is asked for by C-MOVE to our own AE title, {facts.listener.ae_title}; the objects come "
        "to the listener. A study of which nothing is here is asked for as a whole. Of others only the missing objects "
        "are, series by series, with a list of SOP Instance UIDs.",
        proposed_table(MOVE),
        _key_table("keys of our retrievals (Study Root)", MOVED_KEYS),
        f"Each response is waited for {facts.move_timeout_s:g} s. We send no C-CANCEL.",
        answers_table(MOVE, "fetching"),
    )


def _store(facts: Facts) -> Section:
    rows = tuple(
        (
            delivered.source,
            ", ".join(recipient.formats),
            recipient.name or "none: they stay in our folder",
            recipient.options.variant.strip("-") or "default",
        )
        for delivered in facts.delivered
        for recipient in delivered.recipients
    )
    contexts = result_contexts(facts)
    return Section(
        "Activity: send results",
        "Results of measured studies are sent to their destinations, bytes as they are in the files: one presentation "
        "context for each SOP class and transfer syntax of the objects that are due. For compressed ones (copies of "
        "images) a second context is proposed, with Explicit VR Little Endian; where only that is accepted, they are "
        "sent uncompressed. An object for which the destination accepts no context is booked as failed with "
        "0122 and tried again.",
        Table("results by source of the study", ("source", "forms", "destination", "options of the report"), rows),
        *((proposed_table(STORE, contexts),) if contexts else ("No route sends results.",)),
        f"A failed delivery is tried again after {facts.outbox.retry_interval_s:g} s, and given up after "
        f"{facts.outbox.retry_duration_s:g} s. At most {facts.outbox.batch} objects are sent in one association.",
        answers_table(STORE, "results"),
    )


def _commitment(facts: Facts) -> Section:
    asked = [peer.name for peer in facts.listener.peers if peer.commits and PeerRole.DESTINATION in peer.roles]
    reasons = ", ".join(f"{code:04X} {meaning}" for code, meaning in FAILURE_REASONS.items())
    return Section(
        "Activity: ask for storage commitment",
        "After results were sent, one N-ACTION (Action Type ID 1) for each study goes out, on an association of its "
        "own. Referenced File-Set and storage media are not used.",
        f"Peers that are asked: {', '.join(asked) or 'none'}.",
        proposed_table(REQUEST_COMMITMENT),
        f"The association stays open {facts.commitment_wait_s:g} s for the N-EVENT-REPORT. Later reports are taken by "
        "the listener. A request without a report counts as failed after "
        f"{facts.outbox.commitment_limit_s / 3600:g} h.",
        f"An object that the peer did not commit to is sent again. Failure reasons that are known by name: {reasons}. "
        "The reaction is the same to all of them.",
        answers_table(REQUEST_COMMITMENT, "storage commitment"),
    )


def _key_table(caption: str, levels: Mapping[str, tuple[str, ...]]) -> Table:
    rows = []
    for level, keywords in levels.items():
        for keyword in keywords:
            tag = tag_for_keyword(keyword)
            assert tag is not None
            rows.append((level, dictionary_description(tag), tag_text(tag)))
    return Table(caption, ("level", "attribute", "tag"), tuple(rows))
