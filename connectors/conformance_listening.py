"""The listener as an application entity: what it accepts, answers and rejects."""

from __future__ import annotations

from collections.abc import Mapping

from reread.connectors.commitment_service import REPORT_TIMEOUT_S
from reread.connectors.conformance_contexts import (
    ContextTables,
    choice_table,
    context_table,
    list_table,
    proposed_table,
)
from reread.connectors.conformance_facts import Facts, ServiceFacts
from reread.connectors.conformance_services import about, answers_table
from reread.connectors.gatekeeper import (
    NO_SPACE,
    OWN_ERROR,
    REJECTIONS,
    TOO_MANY,
    TOO_MANY_OF_PEER,
    WRONG_ADDRESS,
    WRONG_CERTIFICATE,
    Rejection,
    WhenFull,
)
from reread.connectors.listener import ListenerSettings
from reread.connectors.outgoing import REPORT_COMMITMENT, SEND_HELD
from reread.connectors.retrieve_service import RETRIEVAL_TIMEOUT_S
from reread.connectors.statement_text import Bullets, Section, Table

STATUS_HEADS = ("status", "kind", "when it is answered")
REJECTION_HEADS = ("result", "source", "reason", "when", "at this site")
_RESULTS = {1: "1 (permanent)", 2: "2 (transient)"}
_SOURCES = {
    1: "1 (service user)",
    2: "2 (service provider, ACSE)",
    3: "3 (service provider, presentation)",
}


def listening_entity(facts: Facts, tables: ContextTables) -> Section:
    """Its specification."""
    return Section(
        "Listener",
        "It runs as long as the command reread listen does. The commands poll and night run one for themselves if none "
        "is there.",
        Section("SOP classes", *_classes(facts, tables)),
        Section("Association policies", *policies(facts, "accepts", facts.entity.max_pdu_bytes), *_number(facts)),
        Section("Association initiation policy", *_initiation(facts)),
        Section("Association acceptance policy", *_acceptance(facts, tables)),
    )


def policies(facts: Facts, verb: str, max_pdu_bytes: int) -> tuple[Table | str, ...]:
    """What the associations of an entity have in common."""
    entity = facts.entity
    return (
        Table(
            f"associations that the entity {verb}",
            ("what", "value"),
            (
                ("application context name", "1.2.840.10008.3.1.1.1"),
                ("maximum length of a PDU that we take", f"{max_pdu_bytes} bytes" if max_pdu_bytes else "0 (no limit)"),
                ("outstanding transactions (asynchronous nature)", "1: no asynchronous operations are negotiated"),
                ("implementation class UID", entity.implementation_class_uid),
                ("implementation version name", entity.implementation_version_name),
                ("SOP class extended and common extended negotiation", "none"),
                ("user identity negotiation", "not looked at, not answered"),
            ),
        ),
    )


def _classes(facts: Facts, tables: ContextTables) -> tuple[Table | str, ...]:
    rows = []
    for service in facts.services:
        found = tables.rows[service.name]
        roles = sorted({row.our_role for row in found})
        rows.append((service.name, ", ".join(service.operations), str(len(found)), ", ".join(roles)))
    return (
        "Every SOP class is in the table of presentation contexts of its service.",
        Table("services of the listener", ("service", "DIMSE services", "SOP classes", "our role"), tuple(rows)),
    )


def _number(facts: Facts) -> tuple[Bullets]:
    listener, entity = facts.listener, facts.entity
    items = [f"Associations at the same time: {listener.max_associations}, in {facts.processes}."]
    items += [
        f"Associations of {peer.name} at the same time: {peer.max_associations}."
        for peer in listener.peers
        if peer.max_associations
    ]
    items.append(f"A connection that requests no association is closed after {entity.association_timeout_s:g} s.")
    items.append(f"An association without any traffic is aborted after {entity.network_timeout_s:g} s.")
    return (Bullets(tuple(items)),)


def _initiation(facts: Facts) -> tuple[str | Section, ...]:
    offered = {service.name for service in facts.services}
    parts: list[str | Section] = []
    if "Storage Commitment" in offered:
        parts.append(
            Section(
                "Activity: report a storage commitment",
                "The listener opens an association to a peer that asked for storage commitment. It proposes to be "
                "SCP by role selection. One report goes out on one association.",
                f"The association and the answer are waited for {REPORT_TIMEOUT_S:g} s.",
                proposed_table(REPORT_COMMITMENT),
                answers_table(REPORT_COMMITMENT, "storage commitment reports"),
            )
        )
    if "Retrieve by C-MOVE" in offered:
        parts.append(
            Section(
                "Activity: send what a C-MOVE asks for",
                f"See the service Retrieve by C-MOVE below: contexts and reaction to {SEND_HELD.operation}. "
                f"Association and answers are waited for {RETRIEVAL_TIMEOUT_S:g} s.",
            )
        )
    if not parts:
        return ("The listener opens no associations.",)
    return (
        "Associations that the listener opens have the policies of the caller, below: implementation, PDU, contexts.",
        *parts,
    )


