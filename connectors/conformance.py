"""The DICOM conformance statement of an installation, in the structure of PS3.2 annex A, from frozen facts.

Pure: what it says comes from the facts and from the tables that the code itself works by, so it cannot say
anything else than the code does.
"""

from __future__ import annotations

from reread.connectors.conformance_calling import CALLS, calling_entity_section, result_contexts
from reread.connectors.conformance_contexts import ContextTables, class_name, context_tables
from reread.connectors.conformance_facts import Facts
from reread.connectors.conformance_listening import listening_entity
from reread.connectors.conformance_objects import annexes
from reread.connectors.conformance_services import ACTIVITIES
from reread.connectors.conformance_site import character_sets, configuration, media, network_interfaces, security
from reread.connectors.outgoing import STORE
from reread.connectors.statement_text import Bullets, Figure, Placed, Section, Table, place
from reread.connectors.storage_classes import STORAGE_CLASSES

NOTICE = "Reread is research and quality software, not a medical device."
_CALLED_FOR = {
    "C-ECHO": "verify peers",
    "C-FIND": "find studies at sources",
    "C-MOVE": "have studies sent to the listener",
    "C-STORE": "send results to destinations",
    "N-ACTION": "ask destinations for storage commitment",
}


def statement(facts: Facts) -> tuple[Placed, ...]:
    """The whole statement in reading order; `as_markdown` and `as_html` of `statement_text` write it."""
    tables = context_tables(facts.services, facts.listener.peers)
    querying = any("C-FIND" in service.operations for service in facts.services)
    return place(
        f"DICOM conformance statement: Reread {facts.version}, AE title {facts.listener.ae_title}",
        (
            NOTICE,
            "This statement was made by the installation itself, from the tables and settings that it runs with. Print "
            "it again after a change of settings or version: reread conformance.",
            _overview(facts, tables),
            _introduction(),
            Section(
                "Networking",
                _implementation_model(facts),
                Section(
                    "AE specifications",
                    listening_entity(facts, tables),
                    calling_entity_section(facts),
                ),
                network_interfaces(),
                configuration(facts),
            ),
            media(),
            character_sets(querying),
            security(facts.listener),
            annexes(facts),
        ),
    )


def _overview(facts: Facts, tables: ContextTables) -> Section:
    """Provider: the peer can use the service. User: we use the service of a peer."""
    rows: list[tuple[str, str, str, str]] = []
    named: dict[str, set[str]] = {}
    for service in facts.services:
        found = tables.rows[service.name]
        storage = [row for row in found if row.abstract_syntax in STORAGE_CLASSES]
        for row in found:
            if row.abstract_syntax not in STORAGE_CLASSES:
                named.setdefault(row.abstract_syntax, set()).add(row.our_role)
        if storage:
            title = f"{len(storage)} storage classes: see the service {service.name}"
            rows.append((title, "", *_roles({row.our_role for row in storage})))
    for call in CALLS:
        for context in result_contexts(facts) if call is STORE else call.contexts:
            named.setdefault(context.abstract_syntax, set()).add(call.role)
    rows += [(class_name(uid), uid, *_roles(roles)) for uid, roles in sorted(named.items())]
    return Section(
        "Overview",
        "Reread receives mammography studies or fetches them from archives, measures them, and sends results to "
        "archives as DICOM objects. What it holds can be queried and retrieved where the site allows it.",
        Table("network services", ("SOP class", "UID", "user (SCU)", "provider (SCP)"), tuple(rows)),
        "A storage class that is sent as a result is listed by name too. Media services: none.",
    )


def _roles(roles: set[str]) -> tuple[str, str]:
    return "yes" if "SCU" in roles else "no", "yes" if "SCP" in roles else "no"


def _introduction() -> Section:
    return Section(
        "Introduction",
        Section(
            "Audience",
            "For who connects Reread to other systems: administrators of archives, vendors of modalities, integrators.",
        ),
        Section(
            "Remarks",
            "A match of two conformance statements is necessary for two systems to work together, and not sufficient. "
            "Test the connection, and again after each change of one of the systems; the user is responsible for that.",
        ),
        Section(
            "Terms",
            Bullets(
                (
                    "AE: application entity. SCU: service class user. SCP: service class provider.",
                    "Peer: a DICOM node that is configured here.",
                    "Listener: the AE that receives. Caller: the AE that calls.",
                    "Spool: the folder of received objects. Ledger: the database of what was received, done and sent.",
                )
            ),
        ),
        Section("References", "NEMA PS3, DICOM. The structure is that of PS3.2 annex A."),
    )


def _implementation_model(facts: Facts) -> Section:
    return Section(
        "Implementation model",
        Section(
            "Application data flow",
            Figure(_flow(facts)),
        ),
        Section(
            "Functional definition of the AEs",
            Bullets(
                (
                    "Listener: waits for associations of configured peers and provides the services below. It "
                    "opens associations itself to report storage commitment and to send what was retrieved by C-MOVE.",
                    "Caller: fetches, sends results and asks for storage commitment, by night or on command.",
                )
            ),
            Table(
                "services of the listener",
                ("service", "what it is for"),
                tuple((service.name, ACTIVITIES.get(service.name, "")) for service in facts.services),
            ),
        ),
        Section(
            "Sequencing of real-world activities",
            Figure(
                "\n".join(
                    (
                        "source      --C-STORE-->                listener   objects come, or",
                        "caller      --C-FIND, C-MOVE-->         source     are asked for;",
                        "source      --C-STORE-->                listener   then they come too",
                        "source      --end-of-case, MPPS-->      listener   optional: may come before or after them",
                        "                                        listener   closes the study by a closing rule",
                        "                                        caller     measures it and writes results",
                        "caller      --C-STORE-->                destination",
                        "caller      --N-ACTION-->               destination   storage commitment, where it is set",
                        "destination --N-EVENT-REPORT-->         caller or listener",
                    )
                )
            ),
            "An object that comes after its study was closed opens a new revision of the study. The revision is "
            "measured and sent again; its report names the one that it replaces.",
        ),
    )


def _flow(facts: Facts) -> str:
    arrivals = [(f"--{', '.join(service.operations)}-->", service.name) for service in facts.services]
    calls = [(f"--{call.operation}-->", _CALLED_FOR.get(call.operation, "")) for call in CALLS]
    width = max(len(arrow) for arrow, _ in arrivals + calls)
    lines = [f"peer    {arrow:<{width}} Listener   {name}" for arrow, name in arrivals]
    lines += [f"Caller  {arrow:<{width}} peer       {name}" for arrow, name in calls]
    return "\n".join(lines)
