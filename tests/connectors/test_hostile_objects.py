"""Hostile objects, over the network and by import: a status or a stored instance, no crash, no path outside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broken_nights import ListenerProcess, MadeObject, audit, listener_process, made_object, still_answers
from hostile_objects import FITS, HOSTILE, many_items
from loopback import POLICY
from made_dicom import MAMMOGRAM
from raw_sender import IMPLICIT, VERIFICATION, RawSender, part10_pieces

from reread.analytics.errors import InputError
from reread.analytics.reasons import Reason
from reread.connectors.intake import Intake
from reread.connectors.ledger import open_ledger
from reread.connectors.mammograms import identify, patient_identity, read_header, read_mammogram
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool
from reread.connectors.store_statuses import STORE_STATUSES

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "interop"
STATUSES = set(STORE_STATUSES)
REFUSED_CONTEXT = -1
"""not even offered a status: class or transfer syntax were not accepted"""


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerProcess]:
    """One process for all: what one object breaks, the next one sees."""
    with listener_process(tmp_path_factory.mktemp("house"), timeout_s=20.0) as process:
        yield process
    everything = [path for path in process.folder.rglob("*") if path.is_file()]
    assert {path.relative_to(process.folder).parts[0] for path in everything} <= {
        "spool",
        "ledger.sqlite",
        "ledger.sqlite-wal",
        "ledger.sqlite-shm",
        "key",
        "listener.log",
    }
    assert "Traceback" not in process.log() and "Anna" not in process.log()


_numbers = iter(range(300_000, 400_000))
_stored = []


def store(listener: ListenerProcess, path: Path, folder: Path) -> int:
    """Send the file's data set as it is; the status. The service has to go on after it."""
    sop_class, uid, syntax, content = pieces(path)
    with RawSender(listener.port, ((VERIFICATION, IMPLICIT), (sop_class, syntax))) as sender:
        if sender.refused:
            return REFUSED_CONTEXT
        status = sender.store(sop_class, uid[:64].encode("ascii", "replace"), content, 3)
        assert sender.echo() == 0
        sender.release()
    assert not list((listener.folder / "spool" / "incoming").iterdir())
    _stored.append(still_answers(listener.port, folder / "out", next(_numbers)))
    digests = {hashlib.sha256(part10_pieces(one)[3]).hexdigest() for one in objects_in(listener.folder / "spool")}
    if status == 0:
        assert hashlib.sha256(content).hexdigest() in digests, "acknowledged, and not there as it was sent"
    assert {one.digest for one in _stored} <= digests
    return status


def pieces(path: Path) -> tuple[str, str, str, bytes]:
    """As `part10_pieces`; for a file without file meta information the UIDs that it has inside, if any."""
    try:
        sop_class, uid, syntax, content = part10_pieces(path)
    except ValueError:
        content, found = path.read_bytes(), identify(path)
        return found.sop_class_uid or FITS, found.sop_instance_uid or "1.2.3", IMPLICIT, content
    return sop_class or FITS, uid, syntax or IMPLICIT, content


def objects_in(spool: Path) -> list[Path]:
    return [path for path in (spool / "objects").rglob("*") if path.is_file()]


def outside(folder: Path) -> set[Path]:
    """All files but those in the spool and of the ledger."""
    return {
        path
        for path in folder.rglob("*")
        if path.is_file() and "spool" not in path.parts and not path.name.startswith("ledger.sqlite")
    }


