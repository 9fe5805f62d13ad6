"""The facts of an installation for its conformance statement: its own services and settings, without listening."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reread.connectors.conformance import statement
from reread.connectors.conformance_facts import Delivered, Facts, Parameter, facts_of_entity, facts_of_services
from reread.connectors.conformance_written import written_objects
from reread.connectors.ledger import open_ledger
from reread.connectors.listener import Listener
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool
from reread.connectors.statement_text import as_html, as_markdown
from reread.deployments.settings import PeerGroup, Settings
from reread.deployments.settings_text import literal
from reread.deployments.site_plan import listener_settings_of, plan_of

_GROUPS = ("listener", "poll", "limits", "admission", "delivery")
"""those that concern other systems"""
_FILES = frozenset(
    {"tls_certificate", "tls_key", "tls_client_authorities", "tls_authorities"}
)  # the statement goes to others: whether there is one, not where
_IN_TABLES = frozenset({"name", "ae_title", "host", "port", "roles", "report"})


def conformance_text(settings: Settings, *, html: bool = False) -> str:
    """The conformance statement of these settings, Markdown or HTML.

    Raises
    ------
    SettingsInvalid
        A listener with these settings could not be made, for example without the files for TLS.
    """
    pieces = statement(facts_of(settings))
    return as_html(pieces) if html else as_markdown(pieces)


def facts_of(settings: Settings) -> Facts:
    """Make the listener in a temporary folder, ask it, and throw it away; the site's data are not touched."""
    plan = plan_of(settings)
    listener_settings = listener_settings_of(settings)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with open_ledger(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
            pseudonyms = Pseudonyms.load_or_create(root / "key")
            listener = Listener(listener_settings, Spool(root / "spool"), ledger, pseudonyms)
            services, entity = facts_of_services(listener.node.services), facts_of_entity(listener)
            listener.stop()
        written = written_objects(root / "written")
    sources = [peer.name for peer in plan.sources]
    routes = [plan.route_of(source) for source in dict.fromkeys((*sources, "import"))]
    return Facts(
        version=version("reread"),
        listener=listener_settings,
        processes=_processes(settings.listener.processes),
        entity=entity,
        services=services,
        delivered=tuple(Delivered(route.source, route.recipients) for route in routes),
        outbox=plan.outbox,
        move_timeout_s=plan.move_timeout_s,
        commitment_wait_s=plan.commitment_association_s,
        modality=plan.modality,
        parameters=_parameters(settings),
        peer_parameters=tuple((peer.name, _differing(peer)) for peer in settings.peers),
        written=written,
    )


def _processes(stated: int) -> str:
    if not stated:
        return "one process for each core, at most four"
    return "one process" if stated == 1 else f"{stated} processes"


def _parameters(settings: Settings) -> tuple[Parameter, ...]:
    parts: list[tuple[str, BaseModel]] = [(f"{name}.", getattr(settings, name)) for name in _GROUPS]
    rows = [
        _parameter(prefix, name, group, getattr(group, name))
        for prefix, group in parts
        for name in type(group).model_fields
    ]
    return (_parameter("", "ae_title", settings, settings.ae_title), *rows)


def _differing(peer: PeerGroup) -> tuple[Parameter, ...]:
    groups: tuple[tuple[str, BaseModel], ...] = (("", peer), ("report.", peer.report))
    return tuple(
        _parameter(prefix, name, group, getattr(group, name))
        for prefix, group in groups
        for name, field in type(group).model_fields.items()
        if name not in _IN_TABLES and getattr(group, name) != field.default
    )


def _parameter(prefix: str, name: str, group: BaseModel, value: Any) -> Parameter:
    field = type(group).model_fields[name]
    return Parameter(prefix + name, field.description or "", _shown(name, field.default), _shown(name, value))


def _shown(name: str, value: Any) -> str:
    if name in _FILES:
        return "set" if value else "not set"
    return literal(value)