def _acceptance(facts: Facts, tables: ContextTables) -> tuple[str | Section, ...]:
    return (
        Section("Who may associate", *_callers(facts.listener)),
        Section("Rejected associations", *_rejections(facts.listener)),
        Section("Transfer syntaxes", *_syntaxes(tables)),
        *(_activity(service, facts, tables) for service in facts.services),
    )


def _callers(listener: ListenerSettings) -> tuple[str | Table | Bullets, ...]:
    titles = ", ".join((listener.ae_title, *listener.also_called))
    cohorts = [title for title in (listener.ae_title, *listener.also_called) if "MULTIPATIENT" in title.upper()]
    rows = tuple(
        (
            peer.name,
            peer.ae_title,
            peer.host if peer.check_address else "any address",
            _certificate(listener, peer.tls.names if peer.tls else ()),
            ", ".join(sorted(role.value for role in peer.roles)),
        )
        for peer in listener.peers
    )
    items = [f"Called AE titles that are accepted: {titles}. Case counts."]
    if cohorts:
        items.append(f"What is sent to {', '.join(cohorts)} is one cohort until it is quiet.")
    return (
        Bullets(tuple(items)),
        Table("callers that are accepted", ("peer", "calling AE title", "from", "certificate", "roles"), rows),
        "Only a peer with the role source may send objects, end-of-case messages and procedure steps. Only one with "
        "the role query may query and retrieve.",
    )


def _certificate(listener: ListenerSettings, names: tuple[str, ...]) -> str:
    if listener.tls is None or listener.tls.client_authorities is None:
        return "none is asked for"
    return f"names one of: {', '.join(names)}" if names else "any that our authorities signed"


def _rejections(listener: ListenerSettings) -> tuple[Table, ...]:
    rows = tuple(
        (
            _RESULTS[item.result],
            _SOURCES[item.source],
            str(item.reason),
            item.meaning,
            _at_this_site(listener).get(item, "in force"),
        )
        for item in REJECTIONS
    )
    return (Table("A-ASSOCIATE-RJ", REJECTION_HEADS, rows),)


def _at_this_site(listener: ListenerSettings) -> Mapping[Rejection, str]:
    crowding, policy = listener.crowding, listener.policy
    full = f"with {listener.max_associations} open"
    if crowding.when_full is WhenFull.HOLD:
        full += (
            f", a requestor waits without an answer; it is rejected after {crowding.hold_s:g} s, or at once when "
            f"{crowding.max_held} wait"
        )
    limits = [f"{peer.name}: {peer.max_associations}" for peer in listener.peers if peer.max_associations]
    checked = [peer.name for peer in listener.peers if peer.check_address]
    named = [peer.name for peer in listener.peers if peer.tls is not None and peer.tls.names]
    return {
        TOO_MANY: full,
        TOO_MANY_OF_PEER: "; ".join(limits) or "no peer has a limit of its own",
        WRONG_ADDRESS: ", ".join(checked) or "no address is checked",
        WRONG_CERTIFICATE: ", ".join(named) or "no peer has names of certificates",
        NO_SPACE: f"below {policy.min_free_bytes / (1 << 30):g} GiB of free space; below "
        f"{max(policy.low_free_bytes, policy.min_free_bytes) / (1 << 30):g} GiB if storage classes are proposed",
        OWN_ERROR: "in force; the log has the cause",
    }


def _syntaxes(tables: ContextTables) -> tuple[str | Table | Bullets, ...]:
    parts: list[str | Table | Bullets] = [
        "Each presentation context is decided on its own. Of the transfer syntaxes that it proposes we take the one "
        "that comes first in our list. The order of the requestor does not count. Several contexts for one SOP class "
        "are accepted.",
        Bullets(
            (
                "A context without a transfer syntax of the list gets result 4 (transfer syntaxes not supported).",
                "A SOP class that is not accepted gets result 3 (abstract syntax not supported).",
                "If a requestor proposes both roles for a class, the list of its SCU role decides.",
            )
        ),
        list_table(tables.lists),
    ]
    if tables.choices:
        parts.append(choice_table(tables.choices))
    return tuple(parts)


def _activity(service: ServiceFacts, facts: Facts, tables: ContextTables) -> Section:
    statuses = tuple((f"{item.code:04X}", item.kind, item.meaning) for item in service.statuses)
    return Section(
        f"Activity: {service.name}",
        *about(service.name, facts),
        Table(f"statuses of {', '.join(service.operations)}: {service.name}", STATUS_HEADS, statuses),
        context_table(service.name, tables.rows[service.name]),
    )
