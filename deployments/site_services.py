"""What a site's commands share: ledger, spool, pseudonyms, and a listener if nobody else is listening."""

from __future__ import annotations

import errno
import fcntl
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reread.analytics.errors import LedgerError, RereadError
from reread.connectors.closing import CaseCloser
from reread.connectors.intake import Intake
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.listener import Listener
from reread.connectors.listener_pool import ListenerPool, Premises
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool
from reread.connectors.warehouse import Warehouse
from reread.deployments.settings import Settings
from reread.deployments.site_plan import admission_policy_of, closing_policy_of, folders_of, listener_settings_of
from reread.deployments.workers import available_cores

LOG = logging.getLogger(__name__)

_LISTENER_LOCK = "listener.lock"
_MOST_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class SiteServices:
    """The opened stores of a site."""

    spool: Spool
    ledger: Ledger
    pseudonyms: Pseudonyms
    intake: Intake
    warehouse: Warehouse


@contextmanager
def opened_site(settings: Settings) -> Iterator[SiteServices]:
    """Open (and at first make) spool, ledger and pseudonym key."""
    folders = folders_of(settings)
    folders.data.mkdir(parents=True, exist_ok=True)
    for folder in (folders.spool, folders.results, folders.pictures):
        folder.mkdir(mode=0o700, exist_ok=True)  # these hold what identifies a patient
    with open_ledger(settings.resolved_ledger_url) as ledger:
        spool = Spool(folders.spool)
        pseudonyms = Pseudonyms.load_or_create(folders.pseudonym_key)
        intake = Intake(spool, ledger, pseudonyms, admission_policy_of(settings))
        yield SiteServices(spool, ledger, pseudonyms, intake, Warehouse(folders.warehouse))


def close_until(stop: threading.Event, settings: Settings, services: SiteServices) -> None:
    """Close what is complete, again and again, until `stop` is set; a failure is logged and tried again."""
    closer = CaseCloser(services.ledger, closing_policy_of(settings), services.spool.root)
    while not stop.wait(settings.listener.closing_interval_s):
        try:
            closer.close()
        except (LedgerError, OSError) as error:
            LOG.error("what is complete could not be closed: %s", error)


@contextmanager
def only_night(settings: Settings) -> Iterator[None]:
    """Let one night run at a time in a data folder; the lock goes with the process, however it ends.

    Raises
    ------
    RereadError
        Another night is running. It would lose its claims to our recovery.
    """
    with _held(settings, "night.lock") as ours:
        if not ours:
            raise RereadError(f"another night is running in {folders_of(settings).data}; wait for its end")
        yield


def is_listening(settings: Settings) -> bool:
    """Whether a process of this site is listening."""
    if not folders_of(settings).data.is_dir():
        return False
    with _held(settings, _LISTENER_LOCK) as ours:
        return not ours


@contextmanager
def _held(settings: Settings, name: str) -> Iterator[bool]:
    """A lock of the data folder, True if it is ours; it goes with the process, however that ends."""
    folder = folders_of(settings).data
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def listening(
    settings: Settings, services: SiteServices, prepare: Callable[[], None] | None = None
) -> Iterator[Listener | ListenerPool | None]:
    """A listener for the block; None when the port is taken, which means that `reread listen` already runs.

    It runs in as many processes as the settings say; `prepare` is called first in each.
    """
    listener: Listener | ListenerPool
    chosen = listener_settings_of(settings)
    processes = settings.listener.processes or min(available_cores(), _MOST_PROCESSES)
    if processes > 1:
        folders = folders_of(settings)
        premises = Premises(folders.spool, settings.resolved_ledger_url, folders.pseudonym_key)
        listener = ListenerPool(chosen, premises, processes, prepare)
    else:
        listener = Listener(chosen, services.spool, services.ledger, services.pseudonyms)
    try:
        listener.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        yield None
        return
    try:
        with _held(settings, _LISTENER_LOCK):
            yield listener
    finally:
        listener.stop()
