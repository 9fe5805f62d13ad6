"""A folder that behaves like an archive: for studies on a disk, and for trying things without a PACS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.uid import generate_uid

from reread.analytics.errors import ArchiveUnreachable, InputError
from reread.connectors.archive import (
    CommitmentOutcome,
    FetchReport,
    FoundInstance,
    FoundStudy,
    StoreOutcome,
    StudyQuery,
)
from reread.connectors.catalogue import Catalogue
from reread.connectors.catalogue_feeds import FolderFeed
from reread.connectors.commitment import CommitmentResult, Reference
from reread.connectors.intake import Intake
from reread.connectors.part10 import read_part10
from reread.connectors.query_keys import Level, Root
from reread.connectors.query_matching import Query
from reread.connectors.spool import check_uid, sha256_of, sync_folder

_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000
_NO_SUCH_INSTANCE, _CLASS_CONFLICT = 0x0112, 0x0119


class FolderArchive:
    """An archive in a folder; "fetching" copies into the spool, "storing" copies into the folder.

    Parameters
    ----------
    folder
        DICOM files at any depth; read when first asked. What is stored goes to ``stored/`` in it.
    intake
        The way into our spool.
    name
        Our short name for it.
    """

    def __init__(self, folder: Path, intake: Intake, name: str = "folder") -> None:
        self._folder = folder
        self._intake = intake
        self._name = name
        self._feed = FolderFeed(folder)
        self._catalogue: Catalogue | None = None

    @property
    def name(self) -> str:
        """The name that was given."""
        return self._name

    def echo(self) -> None:
        """Come back if the folder is there."""
        if not self._folder.is_dir():
            raise ArchiveUnreachable(f"{self._name}: no such folder")

    def find_studies(self, query: StudyQuery) -> Iterator[FoundStudy]:
        """Studies that match."""
        first, last = (value.strftime("%Y%m%d") if value else "" for value in (query.first_date, query.last_date))
        begin, end = (value.strftime("%H%M%S") if value else "" for value in (query.first_time, query.last_time))
        keys = {
            "StudyInstanceUID": query.study_instance_uid,
            "ModalitiesInStudy": query.modality,
            "StudyDate": f"{first}-{last}" if first or last else "",
            "StudyTime": f"{begin}-{end}" if begin or end else "",
            "NumberOfStudyRelatedInstances": "",
        }
        for values, _ in self._index().find(Query(Root.STUDY, Level.STUDY, keys)):
            yield FoundStudy(
                values["StudyInstanceUID"],
                values["StudyDate"],
                tuple(values["ModalitiesInStudy"].split("\\")) if values["ModalitiesInStudy"] else (),
                int(values["NumberOfStudyRelatedInstances"]),
            )

    def find_instances(self, study_instance_uid: str) -> tuple[FoundInstance, ...]:
        """The objects of one study."""
        keys = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": "", "SOPInstanceUID": ""}
        return tuple(
            FoundInstance(values["SOPInstanceUID"], values["SeriesInstanceUID"])
            for values, _ in self._index().find(Query(Root.STUDY, Level.IMAGE, keys))
        )

    def fetch_study(self, study_instance_uid: str, missing: Sequence[FoundInstance] = ()) -> FetchReport:
        """Copy the study, or the missing objects of it, into the spool."""
        wanted = [item.sop_instance_uid for item in missing or self.find_instances(study_instance_uid)]
        completed = failed = 0
        for uid in wanted:
            held = self._index().object(uid)
            try:
                taken = held is not None and self._intake.import_file(held.path, self._name).admission.accepted
            except OSError:
                taken = False
            completed, failed = completed + taken, failed + (not taken)
        return FetchReport(study_instance_uid, completed, failed, 0, 0xB000 if failed else 0x0000)

    def store(self, paths: Sequence[Path]) -> tuple[StoreOutcome, ...]:
        """Copy files in; the first object of a UID stays."""
        return tuple(self._store(path) for path in paths)

    def commit(self, references: Sequence[Reference], transaction_uid: str | None = None) -> CommitmentOutcome:
        """Look whether the files are there and whole."""
        committed, failed = [], {}
        for reference in references:
            held = self._index().object(reference.sop_instance_uid)
            if held is None or not held.path.is_file():
                failed[reference.sop_instance_uid] = _NO_SUCH_INSTANCE
            elif held.sop_class_uid != reference.sop_class_uid:
                failed[reference.sop_instance_uid] = _CLASS_CONFLICT
            else:
                committed.append(reference)
        transaction = transaction_uid or generate_uid()
        return CommitmentOutcome(transaction, CommitmentResult(transaction, tuple(committed), failed))

    def _store(self, path: Path) -> StoreOutcome:
        try:
            facts = read_part10(path)
            uid = check_uid(facts.sop_instance_uid)
        except (InputError, OSError) as error:
            return StoreOutcome(path, "", "", _CANNOT_UNDERSTAND, f"not stored: {type(error).__name__}")
        try:
            if self._index().object(uid) is None:
                folder = self._folder / "stored"
                folder.mkdir(exist_ok=True)
                target = folder / f"{uid}.{sha256_of(path)[:16]}.dcm"
                part = target.with_suffix(".part")
                shutil.copyfile(path, part)
                part.replace(target)
                sync_folder(folder)
                self._feed.add(target)
                self._index()
        except OSError as error:
            return StoreOutcome(path, facts.sop_class_uid, uid, _OUT_OF_RESOURCES, type(error).__name__)
        return StoreOutcome(path, facts.sop_class_uid, uid, 0x0000)

    def _index(self) -> Catalogue:
        """The catalogue of the folder, as it is now; it holds patient data and so lies in the spool."""
        if self._catalogue is None:
            self.echo()
            files = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix != ".part")
            self._feed = FolderFeed(self._folder, tuple(files))
            file = self._intake.spool.root / f"catalogue-of-{self._name}.sqlite"
            for suffix in ("", "-wal", "-shm"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
            self._catalogue = Catalogue(file, [self._feed])
        self._catalogue.catch_up()
        return self._catalogue
