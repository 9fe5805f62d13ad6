"""`reread doctor`: each line ok, or what to do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

from reread.analytics.errors import LedgerError, SettingsInvalid
from reread.connectors.codecs import codec_report
from reread.connectors.disk_space import DiskState, disk_state
from reread.connectors.ledger import open_ledger
from reread.connectors.tls import server_context
from reread.deployments.model_settings import route_models, usable_model
from reread.deployments.peer_checks import Check, verify_peers
from reread.deployments.settings import Settings
from reread.deployments.site_plan import admission_policy_of, listener_settings_of
from reread.deployments.site_services import is_listening

_GIB = 1 << 30


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything that a night needs; yields as it goes, never raises for a site's fault."""
    yield from _codecs()
    yield disk_check(settings)
    yield _ledger(settings)
    yield _port(settings)
    yield from _listener_tls(settings)
    yield from _models(settings)
    yield _prefect()
    yield from _peers(settings)


def _codecs() -> Iterator[Check]:
    for name, decoder in codec_report():
        yield Check(f"codec {name}", bool(decoder), decoder or "no decoder; reinstall Reread with its dependencies")


def disk_check(settings: Settings) -> Check:
    """Whether there is space, against the two marks of the settings."""
    folder = settings.data.resolve()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        return Check("disk", False, f"{existing} is not writable; change its owner or the setting `data`")
    free_bytes = shutil.disk_usage(existing).free
    advice = {
        DiskState.PLENTY: "",
        DiskState.LOW: "; below limits.low_disk_gib no new association may store: free some space",
        DiskState.FULL: "; nothing is accepted below limits.min_free_disk_gib: free some space",
    }
    policy = admission_policy_of(settings)
    state = disk_state(free_bytes, policy.min_free_bytes, policy.low_free_bytes)
    return Check("disk", state is DiskState.PLENTY, f"{free_bytes / _GIB:.1f} GiB free at {existing}{advice[state]}")


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


def _listener_tls(settings: Settings) -> Iterator[Check]:
    try:
        tls = listener_settings_of(settings).tls
        if tls is not None:
            server_context(tls)
            asks = "asks callers for certificates" if tls.client_authorities else "asks callers for no certificate"
            yield Check("listener TLS", True, f"{tls.certificate} can be used; the listener {asks}")
    except SettingsInvalid as error:
        yield Check("listener TLS", False, str(error))


def _models(settings: Settings) -> Iterator[Check]:
    usable = True
    for path in settings.models:
        try:
            model = usable_model(path)
            yield Check(f"model {model.name}", True, f"{model.version}, SHA-256 {model.sha256[:16]}…, runs on the CPU")
        except SettingsInvalid as error:
            usable = False
            yield Check(f"model {path.name}", False, str(error))
    try:
        if usable:
            route_models(settings)
    except SettingsInvalid as error:
        yield Check("routes", False, str(error))


def _peers(settings: Settings) -> Iterator[Check]:
    if not settings.peers:
        yield Check("peers", True, "none configured: only `measure`, `import` and `demo` have something to do")
        return
    try:
        yield from verify_peers(settings)
    except SettingsInvalid as error:
        yield Check("peers", False, str(error))
