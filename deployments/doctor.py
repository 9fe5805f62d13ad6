"""`reread doctor`: each line ok, or what to do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from reread.analytics.errors import ArchiveError, LedgerError, RereadError
from reread.connectors.codecs import codec_report
from reread.connectors.dimse import DimseArchive
from reread.connectors.ledger import open_ledger
from reread.deployments.settings import Settings
from reread.deployments.site_plan import plan_of
from reread.deployments.site_services import is_listening

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    name: str
    ok: bool
    text: str


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything that a night needs; yields as it goes, never raises for a site's fault."""
    yield from _codecs()
    yield _disk(settings)
    yield _ledger(settings)
    yield _port(settings)
    yield _prefect()
    yield from _peers(settings)


def _codecs() -> Iterator[Check]:
    for name, decoder in codec_report():
        yield Check(f"codec {name}", bool(decoder), decoder or "no decoder; reinstall Reread with its dependencies")


def _disk(settings: Settings) -> Check:
    folder = settings.data.resolve()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        return Check("disk", False, f"{existing} is not writable; change its owner or the setting `data`")
    free = shutil.disk_usage(existing).free / _GIB
    enough = free >= settings.limits.min_free_disk_gib
    advice = "" if enough else "; nothing is accepted below limits.min_free_disk_gib: free some space"
    return Check("disk", enough, f"{free:.1f} GiB free at {existing}{advice}")


def _ledger(settings: Settings) -> Check:
    if not settings.ledger_url and not (settings.data / "ledger.sqlite").exists():
        return Check("ledger", True, "will be made at first use")
    try:
        with open_ledger(settings.resolved_ledger_url) as ledger:
            counts = ledger.counts()
    except LedgerError as error:
        return Check("ledger", False, str(error))
    return Check("ledger", True, f"{sum(counts.studies.values())} study revisions")


def _port(settings: Settings) -> Check:
    host, port = settings.listener.host, settings.listener.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if is_listening(settings):
                return Check("listener port", True, f"{host}:{port} is ours: `reread listen` or a night is running")
            advice = "another program has it; stop that or choose another listener.port"
            return Check("listener port", False, f"{host}:{port} cannot be taken ({error.strerror}); {advice}")
    return Check("listener port", True, f"{host}:{port} is free")


def _prefect() -> Check:
    if importlib.util.find_spec("prefect") is None:
        return Check("Prefect", False, "not installed; reinstall Reread with its dependencies")
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Check("Prefect", True, "no PREFECT_API_URL: each night starts a server of its own on loopback")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5):
            return Check("Prefect", True, f"the server at {url} answers")
    except (urllib.error.URLError, OSError, ValueError) as error:
        return Check(
            "Prefect", False, f"the server at {url} does not answer ({error}); start it or unset PREFECT_API_URL"
        )


def _peers(settings: Settings) -> Iterator[Check]:
    if not settings.peers:
        yield Check("peers", True, "none configured: only `measure`, `import` and `demo` have something to do")
        return
    plan = plan_of(settings)
    for peer in {peer.name: peer for peer in (*plan.sources, *plan.destinations)}.values():
        where = f"{peer.ae_title} at {peer.host}:{peer.port}"
        try:
            DimseArchive(peer, settings.ae_title, timeout_s=10).echo()
        except (ArchiveError, RereadError) as error:
            yield Check(f"peer {peer.name}", False, f"{where} does not answer C-ECHO: {error}")
        else:
            yield Check(f"peer {peer.name}", True, f"{where} answers C-ECHO")
