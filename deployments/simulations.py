"""`reread simulate`: an archive of made women, written as it is made, with its truth."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from reread.analytics.records import Laterality, View
from reread.analytics.simulation import Insides, SimulatedImage, simulate_image, simulate_phantom
from reread.analytics.simulation_beam import SimulationInvalid
from reread.analytics.simulation_tables import TRUTH_TABLES, Row, image_rows, woman_row
from reread.analytics.simulation_vendors import Vendor, vendor_of
from reread.analytics.simulation_women import LesionWish, Woman, draw_woman, parse_lesions, stream
from reread.connectors.simulated_beams import beam
from reread.connectors.simulated_objects import Intent, image_uid, patient_id, study_day, study_uid, write_object
from reread.connectors.simulated_phantoms import read_phantom

TRUTH_FOLDER = "truth"
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What to make."""

    out: Path
    women: int
    years: int
    seed: int
    vendors: tuple[str, ...]
    """keys; each woman has one, drawn at random, for all her years"""
    views: tuple[View, ...]
    wish: LesionWish | None
    """None: no lesions"""
    intents: tuple[Intent, ...]
    quick: bool
    phantoms: tuple[Path, ...] = ()
    """voxel phantoms (.mhd) to project instead of made breasts: each woman is one of them, one view a year"""

    def __post_init__(self) -> None:
        if self.women < 1 or self.years < 1:
            raise SimulationInvalid("at least one woman and one year")
        if not self.vendors or not self.views or not self.intents:
            raise SimulationInvalid("at least one vendor, one view and one kind of object")
        for key in self.vendors:
            vendor_of(key)


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """What was made."""

    women: int
    objects: int
    lesions: int
    truth: Path


def simulate_archive(
    plan: SimulationPlan, *, workers: int, progress: Callable[[int, int], None] | None = None
) -> SimulationOutcome:
    """Make an archive; memory does not grow with its size.

    Women are made in processes of their own and written in order, so that the tables are the same bytes whatever
    the number of workers.

    Parameters
    ----------
    progress
        Called with the number of women done and the number wanted.
    """
    beam("W", "Rh", 28)  # a missing extra is said at once, not by a worker
    plan.out.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(TRUTH_TABLES, 0)
    with TruthWriter(plan.out / TRUTH_FOLDER) as truth:
        for done, rows in enumerate(_in_order(plan, workers), 1):
            for table, found in rows.items():
                counts[table] += len(found)
                truth.add(table, found)
            if progress is not None:
                progress(done, plan.women)
    return SimulationOutcome(counts["women"], counts["images"], counts["lesions"], plan.out / TRUTH_FOLDER)


def _in_order(plan: SimulationPlan, workers: int) -> Iterator[dict[str, list[Row]]]:
    if workers <= 1:
        for number in range(plan.women):
            yield simulate_woman(plan, number)
        return
    numbers = iter(range(plan.women))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        # a few more than the workers are in flight, so that memory stays flat
        running: dict[int, Future[dict[str, list[Row]]]] = {
            number: pool.submit(simulate_woman, plan, number) for number in islice(numbers, 2 * workers)
        }
        for wanted in range(plan.women):
            while not running[wanted].done():
                wait(running.values(), return_when=FIRST_COMPLETED)
                if not running[wanted].done():
                    wait([running[wanted]])
            yield running.pop(wanted).result()
            for number in islice(numbers, 1):
                running[number] = pool.submit(simulate_woman, plan, number)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def simulate_woman(plan: SimulationPlan, number: int) -> dict[str, list[Row]]:
    """Make all objects of one woman, and the rows about them."""
    woman = draw_woman(plan.seed, number, years=plan.years, wish=plan.wish or LesionWish(0.0))
    vendor = _vendor_for(plan, number)
    patient = patient_id(woman)
    rows: dict[str, list[Row]] = {name: [] for name in TRUTH_TABLES}
    rows["women"].append(woman_row(woman, patient, plan.years))
    for image in _images(plan, woman, vendor):
        day = study_day(woman, image.year)
        folder = Path("dicom") / patient / str(day.year)
        (plan.out / folder).mkdir(parents=True, exist_ok=True)
        intents: Sequence[Intent] = ("film",) if vendor.is_film else plan.intents
        for intent in intents:
            file = folder / f"{image.laterality.value}{image.view.value}-{intent}.dcm"
            write_object(image, intent, plan.out / file)
            names = {
                "sop_instance_uid": image_uid(image, intent),
                "patient_id": patient,
                "study_instance_uid": study_uid(woman, image.year, vendor),
                "study_date": day.strftime("%Y%m%d"),
                "file": file.as_posix(),
                "intent": intent,
            }
            for table, found in image_rows(image, names).items():
                rows[table] += found
    return rows