@contextmanager
def opened_intake(root: Path) -> Iterator[Intake]:
    """The way in of `reread import`."""
    root.mkdir()
    with open_ledger(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
        yield Intake(Spool(root / "spool"), ledger, Pseudonyms.load_or_create(root / "key"), POLICY)


def measured(path: Path) -> Reason | None:
    """What the measuring side says: a reason, or None for a mammogram."""
    for read in (read_header, read_mammogram):
        try:
            read(path)
        except InputError as error:
            assert error.reason in Reason and "Anna" not in str(error)
            reason = error.reason
        else:
            reason = None
    identify(path)
    try:
        patient_identity(path)
    except InputError as error:
        assert error.reason in Reason
    return reason


@pytest.mark.parametrize("name", HOSTILE)
def test_over_the_network(listener, tmp_path, name):
    path = tmp_path / "hostile.dcm"
    path.write_bytes(HOSTILE[name]())
    assert store(listener, path, tmp_path) in {*STATUSES, *([REFUSED_CONTEXT] if "syntax" in name else [])}


@pytest.mark.parametrize("name", HOSTILE)
def test_by_import_and_measured(tmp_path, name):
    path = tmp_path / "media" / "hostile.dcm"
    path.parent.mkdir()
    path.write_bytes(HOSTILE[name]())
    with opened_intake(tmp_path / "house") as intake:
        before = outside(tmp_path)
        sane = made_object(tmp_path / "out", next(_numbers))
        files = [path, *(tmp_path / "out").iterdir()]
        receptions = [reception for _, reception in intake.import_files(files)]
        assert receptions[1].admission.accepted
        assert outside(tmp_path) - before == set((tmp_path / "out").iterdir())
        if receptions[0].admission.accepted:
            digests = {hashlib.sha256(one.read_bytes()).hexdigest() for one in objects_in(intake.spool.root)}
            assert hashlib.sha256(path.read_bytes()).hexdigest() in digests
        else:
            assert receptions[0].admission.status in STATUSES
            assert [intake.spool.holds(one.path) for one in intake.ledger.rejections()] == [True]
        if receptions[0].admission.accepted:
            audit(tmp_path / "house", [sane], [_as_sent(path)])
    measured(path)


def _as_sent(path: Path) -> MadeObject:
    return MadeObject("", part10_pieces(path)[3])


NAMED = {
    "nested 10,000 deep": {Reason.NOT_DICOM, Reason.UNDECODABLE},
    "Rows x Columns of 65535": {Reason.IMPOSSIBLE_SIZE},
    "private RLE": {Reason.IMPOSSIBLE_SIZE, Reason.UNDECODABLE, Reason.TRUNCATED},
    "private transfer syntax": {Reason.UNKNOWN_TRANSFER_SYNTAX},
    "JPEG 2000 of 16,384 components": {Reason.IMPOSSIBLE_SIZE},
    "JPEG of 200 components": {Reason.IMPOSSIBLE_SIZE},
    "JPEG 2000 of nothing": {Reason.UNDECODABLE},
    "JPEG 2000 of 38 bits": {Reason.UNDECODABLE},
    "deflate bomb of pixels": {Reason.IMPOSSIBLE_SIZE},
    "deflate bomb in the header": {Reason.IMPOSSIBLE_SIZE},
    "20,000 empty items": {None},
    "300,000 empty items": {Reason.IMPOSSIBLE_SIZE},
    "nested 2,000 deep with lengths": {None},
    "deflated, cut off": {Reason.TRUNCATED, Reason.NOT_DICOM},
    "pixels of 4 GB": {Reason.TRUNCATED},
    "UID that is empty": {Reason.NOT_DICOM},
}


@pytest.mark.parametrize("name", NAMED)
def test_the_measuring_side_names_it(tmp_path, name):
    path = tmp_path / "hostile.dcm"
    path.write_bytes(HOSTILE[name]())
    assert measured(path) in NAMED[name]


@pytest.mark.parametrize(
    "name", ["nested 2,000 deep with lengths", "20,000 empty items", "private RLE", "tags backwards"]
)
def test_what_the_door_need_not_understand_is_stored(listener, tmp_path, name):
    """The bytes are kept as they are; what cannot be measured is found out where it is measured."""
    path = tmp_path / "hostile.dcm"
    path.write_bytes(HOSTILE[name]())
    assert store(listener, path, tmp_path) == 0


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("deflate bomb of pixels", HOSTILE["deflate bomb of pixels"]),
        ("deflate bomb in the header", HOSTILE["deflate bomb in the header"]),
        ("three million empty items", lambda: many_items(3_000_000)),
    ],
)
def test_a_small_object_costs_the_door_little_memory(tmp_path, name, make):
    path = tmp_path / "hostile.dcm"
    path.write_bytes(make())
    with listener_process(tmp_path / "house", timeout_s=60.0) as process:
        still_answers(process.port, tmp_path / "out")
        before = process.peak_mib()
        _, uid, syntax, content = part10_pieces(path)
        with RawSender(process.port, ((VERIFICATION, IMPLICIT), (MAMMOGRAM, syntax)), timeout_s=60.0) as sender:
            assert sender.store(MAMMOGRAM, uid, content, 3) in STATUSES
        assert process.peak_mib() - before < 100, name
        still_answers(process.port, tmp_path / "out", 2)


FOLDERS = ("hostile", "collisions", "charsets", "syntaxes")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared interoperability files are not here")
@pytest.mark.parametrize("folder", FOLDERS)
def test_foreign_files_over_the_network(listener, tmp_path, folder):
    """Every class and syntax is taken; only what cannot be read or contradicts itself is refused."""
    paths = sorted(path for path in (SHARED / folder).iterdir() if path.is_file())
    statuses = {path.name: store(listener, path, tmp_path) for path in paths}
    assert set(statuses.values()) <= STATUSES
    if folder != "hostile":
        assert set(statuses.values()) == {0x0000}, statuses


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared interoperability files are not here")
@pytest.mark.parametrize("folder", FOLDERS)
def test_foreign_files_by_import_and_measured(tmp_path, folder):
    paths = sorted(path for path in (SHARED / folder).iterdir() if path.is_file())
    with opened_intake(tmp_path / "house") as intake:
        before = outside(tmp_path)
        receptions = [reception for _, reception in intake.import_files(paths)]
        assert outside(tmp_path) == before
        booked = sum(intake.ledger.counts().instances.values()) + intake.ledger.counts().duplicates
        assert booked + len(intake.ledger.rejections()) == len(paths)
        for path, reception in zip(paths, receptions, strict=True):
            assert reception.admission.status in STATUSES, path.name
            measured(path)
