"""A small site on disk for the tests of tasks and flows: phantoms as DICOM files, a spool, a ledger, a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_studies import mammogram_dataset, save
from phantoms import phantom

from reread.analytics.records import Laterality, View
from reread.connectors.admission import AdmissionPolicy
from reread.connectors.completeness import ClosingPolicy, ClosingRules
from reread.connectors.intake import Intake
from reread.connectors.ledger import Ledger
from reread.connectors.peers import Peer
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.results.authoring import ResultFormat
from reread.connectors.spool import Spool
from reread.deployments.settings import Settings
from reread.deployments.site_plan import plan_of
from reread.tasks.plans import NightPlan, Route

NIGHT_FORMATS = (ResultFormat.CAD_SR.value, ResultFormat.CAPTURE.value)
"""what the routes of `night_plan` write; enough to tell two objects apart, and quick"""
PATIENT_ID, PATIENT_NAME = "T-1", "Test^Anna"
"""what `mammogram_dataset` writes"""


def phantom_file(
    path: Path,
    number: int = 1,
    *,
    view: str = "CC",
    side: str = "L",
    study: str = "2.25.1001",
    patient: str = PATIENT_ID,
) -> Path:
    """One phantom mammogram of 400 x 320 pixels as a DICOM file; `number` makes its SOP Instance UID."""
    made = phantom(View(view), Laterality(side), rows=400, columns=320, spacing_mm=0.5, seed=number)
    ds = mammogram_dataset(side, view, np.round(made.mammogram.pixels * 4095).astype(np.uint16), number)
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{study}.{number}", study, f"{study}.900"
    ds.PatientID = patient
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(ds, path)


def phantom_study(folder: Path, study: str = "2.25.1001", count: int = 2) -> list[Path]:
    """The first views of a study: R CC, L CC, R MLO, L MLO."""
    views = [(side, view) for view in ("CC", "MLO") for side in ("R", "L")][:count]
    return [
        phantom_file(folder / f"{study}-{number}.dcm", number, view=view, side=side, study=study)
        for number, (side, view) in enumerate(views, 1)
    ]


def night_plan(data: Path, *peers: Peer, **changes: object) -> NightPlan:
    """A plan whose peers are sources and destinations of everything."""
    names = tuple(peer.name for peer in peers)
    plan = replace(
        plan_of(Settings(data=data)),
        sources=peers,
        destinations=peers,
        routes=tuple(Route(source, names, NIGHT_FORMATS) for source in (*names, "import")),
        days_back=36500,
        days_per_query=36500,
        move_timeout_s=20.0,
        closing=ClosingPolicy(ClosingRules(quiet_s=0.0)),
        workers=1,
        commitment_timeout_s=10.0,
    )
    return replace(plan, **changes)


def take_in(plan: NightPlan, ledger: Ledger, files: Sequence[Path], *, close: bool = True) -> None:
    """Import files into the spool of a plan; `close` says that their studies are complete."""
    key = Pseudonyms.load_or_create(plan.folders.pseudonym_key)
    intake = Intake(Spool(plan.folders.spool), ledger, key, AdmissionPolicy(min_free_bytes=1 << 20))
    studies = {intake.import_file(path).study_instance_uid for path in files}
    if close:
        for uid in studies - {""}:
            ledger.close_study(uid, "test")