def _images(plan: SimulationPlan, woman: Woman, vendor: Vendor) -> Iterator[SimulatedImage]:
    """One after the other, so that one is in memory at a time."""
    if plan.phantoms:
        phantom = read_phantom(plan.phantoms[woman.number % len(plan.phantoms)])
        for year in range(plan.years):
            yield simulate_phantom(phantom, woman, woman.lesions, year, vendor, beam)
        return
    insides = Insides.of(woman)
    for year in range(plan.years):
        for view in plan.views:
            for laterality in (Laterality.RIGHT, Laterality.LEFT):
                yield simulate_image(woman, insides, laterality, view, year, plan.years, vendor, beam)


def _vendor_for(plan: SimulationPlan, number: int) -> Vendor:
    choice = int(stream(plan.seed, number, 8).integers(len(plan.vendors)))
    vendor = vendor_of(plan.vendors[choice])
    return vendor.quick() if plan.quick else vendor


class TruthWriter:
    """Writes the truth tables as Parquet and CSV while the archive grows."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rows: dict[str, list[Row]] = {name: [] for name in TRUTH_TABLES}
        self._parquet = {
            name: pq.ParquetWriter(folder / f"{name}.parquet.part", schema) for name, schema in TRUTH_TABLES.items()
        }
        self._files = {
            name: (folder / f"{name}.csv.part").open("w", newline="", encoding="utf-8") for name in TRUTH_TABLES
        }
        self._csv = {name: csv.DictWriter(file, TRUTH_TABLES[name].names) for name, file in self._files.items()}

    def __enter__(self) -> TruthWriter:
        for writer in self._csv.values():
            writer.writeheader()
        return self

    def add(self, table: str, rows: Sequence[Row]) -> None:
        """Take rows of one table."""
        self._rows[table] += rows
        self._csv[table].writerows(
            {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
            for row in rows
        )
        if len(self._rows[table]) >= _ROWS_AT_ONCE:
            self._flush(table)

    def _flush(self, table: str) -> None:
        self._parquet[table].write_table(pa.Table.from_pylist(self._rows[table], schema=TRUTH_TABLES[table]))
        self._rows[table].clear()

    def __exit__(self, kind: object, *rest: object) -> None:
        for table in TRUTH_TABLES:
            if kind is None:
                self._flush(table)
            self._parquet[table].close()
            self._files[table].close()
            if kind is None:
                for suffix in ("parquet", "csv"):
                    part = self._folder / f"{table}.{suffix}.part"
                    part.replace(part.with_suffix(""))


def plan_of_words(
    out: Path,
    *,
    women: int,
    years: int,
    seed: int,
    vendors: str,
    views: str,
    lesions: str,
    lesion_share: float,
    objects: str,
    quick: bool,
    phantoms: tuple[Path, ...] = (),
) -> SimulationPlan:
    """The plan that a person wrote as words.

    Raises
    ------
    SimulationInvalid
        A word that is not known; the text says which are.
    """
    kinds = parse_lesions(lesions)
    known: dict[str, Intent] = {"processing": "processing", "presentation": "presentation"}
    intents = [word.strip().lower() for word in objects.split(",") if word.strip()]
    if unknown := [word for word in intents if word not in known]:
        raise SimulationInvalid(f"no objects {unknown[0]!r}; there are {', '.join(known)}")
    names = [word.strip().upper() for word in views.split(",") if word.strip()]
    if unknown := [word for word in names if word not in ("CC", "MLO")]:
        raise SimulationInvalid(f"view {unknown[0]!r} is not simulated; CC and MLO are")
    return SimulationPlan(
        out=out,
        women=women,
        years=years,
        seed=seed,
        vendors=tuple(word.strip().upper() for word in vendors.split(",") if word.strip()),
        views=tuple(View(name) for name in names),
        wish=LesionWish(lesion_share, kinds=kinds) if kinds and lesion_share > 0 else None,
        intents=tuple(known[word] for word in intents),
        quick=quick,
        phantoms=phantoms,
    )
