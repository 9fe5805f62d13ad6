"""Closing what is complete: evidence in the ledger, views in headers, late images, cohorts, old ledgers."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread

import pytest
from made_dicom import made, write
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from reread.connectors.closing import CaseCloser, view_of_file
from reread.connectors.completeness import ArchiveCount, ClosingPolicy, ClosingRules
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_announcements import Held, ProcedureStep
from reread.connectors.ledger_records import CohortKey, Instance, StudyRevision
from reread.connectors.states import InstanceState, StepStatus, StudyState

EVERY_LEDGER = True
QUIET = ClosingPolicy(ClosingRules(quiet_s=100.0, in_progress_s=3600.0))
KEY = CohortKey("SENDER", "X_MULTIPATIENT")


@pytest.fixture
def closer(ledger, clock):
    return CaseCloser(ledger, QUIET, clock=clock)


def image(number=1, study="1.2", woman="w1", source="pacs", path="", **more):
    uid = f"{study}.{number}"
    return Instance(
        sop_instance_uid=uid,
        sop_class_uid="1.1",
        series_instance_uid=f"{study}.900",
        study_instance_uid=study,
        woman=woman,
        study_date="20260102",
        modality="MG",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=path or f"objects/{uid}",
        size_bytes=1,
        dataset_digest=uid,
        source=source,
        **more,
    )


def arrive(ledger, *numbers, study="1.2", **more):
    for number in numbers:
        ledger.add_instance(image(number, study, **more))


def uids(*numbers, study="1.2"):
    return [f"{study}.{number}" for number in numbers]


def state(ledger, revision=1, study="1.2"):
    work = ledger.study_work(study, revision)
    return work.state, work.closed_by, work.evidence


def in_progress(uid="9.1", studies=("1.2",)):
    return ProcedureStep(uid, StepStatus.IN_PROGRESS, tuple(studies), "modality")


def complete(*numbers):
    return lambda step: replace(step, status=StepStatus.COMPLETED, instances=frozenset(uids(*numbers)))


def test_part_then_all(ledger, closer):
    """R1.73, R1.74: what was announced is remembered; the rest of it closes the study."""
    arrive(ledger, 1, 2)
    assert ledger.announce_study_content("8.1", "1.2", uids(1, 2, 3), "modality") == Held(3, 2, True)
    assert closer.close_study("1.2") == ()
    arrive(ledger, 3)
    assert closer.close() == (StudyRevision("1.2", 1),)
    assert state(ledger) == (StudyState.CLOSED, "notification", "end-of-case message: 3 of 3 instances are here")


def test_a_message_before_its_images(ledger, closer):
    assert ledger.announce_study_content("8.1", "1.2", uids(1), "modality") == Held(1, 0, False)
    arrive(ledger, 1)
    assert len(closer.close()) == 1 and state(ledger)[1] == "notification"


def test_a_late_image_is_not_closed_by_the_message_of_the_revision_before(ledger, closer, clock):
    arrive(ledger, 1, 2)
    ledger.announce_study_content("8.1", "1.2", uids(1, 2), "modality")
    closer.close()
    arrive(ledger, 3)
    assert closer.close() == ()
    clock.pass_s(100)
    assert closer.close() == (StudyRevision("1.2", 2),)
    assert state(ledger, 2) == (StudyState.CLOSED, "quiet", "quiet for 100 s")
    assert state(ledger, 1)[0] is StudyState.SUPERSEDED


def test_what_was_short_when_quiet_time_ended_it_closes_the_next_revision(ledger, closer, clock):
    arrive(ledger, 1, 2)
    ledger.announce_study_content("8.1", "1.2", uids(1, 2, 3, 4), "modality")
    clock.pass_s(100)
    closer.close()
    words = "quiet for 100 s; the end-of-case message: 2 of 4 instances are here"
    assert state(ledger) == (StudyState.CLOSED, "quiet", words)
    arrive(ledger, 3)
    assert closer.close() == ()
    arrive(ledger, 4)
    assert closer.close() == (StudyRevision("1.2", 2),)
    assert state(ledger, 2)[1] == "notification"


def test_a_second_message_takes_the_place_of_the_first(ledger, closer):
    arrive(ledger, 1, 2)
    ledger.announce_study_content("8.1", "1.2", uids(1, 2, 99), "modality")
    assert closer.close() == ()
    ledger.announce_study_content("8.2", "1.2", uids(1, 2), "modality")
    assert len(closer.close()) == 1


def test_a_message_on_a_closed_study_does_not_wait_for_its_late_image(ledger, closer, clock):
    arrive(ledger, 1)
    clock.pass_s(100)
    closer.close()
    ledger.announce_study_content("8.1", "1.2", uids(1), "modality")
    assert closer.close_study("1.2") == ()
    arrive(ledger, 2)
    assert closer.close() == ()


def test_a_step_in_progress_holds_then_closes(ledger, closer, clock):
    ledger.create_step(in_progress())
    arrive(ledger, 1, 2)
    clock.pass_s(3599)
    assert closer.close() == ()
    assert ledger.change_step("9.1", complete(1, 2, 3)).instances == set(uids(1, 2, 3))
    clock.pass_s(99)
    assert closer.close_study("1.2") == ()  # its images may follow: the completion is a sign of life
    arrive(ledger, 3)
    assert closer.close() == (StudyRevision("1.2", 1),)
    assert state(ledger)[1:] == ("procedure_step", "the completed procedure step: 3 of 3 instances are here")
    arrive(ledger, 4)
    assert closer.close() == ()


def test_a_forgotten_step_yields_to_quiet_time(ledger, closer, clock):
    ledger.create_step(in_progress())
    arrive(ledger, 1)
    clock.pass_s(3600)
    assert len(closer.close()) == 1
    assert state(ledger)[1:] == ("quiet", "quiet for 100 s; a procedure step is still in progress")


def test_a_discontinued_step_leaves_the_study_to_quiet_time(ledger, closer, clock):
    ledger.create_step(in_progress())
    arrive(ledger, 1)
    ledger.change_step("9.1", lambda step: replace(complete(1, 2)(step), status=StepStatus.DISCONTINUED))
    assert closer.close() == ()
    clock.pass_s(100)
    assert len(closer.close()) == 1
    assert state(ledger)[1:] == ("quiet", "quiet for 100 s; a procedure step was discontinued")


def test_one_step_of_two_studies_closes_both(ledger, closer):
    ledger.create_step(in_progress(studies=("1.2", "1.3")))
    arrive(ledger, 1)
    arrive(ledger, 1, study="1.3")
    both = frozenset({"1.2.1", "1.3.1"})
    ledger.change_step("9.1", lambda step: replace(step, status=StepStatus.COMPLETED, instances=both))
    assert closer.close() == (StudyRevision("1.2", 1), StudyRevision("1.3", 1))


def test_steps_outlive_the_process(ledger_url):
    url = ledger_url
    step = replace(in_progress(), started="20260102083000", series_count=1, instances=frozenset(uids(1, 2)))
    with open_ledger(url) as ledger:
        assert ledger.create_step(step) and not ledger.create_step(step)
    with open_ledger(url) as ledger:
        assert ledger.procedure_step("9.1") == step
        assert ledger.procedure_step("9.2") is None and ledger.change_step("9.2", lambda step: step) is None
        with pytest.raises(ZeroDivisionError):
            ledger.change_step("9.1", lambda step: replace(step, series_count=1 // 0))
        assert ledger.procedure_step("9.1") == step


def test_ignored_objects_count_as_here_and_open_nothing(ledger, closer):
    arrive(ledger, 1)
    arrive(ledger, 2, state=InstanceState.IGNORED)
    assert ledger.announce_study_content("8.1", "1.2", uids(1, 2), "modality").held == 2
    assert len(closer.close()) == 1


def test_counts_of_an_archive(ledger, closer, clock):
    """R3.238: a count that is not met is remembered, and said when quiet time ends the waiting."""
    arrive(ledger, 1, 2, 3)
    assert closer.archive_reported("1.2", ArchiveCount("pacs", 4, 3, fresh=True)) == ()
    clock.pass_s(100)
    assert len(closer.close()) == 1
    assert state(ledger)[1:] == ("quiet", "quiet for 100 s; pacs has 4, 3 arrived")
    arrive(ledger, 4)  # pushed: nobody asked the archive again
    assert len(closer.close()) == 1
    assert state(ledger, 2)[1:] == ("archive_count", "count of pacs: 4 of 4")
    closer.archive_reported("1.2", ArchiveCount("pacs", 4, 4, fresh=True))
    arrive(ledger, 5)
    assert closer.close() == ()


def test_each_source_has_its_quiet_time(ledger, clock):
    policy = ClosingPolicy(ClosingRules(100.0), {"slow": ClosingRules(500.0)})
    closer = CaseCloser(ledger, policy, clock=clock)
    arrive(ledger, 1)
    arrive(ledger, 1, study="1.3", source="slow")
    arrive(ledger, 1, study="1.4")
    arrive(ledger, 2, study="1.4", source="slow")
    clock.pass_s(100)
    assert closer.close() == (StudyRevision("1.2", 1),)
    clock.pass_s(400)
    assert closer.close() == (StudyRevision("1.3", 1), StudyRevision("1.4", 1))


def mammogram(number, side, view, **more):
    dataset = made(number, **more)
    dataset.ImageLaterality = side
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = view, "SRT", "view"
    dataset.ViewCodeSequence = Sequence([item])
    return dataset


def test_views_are_read_from_headers(tmp_path):
    magnified = mammogram(3, "R", "R-10242")
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "R-102D6", "SRT", "Magnification"
    magnified.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([item])
    named = made(4)
    named.ViewPosition, named.ImageLaterality = "MLO", "L"
    seen = [
        view_of_file(write(dataset, tmp_path / f"{number}.dcm"))
        for number, dataset in enumerate((mammogram(1, "R", "R-10242"), magnified, named, made(5)))
    ]
    (tmp_path / "no.dcm").write_bytes(b"no DICOM at all")
    assert [*seen, view_of_file(tmp_path / "no.dcm")] == ["RCC", "", "LMLO", "", ""]
    cut = (tmp_path / "0.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(cut[: len(cut) // 2])
    assert view_of_file(tmp_path / "cut.dcm") == "RCC"  # half of the pixels; the header is whole
    with pytest.raises(FileNotFoundError):
        view_of_file(tmp_path / "gone.dcm")


def test_expected_views_close_and_each_header_is_read_once(tmp_path, ledger, clock, monkeypatch):
    rules = ClosingRules(100.0, 3600.0, frozenset({"RCC", "LCC"}))
    closer = CaseCloser(ledger, ClosingPolicy(rules), tmp_path, clock)
    read = []
    monkeypatch.setattr(
        "reread.connectors.closing.view_of_file", lambda path: read.append(path.name) or view_of_file(path)
    )

    def take(number, side, view):
        write(mammogram(number, side, view), tmp_path / f"{number}.dcm")
        ledger.add_instance(image(number, path=f"{number}.dcm"))

    take(1, "R", "R-10242")
    take(2, "R", "R-10226")
    ledger.add_instance(image(9, path="lost.dcm"))
    assert closer.close() == () and closer.close() == ()
    take(3, "L", "R-10242")
    assert len(closer.close()) == 1
    assert state(ledger)[1:] == ("expected_views", "expected views: LCC RCC")
    assert [name for name in read if name != "lost.dcm"] == ["1.dcm", "2.dcm", "3.dcm"]
    take(4, "L", "R-10226")  # late: the views were complete before it
    assert closer.close() == ()
    clock.pass_s(100)
    assert len(closer.close()) == 1 and state(ledger, 2)[1] == "quiet"


def test_an_image_that_comes_between_judging_and_closing_keeps_the_study_open(ledger, closer, clock, monkeypatch):
    arrive(ledger, 1)
    clock.pass_s(100)
    judged = ledger.open_cases()
    clock.pass_s(1)
    arrive(ledger, 2)
    monkeypatch.setattr(ledger, "open_cases", lambda study="": judged)
    assert closer.close() == ()
    assert state(ledger)[0] is StudyState.OPEN


def test_several_closers_close_each_study_once(ledger_url, clock):
    url = ledger_url
    with open_ledger(url, clock) as ledger:
        for number in range(30):
            arrive(ledger, 1, study=f"1.{number + 2}")
        clock.pass_s(100)
        closed: list[StudyRevision] = []
        others = [open_ledger(url, clock) for _ in range(4)]
        threads = [
            Thread(target=lambda one=one: closed.extend(CaseCloser(one, QUIET, clock=clock).close())) for one in others
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in others:
            one.close()
        assert len(closed) == len(set(closed)) == 30


def test_a_cohort_collects_across_patients_and_closes_as_a_whole(ledger, closer, clock):
    """R4.37: everything from one calling AE title to that called title, until it is quiet."""
    for number, study in enumerate(("1.2", "1.3", "1.4")):
        ledger.add_instance(image(1, study, woman=f"w{number}"), KEY)
        clock.pass_s(60)
    ledger.add_instance(image(1, "1.5"), CohortKey("OTHER", KEY.called_ae_title))
    arrive(ledger, 1, study="1.6")
    # its first study is quiet for long, and its message is here; the cohort is not complete
    ledger.announce_study_content("8.1", "1.2", ["1.2.1"], "modality")
    clock.pass_s(39)
    assert closer.close() == ()
    assert [(c.number, c.studies, c.instances, c.is_open) for c in ledger.cohorts()] == [
        (1, 3, 3, True),
        (2, 1, 1, True),
    ]
    clock.pass_s(1)
    assert closer.close() == (StudyRevision("1.2", 1), StudyRevision("1.3", 1), StudyRevision("1.4", 1))
    assert state(ledger, study="1.3") == (StudyState.CLOSED, "cohort", "cohort 1: quiet for 100 s")
    assert {work.cohort for work in ledger.studies_to_measure()} == {1}
    clock.pass_s(60)
    assert set(closer.close()) == {StudyRevision("1.5", 1), StudyRevision("1.6", 1)}
    assert [(c.is_open, c.evidence) for c in ledger.cohorts()] == [(False, "quiet for 100 s")] * 2
    # what comes now is another cohort, and a late image is another revision in it
    ledger.add_instance(image(2, "1.2", woman="w0"), KEY)
    assert ledger.cohorts()[-1].number == 3
    clock.pass_s(100)
    assert closer.close() == (StudyRevision("1.2", 2),)
    assert ledger.study_work("1.2", 2).cohort == 3


def test_a_step_in_progress_holds_its_cohort(ledger, closer, clock):
    ledger.create_step(in_progress())
    ledger.add_instance(image(1), KEY)
    ledger.add_instance(image(1, "1.3"), KEY)
    clock.pass_s(100)
    assert closer.close() == ()
    clock.pass_s(3500)
    assert len(closer.close()) == 2


def test_only_the_keyword_makes_a_cohort():
    assert CohortKey.of("SENDER ", "A_MULTIPATIENT ") == CohortKey("SENDER", "A_MULTIPATIENT")
    assert CohortKey.of("MULTIPATIENT", "REREAD") is None


def test_what_an_import_held_is_complete_whatever_else_is_said(ledger, closer):
    ledger.create_step(in_progress())
    arrive(ledger, 1)
    assert len(closer.import_ended("1.2", "import of 1 files")) == 1
    assert state(ledger)[1:] == ("import", "import of 1 files")
