"""The catalogue: it knows what the ledger knows, in whatever script, and can be thrown away."""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import POLICY
from made_dicom import made, study, write
from pydicom.dataset import Dataset
from sqlalchemy import text

from reread.analytics.errors import CatalogueBehind
from reread.analytics.reasons import Reason
from reread.connectors import catalogue as catalogue_module
from reread.connectors.catalogue import Catalogue
from reread.connectors.catalogue_feeds import FolderFeed, ReceivedFeed, WrittenFeed
from reread.connectors.catalogue_header import codes_of, read_header
from reread.connectors.catalogue_search import find_statement
from reread.connectors.intake import Intake
from reread.connectors.ledger import Ledger, open_ledger
from reread.connectors.ledger_records import Outcome
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.query_keys import KEYS, LEVELS, Level, Matching, Root, is_answered
from reread.connectors.query_matching import Query
from reread.connectors.spool import Spool

CHARSETS = Path(__file__).parents[2].parent / "shared" / "data" / "interop" / "charsets"


class Site:
    """A spool, a ledger and a catalogue."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = Spool(root / "spool")
        self.ledger = open_ledger(f"sqlite:///{root / 'ledger.sqlite'}")
        self.intake = Intake(self.spool, self.ledger, Pseudonyms.load_or_create(root / "key"), POLICY)
        self.catalogue = self.open()

    def open(self) -> Catalogue:
        feeds = [ReceivedFeed(self.ledger, self.spool.root), WrittenFeed(self.ledger, self.root)]
        return Catalogue(self.spool.root / "catalogue.sqlite", feeds)

    def take(self, *paths: Path) -> list[Outcome | None]:
        return [reception.outcome for _, reception in self.intake.import_files(paths)]

    def found(self, level: Level = Level.STUDY, root: Root = Root.STUDY, **keys: str) -> list[dict[str, str]]:
        self.catalogue.catch_up()
        return [dict(values) for values, _ in self.catalogue.find(Query(root, level, keys))]


@pytest.fixture
def site(tmp_path):
    opened = Site(tmp_path)
    yield opened
    opened.catalogue.close()
    opened.ledger.close()


def test_it_catches_up_and_asks_no_file_twice(site, tmp_path, monkeypatch):
    site.take(*study(tmp_path / "a", 3), *study(tmp_path / "a", 2, study="2.25.2", patient="P2"))
    assert [row["StudyInstanceUID"] for row in site.found(StudyInstanceUID="")] == ["2.25.1", "2.25.2"]
    read = []
    monkeypatch.setattr(catalogue_module, "read_header", lambda path: read.append(path) or read_header(path))
    site.take(*study(tmp_path / "a", 1, study="2.25.3"))
    assert site.catalogue.catch_up() == 1 and len(read) == 1
    assert site.catalogue.catch_up() == 0 and len(read) == 1
    (row,) = site.found(
        StudyInstanceUID="2.25.1",
        NumberOfStudyRelatedInstances="",
        NumberOfStudyRelatedSeries="",
        ModalitiesInStudy="",
        SOPClassesInStudy="",
    )
    assert row["NumberOfStudyRelatedInstances"] == "3" and row["NumberOfStudyRelatedSeries"] == "1"
    assert row["ModalitiesInStudy"] == "MG" and row["SOPClassesInStudy"] == "1.2.840.10008.5.1.4.1.1.1.2"


def test_patients_are_grouped_and_counted(site, tmp_path):
    site.take(*study(tmp_path / "a", 2), *study(tmp_path / "b", 1, study="2.25.2"))
    site.take(*study(tmp_path / "c", 1, study="2.25.3", patient=""))
    counts = {f"NumberOfPatientRelated{what}": "" for what in ("Studies", "Series", "Instances")}
    (row,) = site.found(Level.PATIENT, Root.PATIENT, PatientID="", PatientName="", **counts)
    assert (row["PatientID"], row["PatientName"]) == ("P1", "Secret^P1")
    assert [row[name] for name in counts] == ["2", "2", "3"]
    # without a Patient ID nobody is asked for by it, but the study is there
    assert [row["StudyInstanceUID"] for row in site.found(StudyInstanceUID="2.25.3")] == ["2.25.3"]


def test_two_patients_under_one_study_are_never_combined(site, tmp_path):
    first, second = made(1), made(2, patient="P2")
    site.take(write(first, tmp_path / "1.dcm"), write(second, tmp_path / "2.dcm"))
    rows = site.found(StudyInstanceUID="2.25.1", PatientID="", NumberOfStudyRelatedInstances="")
    assert [(row["PatientID"], row["NumberOfStudyRelatedInstances"]) for row in rows] == [("P1", "1"), ("P2", "1")]
    patient_root = Query(Root.PATIENT, Level.STUDY, {"PatientID": "P2", "StudyInstanceUID": "2.25.1"})
    assert [held.sop_instance_uid for held in site.catalogue.objects(patient_root)] == ["2.25.1.2"]


def test_later_objects_fill_what_the_first_left_empty(site, tmp_path):
    second = made(2)
    second.StudyDescription, second.ReferringPhysicianName = "Screening", "Doctor^Who"
    site.take(write(made(1), tmp_path / "1.dcm"), write(second, tmp_path / "2.dcm"))
    (row,) = site.found(StudyDescription="", ReferringPhysicianName="", StudyInstanceUID="")
    assert (row["StudyDescription"], row["ReferringPhysicianName"]) == ("Screening", "Doctor^Who")


def test_what_cannot_be_used_is_not_served(site, tmp_path):
    good, other = made(1), made(1, value=9)
    assert site.take(write(good, tmp_path / "1.dcm"), write(other, tmp_path / "2.dcm")) == [
        Outcome.NEW,
        Outcome.CONFLICT,
    ]
    site.take(write(made(2), tmp_path / "3.dcm"))
    site.catalogue.catch_up()
    held = site.catalogue.object("2.25.1.1")
    assert held is not None and bytes([7]) * 100 in held.path.read_bytes(), "the first one under a UID"
    site.ledger.reject_instance("2.25.1.1", Reason.UNDECODABLE, "")
    assert [row["SOPInstanceUID"] for row in site.found(Level.IMAGE, SOPInstanceUID="")] == ["2.25.1.2"]
    # a better copy of a rejected object is served
    site.take(write(made(1, value=11), tmp_path / "4.dcm"))
    assert len(site.found(Level.IMAGE, SOPInstanceUID="")) == 1, "still a conflict with the other copy"
    site.ledger.reject_instance("2.25.1.2", Reason.UNDECODABLE, "")
    assert not site.found(StudyInstanceUID=""), "a study without objects is gone"
    site.take(write(made(2, value=12), tmp_path / "5.dcm"))
    assert [row["SOPInstanceUID"] for row in site.found(Level.IMAGE, SOPInstanceUID="")] == ["2.25.1.2"]


def test_our_own_results_are_found(site, tmp_path):
    site.take(*study(tmp_path / "a", 1))
    result = made(77, manufacturer="Reread", sop_class="1.2.840.10008.5.1.4.1.1.7", modality="OT", series="2.25.1.901")
    write(result, tmp_path / "results" / "r.dcm")
    for _ in range(2):
        site.ledger.add_result("2.25.1.77", "results/r.dcm")
    (row,) = site.found(StudyInstanceUID="", ModalitiesInStudy="", NumberOfStudyRelatedInstances="")
    assert set(row["ModalitiesInStudy"].split("\\")) == {"MG", "OT"} and row["NumberOfStudyRelatedInstances"] == "2"
    held = site.catalogue.object("2.25.1.77")
    assert held is not None and held.path == tmp_path / "results" / "r.dcm"


def test_an_unreadable_header_is_skipped(site, tmp_path, caplog):
    site.take(*study(tmp_path / "a", 3))
    site.spool.resolve(site.ledger.instances_after(0, 9)[0][1].path).write_bytes(
        bytes(128) + b"DICM" + b"\x08\0garbage"
    )
    assert len(site.found(Level.IMAGE, SOPInstanceUID="")) == 2
    assert "received object 2 has no readable header" in caplog.text and "Secret" not in caplog.text
    assert site.catalogue.catch_up() == 0


def test_a_file_that_came_again_is_found_at_its_new_place(site, tmp_path):
    (path,) = study(tmp_path / "a", 1)
    site.take(path)
    site.catalogue.catch_up()
    before = site.catalogue.object("2.25.1.1")
    assert before is not None
    before.path.unlink()
    moved = site.spool.root / "objects" / "elsewhere.dcm"
    moved.write_bytes(path.read_bytes())
    (holding,) = site.ledger.instances_after(0, 9)[0]
    digest = _dataset_digest(site.root / "ledger.sqlite")
    site.ledger.move_instance_file("2.25.1.1", digest, "objects/elsewhere.dcm")
    after = site.catalogue.object("2.25.1.1")
    assert after is not None and after.path == moved and holding.number == 1


def _dataset_digest(ledger: Path) -> str:
    with sqlite3.connect(ledger) as connection:
        found = connection.execute("SELECT dataset_digest FROM instances").fetchone()[0]
    connection.close()
    return str(found)


def test_it_is_private_and_derived(site, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    site.take(*study(tmp_path / "a", 2))
    assert len(site.found(StudyInstanceUID="")) == 1
    file = site.spool.root / "catalogue.sqlite"
    for path in file.parent.glob("catalogue.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    site.catalogue.close()
    for ruin in (lambda: file.unlink(), lambda: file.write_bytes(b"no database at all" * 100)):
        ruin()
        site.catalogue = site.open()
        assert len(site.found(StudyInstanceUID="", PatientName="secret*")) == 1
        site.catalogue.close()
    with sqlite3.connect(file) as connection:  # another version of the tables
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    site.catalogue = site.open()
    assert len(site.found(StudyInstanceUID="")) == 1
    assert "Secret" not in caplog.text


def test_damage_that_shows_later_is_repaired(site, tmp_path):
    site.take(*study(tmp_path / "a", 2))
    site.found(StudyInstanceUID="")
    site.catalogue.close()
    file = site.spool.root / "catalogue.sqlite"
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(CatalogueBehind, match="made anew"):
        site.found(StudyInstanceUID="")
    assert len(site.found(StudyInstanceUID="")) == 1


def test_another_ledger_makes_another_catalogue(site, tmp_path):
    site.take(*study(tmp_path / "a", 3))
    site.found(StudyInstanceUID="")
    site.catalogue.close()
    site.ledger.close()
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    site.ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    site.intake = Intake(site.spool, site.ledger, Pseudonyms.load_or_create(tmp_path / "key"), POLICY)
    site.catalogue = site.open()
    site.take(*study(tmp_path / "b", 1, study="2.25.9"))
    assert [row["StudyInstanceUID"] for row in site.found(StudyInstanceUID="")] == ["2.25.9"]


def test_who_is_behind_says_so(site, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue_module, "_BATCH", 2)
    site.take(*study(tmp_path / "a", 5))
    with pytest.raises(CatalogueBehind):
        site.catalogue.catch_up(-1.0)
    assert site.catalogue.catch_up() == 5


def _catch_up(root: str) -> int:
    other = Site(Path(root))
    catalogue_module._BATCH = 3
    try:
        return other.catalogue.catch_up()
    finally:
        other.catalogue.close()
        other.ledger.close()


@pytest.mark.slow
def test_several_processes_catch_up_at_once(site, tmp_path):
    site.take(*(path for n in range(8) for path in study(tmp_path / "a", 5, study=f"2.25.{n + 1}")))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        added = pool.map(_catch_up, [str(tmp_path)] * 6)
    assert sum(added) == 40, "each object was read once"
    assert len(site.found(Level.IMAGE, SOPInstanceUID="")) == 40


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ({"StudyInstanceUID": "2.25.1"}, "sqlite_autoindex_studies"),
        ({"StudyInstanceUID": "2.25.1\\2.25.2"}, "sqlite_autoindex_studies"),
        ({"PatientID": "p1"}, "studies_by_patient_id"),
        ({"PatientID": "p*"}, "studies_by_patient_id"),
        ({"AccessionNumber": "A1"}, "studies_by_accession_number"),
        ({"StudyDate": "20260101-20260131"}, "studies_by_date"),
        ({"StudyDate": "20260101", "PatientName": "doe*"}, "studies_by_date"),
    ],
)
def test_no_scan_for_what_has_an_index(site, keys, index):
    statement = find_statement(Query(Root.STUDY, Level.STUDY, keys)).compile(compile_kwargs={"literal_binds": True})
    with site.catalogue._read() as connection:
        plan = "\n".join(str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")))
    assert f"INDEX {index}" in plan and "SEARCH studies" in plan and "SCAN studies" not in plan


@pytest.mark.parametrize(("level", "keyword"), [(Level.SERIES, "SeriesInstanceUID"), (Level.IMAGE, "SOPInstanceUID")])
def test_no_scan_below_studies(site, level, keyword):
    keys = {"StudyInstanceUID": "2.25.1", keyword: "2.25.3", "PatientName": ""}
    statement = find_statement(Query(Root.STUDY, level, keys)).compile(compile_kwargs={"literal_binds": True})
    with site.catalogue._read() as connection:
        plan = "\n".join(str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")))
    assert "SEARCH" in plan and "SCAN" not in plan


# --- the selection by SQL loses nothing -------------------------------------------------------------------------

WORDS = ["P1", "p 2", "Ä3", "A*", "", "Müller^Anna=山田^花子", "MULLER^ANNA^^", "O'Neil^Ñ", "x_%y"]
PATTERNS = [
    "*",
    "P*",
    "p?",
    "?*1",
    "muller*",
    "*anna*",
    "山田*",
    "Müller^A*",
    "x_%*",
    "*%*",
    "o'neil^*",
    "Z",
    "=山田*",
    "",
]
DAYS = ["20260105", "20251231", "20260106", "", "2026", "2026.01.05"]
RANGES = ["20260105", "20260101-20260105", "-20260105", "20260106-", "", "*"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    for number in range(60):
        dataset = made(number, study=f"2.25.{number // 3 + 1}", patient=WORDS[number // 3 % 7])
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName = WORDS[number // 3 % len(WORDS)]
        dataset.AccessionNumber = WORDS[(number // 3 + 4) % 4]
        dataset["StudyDate"]._value = DAYS[number // 3 % len(DAYS)]
        dataset.SeriesInstanceUID, dataset.SeriesNumber = f"2.25.900.{number // 2}", number // 2
        write(dataset, folder / f"{number}.dcm")
    made_catalogue = Catalogue(folder / "c.sqlite", [FolderFeed(folder, sorted(folder.glob("*.dcm")))])
    assert made_catalogue.catch_up() == 60
    yield made_catalogue
    made_catalogue.close()


@st.composite
def queries(draw):
    level = draw(st.sampled_from(LEVELS))
    choices = {
        Matching.DATE: st.sampled_from(RANGES),
        Matching.UID: st.sampled_from(["", "2.25.1", "2.25.3\\2.25.5", "2.25.900.4", "2.25.2.4", "9.9"]),
        Matching.NUMBER: st.sampled_from(["", "3", "1*"]),
    }
    wanted = draw(
        st.lists(
            st.sampled_from(
                [
                    "PatientID",
                    "PatientName",
                    "AccessionNumber",
                    "StudyDate",
                    "StudyInstanceUID",
                    "SeriesInstanceUID",
                    "SeriesNumber",
                    "SOPInstanceUID",
                    "NumberOfStudyRelatedInstances",
                    "InstanceNumber",
                    "Modality",
                ]
            ),
            unique=True,
        )
    )
    keys = {
        word: draw(choices.get(KEYS[word].matching, st.sampled_from(PATTERNS)))
        for word in wanted
        if is_answered(KEYS[word], level)
    }
    return Query(Root.PATIENT, level, keys)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(query=queries())
def test_sql_selects_every_match(shelf, query):
    unique = {Level.PATIENT: "PatientID", Level.STUDY: "StudyInstanceUID"}.get(
        query.level, "SeriesInstanceUID" if query.level is Level.SERIES else "SOPInstanceUID"
    )
    everything = Query(query.root, query.level, dict.fromkeys({*query.keys, unique}, ""))
    asked = Query(query.root, query.level, {unique: "", **query.keys})
    found = [values[unique] for values, _ in shelf.find(asked)]
    by_hand = [values[unique] for values, _ in shelf.find(everything) if asked.is_answered_by(values)]
    if query.level is not Level.PATIENT:
        assert sorted(found) == sorted(by_hand)
    else:  # by hand only the first study of each patient is looked at
        assert set(by_hand) <= set(found)


# --- text -------------------------------------------------------------------------------------------------------


def _with_name(path: Path, terms: str, name: bytes) -> Path:
    """A file whose name is these bytes."""
    dataset = made(1)
    dataset.SpecificCharacterSet = terms.replace("999", "100").split("\\") if terms else None
    dataset.PatientName = "@" * len(name)
    write(dataset, path)
    content = path.read_bytes().replace(b"@" * len(name), name)
    path.write_bytes(content.replace(b"ISO_IR 100", terms.encode()) if "999" in terms else content)
    return path


@pytest.mark.parametrize(
    ("terms", "name", "expected"),
    [
        ("ISO_IR 192", "Müller^Ägidius", "Müller^Ägidius"),
        ("ISO_IR 100", "Buc^Jérôme".encode("latin-1"), "Buc^Jérôme"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        ("GB18030", "Zhang^XiaoDong=张^小东".encode("gb18030"), "Zhang^XiaoDong=张^小东"),
        ("GBK", "誠^\u4e55".encode("gbk"), "誠^\u4e55"),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        # PS3.5 H.3.1; 0x3D inside the double-byte run is no delimiter
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        ("\\ISO 2022 IR 87", b"Haru=\x1b$B=U\x1b(B ", "Haru=春"),
        ("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"A=\x1b$(D0!\x1b(B ", "A=丂"),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        ("ISO_IR 999", "Æ".encode("latin-1"), "Æ"),
        ("", "Æ".encode("latin-1"), "Æ"),
        ("", "山", "山"),
    ],
)
def test_names_of_all_scripts(tmp_path, terms, name, expected):
    raw = name.encode() if isinstance(name, str) else name
    header = read_header(_with_name(tmp_path / "a.dcm", terms, raw + b" " * (len(raw) % 2)))
    assert header is not None and header.values["PatientName"] == expected


@pytest.mark.skipif(not CHARSETS.is_dir(), reason="shared/data/interop/charsets is not there")
def test_files_of_other_people(tmp_path):
    files = sorted(CHARSETS.glob("*.dcm"))
    catalogue = Catalogue(tmp_path / "c.sqlite", [FolderFeed(CHARSETS, files)])
    names = {file.stem: header.values["PatientName"] for file in files if (header := read_header(file))}
    assert names["Lena-greek"] == "ΛΕΝΑ" or any("Ͱ" <= letter <= "Ͽ" for letter in names["Lena-greek"])
    assert len(names) == len(files) and "\ufffd" not in "".join(names.values())
    catalogue.catch_up()
    for name in names.values():
        found = catalogue.find(Query(Root.STUDY, Level.STUDY, {"PatientName": name.swapcase()}))
        assert name in [values["PatientName"] for values, _ in found]
    catalogue.close()


def test_codes(tmp_path):
    dataset = made(1)
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "MAM", "99X", "Mammography"
    dataset.ProcedureCodeSequence = [item]
    header = read_header(write(dataset, tmp_path / "a.dcm"))
    assert header is not None
    assert codes_of(header.values["ProcedureCodeSequence"])[0]["CodeMeaning"] == "Mammography" and codes_of("") == []


def test_a_codec_of_python_is_no_way_in(site, tmp_path):
    path = _with_name(tmp_path / "a.dcm", "ISO_IR 999", b"\xe9\\ud800")
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 999", b"raw_unicode_escape"[:10]))
    content = path.read_bytes().replace(b"CS\x0a\0raw_unicod", b"CS\x12\0raw_unicode_escape")
    path.write_bytes(content)
    site.take(path, write(made(2), tmp_path / "b.dcm"))
    assert len(site.found(Level.IMAGE, SOPInstanceUID="", PatientName="")) == 2


def test_the_ledger_has_no_patient(site, tmp_path):
    site.take(*study(tmp_path / "a", 1))
    site.found(PatientName="")
    assert isinstance(site.ledger, Ledger)
    for path in tmp_path.glob("ledger.sqlite*"):
        assert b"Secret" not in path.read_bytes()
