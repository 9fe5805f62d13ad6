"""From settings to a plan: the only place where the one becomes the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.gatekeeper import Crowding, WhenFull
from reread.connectors.listener import ListenerSettings
from reread.connectors.mammograms import ReadLimits
from reread.connectors.negotiation import UnknownClasses
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer, PeerRole, PeerTls
from reread.connectors.results.recipients import Recipient
from reread.connectors.tls import ListenerTls
from reread.connectors.words import tag_named, transfer_syntax_named
from reread.deployments.model_settings import route_models
from reread.deployments.settings import ListenerGroup, PeerGroup, Role, Settings
from reread.deployments.settings_results import ReportGroup
from reread.deployments.workers import worker_count
from reread.tasks.plans import Folders, NightPlan, Route

_MIB, _GIB = 1 << 20, 1 << 30


def folders_of(settings: Settings) -> Folders:
    """Where everything lies."""
    return Folders(settings.data.resolve())


def plan_of(settings: Settings) -> NightPlan:
    """The plan of a night at this site (SettingsInvalid when a model of a route cannot be used)."""
    models = route_models(settings)
    return NightPlan(
        folders=folders_of(settings),
        ledger_url=settings.resolved_ledger_url,
        ae_title=settings.ae_title,
        sources=tuple(_peer(peer) for peer in settings.peers if Role.SOURCE in peer.roles),
        destinations=tuple(_peer(peer) for peer in settings.peers if Role.DESTINATION in peer.roles),
        routes=tuple(
            Route(
                route.source,
                route.destinations,
                route.formats,
                tuple(models[name] for name in route.analyses),
                tuple(
                    Recipient(peer.name, peer.formats or route.formats, peer.report.options)
                    for peer in map(settings.peer, route.destinations)
                    if peer.formats or peer.report != ReportGroup()
                ),
            )
            for route in settings.routes
        ),
        days_back=settings.poll.days_back,
        days_per_query=settings.poll.days_per_query,
        modality=settings.poll.modality,
        move_timeout_s=settings.poll.move_timeout_s,
        closing=closing_policy_of(settings),
        studies_per_shard=settings.cluster.studies_per_shard,
        workers=worker_count(settings.cluster),
        limits=ReadLimits(
            max_pixels=int(settings.limits.max_image_megapixels * 1e6),
            max_file_bytes=settings.limits.max_object_mib * _MIB,
        ),
        outbox=OutboxPolicy(
            retry_interval_s=settings.delivery.retry_interval_s,
            retry_duration_s=settings.delivery.retry_duration_s,
        ),
        commitment_association_s=settings.delivery.commitment_association_s,
        commitment_timeout_s=settings.delivery.commitment_timeout_s,
        language=settings.language,
    )


def closing_policy_of(settings: Settings) -> ClosingPolicy:
    """When a study is complete, for each source."""
    listener = settings.listener
    default = ClosingRules(
        listener.quiet_s, listener.in_progress_hours * 3600.0, case_timeout_s=listener.case_timeout_s
    )
    return ClosingPolicy(
        default,
        {
            peer.name: replace(
                default, quiet_s=peer.quiet_s or default.quiet_s, expected_views=frozenset(peer.expected_views)
            )
            for peer in settings.peers
            if peer.quiet_s or peer.expected_views
        },
    )


def admission_policy_of(settings: Settings) -> AdmissionPolicy:
    """What the listener and the import take in."""
    return AdmissionPolicy(
        max_object_bytes=settings.limits.max_object_mib * _MIB,
        min_free_bytes=int(settings.limits.min_free_disk_gib * _GIB),
        low_free_bytes=int(settings.limits.low_disk_gib * _GIB),
        refuse_lossy=settings.admission.refuse_lossy,
        required_tags=tuple(tag_named(word) for word in settings.admission.required_attributes),
        enabled_devices=frozenset(settings.admission.enabled_devices),
    )


def listener_settings_of(settings: Settings) -> ListenerSettings:
    """How the listener listens."""
    return ListenerSettings(
        ae_title=settings.ae_title,
        host=settings.listener.host,
        port=settings.listener.port,
        peers=peers_of(settings),
        max_associations=settings.listener.max_associations,
        policy=admission_policy_of(settings),
        retry_interval_s=settings.delivery.retry_interval_s,
        retry_duration_s=settings.delivery.retry_duration_s,
        crowding=Crowding(
            WhenFull(settings.listener.when_full.value), settings.listener.max_held, settings.listener.hold_s
        ),
        unknown_classes=UnknownClasses(settings.listener.unknown_classes.value),
        tls=_listener_tls(settings.listener),
        also_called=settings.listener.extra_ae_titles,
        closing=closing_policy_of(settings),
        data=folders_of(settings).data,
    )


def peers_of(settings: Settings) -> tuple[Peer, ...]:
    """All peers."""
    return tuple(_peer(peer) for peer in settings.peers)


def _peer(peer: PeerGroup) -> Peer:
    return Peer(
        name=peer.name,
        ae_title=peer.ae_title,
        host=peer.host,
        port=peer.port,
        roles=frozenset(PeerRole(role.value) for role in peer.roles),
        commits=peer.commits,
        check_address=peer.check_address,
        max_associations=peer.max_associations,
        transfer_syntaxes=tuple(transfer_syntax_named(word) for word in peer.transfer_syntaxes),
        refused_transfer_syntaxes=tuple(transfer_syntax_named(word) for word in peer.refused_transfer_syntaxes),
        report_on_same_association=peer.commitment_on_same_association,
        tls=_peer_tls(peer),
    )


def _peer_tls(peer: PeerGroup) -> PeerTls | None:
    """None for a peer without TLS in either direction."""
    if not peer.tls and not peer.tls_names:
        return None
    return PeerTls(
        authorities=_path(peer.tls_authorities),
        certificate=_path(peer.tls_certificate),
        key=_path(peer.tls_key),
        check_host=peer.tls_check_host,
        names=peer.tls_names,
        outgoing=peer.tls,
    )


def _listener_tls(listener: ListenerGroup) -> ListenerTls | None:
    if not listener.tls_certificate:
        return None
    return ListenerTls(
        certificate=Path(listener.tls_certificate),
        key=Path(listener.tls_key),
        client_authorities=_path(listener.tls_client_authorities),
        handshake_s=listener.tls_handshake_s,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
