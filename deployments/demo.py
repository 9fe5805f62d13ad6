"""The demo: a PACS on loopback, real mammograms, one night, one report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from reread.connectors.archive_server import ArchiveServer
from reread.connectors.peers import Peer
from reread.connectors.sample_cases import file_sample_cases
from reread.deployments.night_runs import NightOutcome, run_night
from reread.deployments.orchestration import prefect_api
from reread.deployments.settings import ListenerGroup, PeerGroup, PollGroup, RouteGroup, Settings
from reread.deployments.site_plan import folders_of
from reread.deployments.site_services import listening, only_night, opened_site

ARCHIVE_AE_TITLE = "DEMOPACS"
_ARCHIVE = "demo-archive"
_ALL_YEARS_DAYS = 36500

QUERIES = (
    "SELECT laterality, view, round(percent_density, 1) AS percent_density, category FROM density_by_view "
    "ORDER BY woman, laterality, view",
    "SELECT kind, laterality, view, round(score, 2) AS score, operating_point, round(size_mm) AS size_mm "
    "FROM marks ORDER BY score DESC LIMIT 10",
)


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """What the demo did."""

    night: NightOutcome
    images_in_archive: int
    results_in_archive: int
    """result objects that the archive holds after the night"""
    seconds: float


def demo_settings(data: Path) -> Settings:
    """The settings of the demo site; ports are free ones."""
    return Settings(
        data=data,
        listener=ListenerGroup(port=0, quiet_s=0, processes=1),
        poll=PollGroup(days_back=_ALL_YEARS_DAYS, days_per_query=_ALL_YEARS_DAYS),
        peers=(PeerGroup(name=_ARCHIVE, ae_title=ARCHIVE_AE_TITLE, host="127.0.0.1", port=0),),
        routes=(RouteGroup(source=_ARCHIVE, destinations=(_ARCHIVE,)),),
    )


def run_demo(data: Path, say: Callable[[str], None]) -> DemoOutcome:
    """Run the demo in a folder of its own; a second run finds everything done.

    Parameters
    ----------
    data
        Where it keeps everything.
    say
        Gets one line for each step.
    """
    started = perf_counter()
    settings = demo_settings(data)
    folders = folders_of(settings)
    with only_night(settings), prefect_api(folders.prefect) as server:
        say("filing eight real mammograms (CBIS-DDSM, CC BY 3.0) into an archive on loopback")
        archive_folder = data / "archive"
        filed = file_sample_cases(archive_folder)
        with opened_site(settings) as services:
            services.ledger.recover()
            with listening(settings, services) as listener:
                if listener is None:
                    raise OSError("no free port for the listener")
                us = Peer("reread", settings.ae_title, "127.0.0.1", listener.port)
                with ArchiveServer(archive_folder, ARCHIVE_AE_TITLE, (us,)) as archive:
                    say(f"{ARCHIVE_AE_TITLE} answers on port {archive.port}, our listener on port {listener.port}")
                    there = replace_port(settings, archive.port)
                    say("one night: fetch, measure, write back, confirm (Prefect and Dask are starting)")
                    night = run_night(there, server)
                    results = len(archive.stored_instances())
    return DemoOutcome(night, len(filed), results, perf_counter() - started)


def replace_port(settings: Settings, port: int) -> Settings:
    """The same settings with the archive's port, known only now."""
    peers = tuple(peer.model_copy(update={"port": port}) for peer in settings.peers)
    return settings.model_copy(update={"peers": peers})
