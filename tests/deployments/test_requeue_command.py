"""`reread requeue` and what `reread status` says before and after."""

from __future__ import annotations

import os
import pwd

import pytest
from site_commands import reread

from reread.analytics.reasons import Reason
from reread.connectors.ledger import open_ledger
from reread.connectors.ledger_records import Instance
from reread.connectors.states import StudyState

NO_PREFECT = ""


def image(study: str) -> Instance:
    return Instance(
        sop_instance_uid=f"{study}.1",
        sop_class_uid="1.1",
        series_instance_uid=f"{study}.9",
        study_instance_uid=study,
        woman="w",
        study_date="20260102",
        modality="MG",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path="objects/a",
        size_bytes=1,
        dataset_digest="d",
        source="import",
    )


@pytest.fixture
def site(tmp_path):
    """A failed study, one with a delivery that was given up and a form that is tried again, one that is measured."""
    (tmp_path / "site.toml").write_text('data = "data"\n')
    with open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}") as ledger:
        for study in ("2.25.1", "2.25.2", "2.25.3"):
            ledger.add_instance(image(study))
            ledger.close_study(study, "test")
            ledger.start_studies([study], "run")
        ledger.fail_study("2.25.1", 1, Reason.WORKER_DIED, "twice")
        ledger.add_delivery(
            sop_instance_uid="2.25.2.50",
            sop_class_uid="1.9",
            study_instance_uid="2.25.2",
            revision=1,
            destination="pacs",
            path="r.dcm",
        )
        ledger.note_unwritten("2.25.2", 1, "cad", {"cine": "no [font]"})
        ledger.finish_study("2.25.2", 1, algorithm="cad", version="1", parameters_digest="p")
        (claimed,) = ledger.mark_sending(ledger.deliveries())
        ledger.mark_failed(
            claimed.sop_instance_uid, "pacs", "C-STORE answered 0xA700", retry_interval_s=0, retry_duration_s=0
        )
    return tmp_path


def states(site) -> dict[str, StudyState]:
    with open_ledger(f"sqlite:///{site / 'data' / 'ledger.sqlite'}") as ledger:
        return {study: ledger.study_work(study, 1).state for study in ("2.25.1", "2.25.2", "2.25.3")}


def test_status_names_what_went_wrong(site):
    said = reread(site, NO_PREFECT, "status")
    assert said.returncode == 0, said.stderr
    assert [line for line in said.stdout.splitlines() if " study 2.25" in line] == [
        "given up study 2.25.1, measure worker_died: twice",
        "tried again study 2.25.2, write cine: no [font]",
        "given up study 2.25.2, deliver to pacs: C-STORE answered 0xA700",
    ]
    assert "│ studies        │ partial     │ 1" in said.stdout


def test_a_dry_run_then_the_real_one_then_the_history(site):
    before = states(site)
    tried = reread(site, NO_PREFECT, "requeue", "--all", "--dry-run")
    assert (tried.returncode, tried.stdout.splitlines()) == (
        0,
        [
            "study 2.25.1, failed (worker_died: twice): measured again",
            "study 2.25.2, partial: 1 deliveries sent again",
            "2 studies would be put back: 1 to be measured, 1 deliveries to be sent",
        ],
    )
    assert states(site) == before
    done = reread(site, NO_PREFECT, "requeue", "--all")
    assert (done.returncode, done.stdout) == (
        0,
        "2 studies put back: 1 to be measured, 1 deliveries to be sent\n",
    )
    assert states(site) == {
        "2.25.1": StudyState.CLOSED,
        "2.25.2": StudyState.MEASURED,
        "2.25.3": StudyState.MEASURING,
    }
    told = reread(site, NO_PREFECT, "requeue", "--history")
    first, second = told.stdout.splitlines()
    who = pwd.getpwuid(os.getuid()).pw_name
    assert first.endswith(f" {who} requeue study 2.25.1, failed (worker_died: twice): measured again")
    assert second.endswith(f" {who} requeue study 2.25.2, partial: 1 deliveries sent again")
    assert reread(site, NO_PREFECT, "requeue", "--all").stdout == "0 studies put back\n"


def test_a_study_in_flight_is_refused_and_the_others_are_put_back(site):
    done = reread(site, NO_PREFECT, "requeue", "2.25.1", "2.25.3")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "refused study 2.25.3, measuring: being measured; what a crash left so is taken up by the next night",
        "1 studies put back: 1 to be measured; 1 refused",
    ]
    assert states(site)["2.25.3"] is StudyState.MEASURING


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what is to be put back"),
        (("--again",), "say what is to be put back"),
        (("--state", "lost"), "--state lost: one of failed, partial, measured, delivered"),
        (("--state", "delivered"), "with --again"),
        (("--since", "yesterday"), "--since yesterday: a day such as"),
        (("2.25.404",), "no study 2.25.404 in the ledger"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_changes_nothing(site, arguments, words):
    before = states(site)
    said = reread(site, NO_PREFECT, "requeue", *arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr and "Traceback" not in said.stderr
    assert states(site) == before


def test_without_a_ledger_there_is_nothing_to_put_back(tmp_path):
    said = reread(tmp_path, NO_PREFECT, "requeue", "--all")
    assert (said.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "no ledger" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--since", "2100-01-01"), 0),
        (("--until", "2100-01-01"), 2),
        (("--until", "2000-01-01"), 0),
        (("--state", "failed", "--state", "partial", "--source", "import"), 2),
        (("--source", "pacs"), 0),
        (("--destination", "pacs"), 1),
    ],
)
def test_conditions_of_the_command_line(site, arguments, expected):
    said = reread(site, NO_PREFECT, "requeue", *arguments, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[-1].startswith(f"{expected} studies would be put back")
