"""What a night needs to know, as one file that a flow run can name.

The plan holds addresses and folders, possibly a database password, so the flow's parameter is the path of
this file (mode 0600), never its content: Prefect shows and stores parameters.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reread.analytics.errors import SettingsInvalid
from reread.connectors.completeness import ClosingPolicy
from reread.connectors.ledger_records import Measurement
from reread.connectors.mammograms import ReadLimits
from reread.connectors.onnx_models import OnnxModel, analysis_of
from reread.connectors.outbox import OutboxPolicy
from reread.connectors.peers import Peer
from reread.connectors.results.authoring import DEFAULT_FORMATS
from reread.connectors.results.recipients import Recipient


@dataclass(frozen=True, slots=True)
class Folders:
    """Where everything lies, under the site's data folder."""

    data: Path

    @property
    def spool(self) -> Path:
        """bytes as received"""
        return self.data / "spool"

    @property
    def warehouse(self) -> Path:
        """Parquet and the catalogue"""
        return self.data / "warehouse"

    @property
    def results(self) -> Path:
        """DICOM objects that we wrote"""
        return self.data / "results"

    @property
    def pictures(self) -> Path:
        """images with marks, for the report"""
        return self.data / "pictures"

    @property
    def report(self) -> Path:
        """the page that a person opens"""
        return self.data / "report.html"

    @property
    def pseudonym_key(self) -> Path:
        """key of the pseudonyms; losing it breaks the link between old and new studies of a woman"""
        return self.data / "pseudonym.key"

    @property
    def plan(self) -> Path:
        """the plan of the last night"""
        return self.data / "night-plan.json"

    @property
    def prefect(self) -> Path:
        """Prefect's own files"""
        return self.data / "prefect"


@dataclass(frozen=True, slots=True)
class Route:
    """Which results of studies from one source go where."""

    source: str
    destinations: tuple[str, ...]
    formats: tuple[str, ...]
    """names of forms of results"""
    models: tuple[OnnxModel | None, ...] = (None,)
    """what measures, each by itself; None: the built-in analysis"""
    special: tuple[Recipient, ...] = ()
    """destinations that want other forms, or other options of them"""

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Who gets what; without destinations the results stay here."""
        special = {recipient.name: recipient for recipient in self.special}
        return tuple(special.get(name, Recipient(name, self.formats)) for name in self.destinations or ("",))

    @property
    def measurements(self) -> frozenset[Measurement]:
        """What a study revision has when every analysis is done."""
        return frozenset(measurement_of(model) for model in self.models)


def measurement_of(model: OnnxModel | None) -> Measurement:
    """What a study revision has when this analysis is done."""
    analysis = analysis_of(model)
    return Measurement(analysis.name, analysis.version, analysis.parameters_digest)


@dataclass(frozen=True, slots=True)
class NightPlan:
    """One night: sources, routes, places, limits."""

    folders: Folders
    ledger_url: str
    ae_title: str
    sources: tuple[Peer, ...]
    destinations: tuple[Peer, ...]
    routes: tuple[Route, ...]
    days_back: int
    days_per_query: int
    modality: str
    move_timeout_s: float
    closing: ClosingPolicy
    """when a study is complete"""
    studies_per_shard: int
    workers: int
    """how many shards can run at a time; decides how small they are cut"""
    limits: ReadLimits
    outbox: OutboxPolicy
    commitment_association_s: float
    """the association that asks stays open so long for the answer"""
    commitment_timeout_s: float
    """the end of the night waits so long for answers on associations of their own"""
    language: str = "en"
    """of the texts in results"""

    def route_of(self, source: str) -> Route:
        """The route of a source; without one, results are written and stay here."""
        for route in self.routes:
            if route.source == source:
                return route
        return Route(source, (), tuple(map(str, DEFAULT_FORMATS)))

    def save(self) -> Path:
        """Write the plan file, readable by its owner only, and give its path."""
        path = self.folders.plan
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.unlink(missing_ok=True)  # one left by a crash would keep the rights that it has
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_PLAN.dump_json(self, indent=1))
        temporary.replace(path)
        return path


_PLAN = TypeAdapter(NightPlan)


def load_plan(path: Path) -> NightPlan:
    """Read a plan file (SettingsInvalid when it is missing or of another version)."""
    try:
        return _PLAN.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsInvalid(f"no usable plan at {path}; `reread night` writes one") from error
