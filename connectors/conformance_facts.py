"""What a conformance statement is made of: taken from the services, tables and settings that the code runs with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reread.connectors.listener import Listener, ListenerSettings
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.results.recipients import Recipient
from reread.connectors.services import Offer, Service, StatusMeaning


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service of the listener."""

    name: str
    operations: tuple[str, ...]
    """DIMSE services that it answers, as "C-FIND" """
    offers: tuple[Offer, ...]
    statuses: tuple[StatusMeaning, ...]


@dataclass(frozen=True, slots=True)
class EntityFacts:
    """The application entity as it is set up to listen. Times in seconds."""

    max_pdu_bytes: int
    implementation_class_uid: str
    implementation_version_name: str
    association_timeout_s: float | None
    """for a connection that requests no association"""
    network_timeout_s: float | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting."""

    name: str
    meaning: str
    default: str
    value: str
    """in force"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What is written of the studies of one source, and where it goes."""

    source: str
    recipients: tuple[Recipient, ...]
    """one with the name "" where the results stay here"""


@dataclass(frozen=True, slots=True)
class WrittenAttribute:
    """One attribute at the top level of an object that we write."""

    module: str
    usage: str
    """of the module in the IOD: M, C or U; empty if the attribute is in no module of it"""
    tag: int
    name: str
    vr: str
    presence: str
    value: str


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """One kind of object that we write."""

    form: str
    sop_class_uid: str
    attributes: tuple[WrittenAttribute, ...]
    content: tuple[tuple[str, str, str, str], ...] = ()
    """of a structured report: depth and relationship, value type, concept, unit or kind of value"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is printed. Times in seconds."""

    version: str
    listener: ListenerSettings
    processes: str
    entity: EntityFacts
    services: tuple[ServiceFacts, ...]
    delivered: tuple[Delivered, ...]
    outbox: OutboxPolicy
    move_timeout_s: float
    commitment_wait_s: float
    modality: str
    parameters: tuple[Parameter, ...]
    peer_parameters: tuple[tuple[str, tuple[Parameter, ...]], ...]
    """name of a peer to what differs from the defaults"""
    written: tuple[WrittenObject, ...]


def service_facts(service: Service) -> ServiceFacts:
    """What a service says of itself."""
    return ServiceFacts(service.name, _operations(service), tuple(service.offers()), tuple(service.statuses()))


def facts_of_services(services: Sequence[Service]) -> tuple[ServiceFacts, ...]:
    """All services of a node, in its order."""
    return tuple(service_facts(service) for service in services)


def facts_of_entity(listener: Listener) -> EntityFacts:
    """What the listener's associations say of themselves."""
    entity = listener.node.ae
    return EntityFacts(
        int(entity.maximum_pdu_size),
        str(entity.implementation_class_uid),
        str(entity.implementation_version_name or ""),
        entity.acse_timeout,
        entity.network_timeout,
    )


def _operations(service: Service) -> tuple[str, ...]:
    """From the events that it binds, "EVT_N_EVENT_REPORT" for one; C-STORE comes through the doors of the node."""
    events = [handler[0].name for handler in service.handlers() if handler[0].is_intervention]
    found = [name.removeprefix("EVT_").replace("_", "-") for name in events if name.startswith(("EVT_C_", "EVT_N_"))]
    return tuple(found) or ("C-STORE",)
