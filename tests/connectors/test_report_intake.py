"""Reading the reports of others costs what is new, and a crash at any point neither loses nor doubles one."""

from __future__ import annotations

import shutil

import pytest
from foreign_reports import cad_tree, document
from made_nights import phantom_file
from sqlalchemy import event

from reread.connectors import report_intake
from reread.connectors.ledger import Ledger
from reread.connectors.ledger_holdings import Mark
from reread.connectors.report_intake import ReportCounts, record_reports
from reread.connectors.warehouse import Warehouse
from reread.deployments.settings import Settings
from reread.deployments.site_services import opened_site


class Site:
    """A spool, a ledger, a warehouse, and what a night looks at."""

    def __init__(self, services, folder, monkeypatch) -> None:
        self.services, self.folder = services, folder
        self.opened: list[str] = []
        self.asked: list[str] = []
        self.rows = 0
        read, query, held = report_intake.read_report, Warehouse.query, Ledger.held_of_classes

        def reads(path):
            self.opened.append(path.name)
            return read(path)

        def queries(store, sql):
            self.asked.append(sql)
            return query(store, sql)

        def holds(ledger, classes, after=0):
            found = held(ledger, classes, after)
            self.rows += len(found)
            return found

        monkeypatch.setattr(report_intake, "read_report", reads)
        monkeypatch.setattr(Warehouse, "query", queries)
        monkeypatch.setattr(Ledger, "held_of_classes", holds)

    def arrive(self, *numbers: int) -> None:
        for number in numbers:
            path = document(cad_tree((8.0, 6.0), (4.0, 5.0)), self.folder / f"{number}.dcm", uid=f"2.25.9{number:03}")
            self.services.intake.import_file(path)

    def night(self) -> ReportCounts:
        """What it read; what it looked at is in `opened`, `asked` and `rows`."""
        self.opened, self.asked, self.rows = [], [], 0
        services = self.services
        return record_reports(services.ledger, services.spool.root, services.warehouse, "night")

    def documents(self) -> list[str]:
        rows = self.services.warehouse.query("SELECT report_uid FROM reported_documents ORDER BY 1").rows
        return [row[0] for row in rows]


@pytest.fixture
def site(tmp_path, monkeypatch):
    with opened_site(Settings(data=tmp_path / "data")) as services:
        yield Site(services, tmp_path / "in", monkeypatch)


def uids(*numbers):
    return [f"2.25.9{number:03}" for number in numbers]


def test_a_night_looks_at_what_came_since_the_last_one(site):
    site.arrive(1, 2, 3)
    assert site.night().read == 3
    assert (len(site.opened), site.rows) == (3, 3)
    assert site.night() == ReportCounts()
    assert (site.opened, site.asked, site.rows) == ([], [], 0)  # not even the ledger's list, nor the tables
    site.arrive(4)
    assert site.night().read == 1
    assert (len(site.opened), site.rows, len(site.asked)) == (1, 1, 1)
    assert "2.25.9004" in site.asked[0] and "2.25.9001" not in site.asked[0]
    assert site.documents() == uids(1, 2, 3, 4)


def test_images_that_came_are_passed_by_once(site, tmp_path):
    site.arrive(1)
    site.night()
    site.services.intake.import_file(phantom_file(tmp_path / "image.dcm"))
    assert site.night() == ReportCounts()
    assert (site.opened, site.asked, site.rows) == ([], [], 0)
    assert site.services.ledger.mark("reports").number == site.services.ledger.last_instance()


def test_the_ledger_is_searched_from_the_mark(site):
    statements = []
    with site.services.ledger._read() as connection:
        event.listen(connection.engine, "before_cursor_execute", lambda *given: statements.append(given[2:4]))
        engine = connection.engine
    site.services.ledger.held_of_classes(report_intake.REPORT_CLASSES, 5)
    sql, values = next(given for given in statements if given[0].startswith("SELECT instances"))
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
    assert plan[0][-1] == "SEARCH instances USING INTEGER PRIMARY KEY (rowid>?)"


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [(Warehouse, "record_reports"), (Ledger, "set_mark")], ids=["rows", "mark"])
@pytest.mark.parametrize("group", [1, 2])
def test_a_crash_at_any_step_loses_and_doubles_nothing(site, monkeypatch, step, when, group):
    monkeypatch.setattr(report_intake, "_AT_A_TIME", 2)
    site.arrive(1, 2, 3)
    where, name = step
    real, calls = getattr(where, name), []

    def dies(*arguments, **named):
        calls.append(name)
        if len(calls) < group:
            return real(*arguments, **named)
        if when == "after":
            real(*arguments, **named)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(where, name, dies)
        with pytest.raises(Crash):
            site.night()
    site.arrive(4, 0)  # the rest is in other groups than it would have been
    site.night()
    assert site.documents() == uids(0, 1, 2, 3, 4)
    assert site.night() == ReportCounts()


def test_tables_that_were_lost_are_made_again(site):
    site.arrive(1, 2)
    site.night()
    shutil.rmtree(site.services.warehouse.root)
    assert site.night().read == 2
    assert site.documents() == uids(1, 2)


def test_an_older_ledger_doubles_nothing(site):
    site.arrive(1)
    site.night()
    mark = site.services.ledger.mark("reports")
    site.arrive(2)
    site.night()
    site.services.ledger.set_mark("reports", mark)  # as a backup has it
    assert site.night() == ReportCounts()
    assert (len(site.opened), site.documents()) == (0, uids(1, 2))


def test_a_new_reader_reads_all_again(site, monkeypatch):
    site.arrive(1, 2)
    site.night()
    monkeypatch.setattr(report_intake, "READER", "next")
    site.night()
    assert len(site.opened) == 2
    assert site.services.ledger.mark("reports").note.startswith("next\n")
    assert site.services.ledger.mark("nobody") == Mark()
