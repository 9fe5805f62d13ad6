"""From settings to a plan: the only place where the one becomes the other."""

from __future__ import annotations

from dataclasses import replace

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.authoring import ResultFormat
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.listener import ListenerSettings
from reread.connectors.mammograms import ReadLimits
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer, PeerRole
from reread.deployments.settings import PeerGroup, Role, Settings
from reread.deployments.workers import worker_count
from reread.tasks.plans import Folders, NightPlan, Route

_MIB, _GIB = 1 << 20, 1 << 30


def folders_of(settings: Settings) -> Folders:
    """Where everything lies."""
    return Folders(settings.data.resolve())


def plan_of(settings: Settings) -> NightPlan:
    """The plan of a night at this site."""
    return NightPlan(
        folders=folders_of(settings),
        ledger_url=settings.resolved_ledger_url,
        ae_title=settings.ae_title,
        sources=tuple(_peer(peer) for peer in settings.peers if Role.SOURCE in peer.roles),
        destinations=tuple(_peer(peer) for peer in settings.peers if Role.DESTINATION in peer.roles),
        routes=tuple(
            Route(route.source, route.destinations, tuple(ResultFormat(word.value) for word in route.formats))
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
    )


def closing_policy_of(settings: Settings) -> ClosingPolicy:
    """When a study is complete, for each source."""
    listener = settings.listener
    default = ClosingRules(listener.quiet_s, listener.in_progress_hours * 3600.0)
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
    )


def listener_settings_of(settings: Settings) -> ListenerSettings:
    """How the listener listens."""
    return ListenerSettings(
        ae_title=settings.ae_title,
        host=settings.listener.host,
        port=settings.listener.port,
        peers=tuple(_peer(peer) for peer in settings.peers),
        max_associations=settings.listener.max_associations,
        policy=admission_policy_of(settings),
        retry_interval_s=settings.delivery.retry_interval_s,
        retry_duration_s=settings.delivery.retry_duration_s,
        also_called=settings.listener.extra_ae_titles,
        closing=closing_policy_of(settings),
    )


def _peer(peer: PeerGroup) -> Peer:
    return Peer(
        name=peer.name,
        ae_title=peer.ae_title,
        host=peer.host,
        port=peer.port,
        roles=frozenset(PeerRole(role.value) for role in peer.roles),
        commits=peer.commits,
    )
