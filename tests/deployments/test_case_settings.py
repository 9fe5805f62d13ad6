"""What a site can say of the end of a case, and what `status` and `listen` do with it."""

from __future__ import annotations

import threading

import pytest
from made_dicom import study

from reread.analytics.errors import LedgerError, SettingsInvalid
from reread.connectors.completeness import ClosingRules
from reread.connectors.ledger_records import CohortKey
from reread.connectors.states import StudyState
from reread.deployments import site_services
from reread.deployments.cli import app
from reread.deployments.consoles import COHORT_COLUMNS, cohort_rows
from reread.deployments.settings import load_settings
from reread.deployments.site_plan import closing_policy_of, listener_settings_of, plan_of
from reread.deployments.site_services import close_until, opened_site

SITE = """
data = "{data}"
[listener]
quiet_s = 60
in_progress_hours = 2
case_timeout_s = 900
closing_interval_s = 0.01
extra_ae_titles = ["RR_MULTIPATIENT"]
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104
[[peers]]
name = "unit"
ae_title = "UNIT"
host = "127.0.0.1"
port = 104
quiet_s = 300
expected_views = ["RCC", "LCC", "RMLO", "LMLO"]
"""


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(data=tmp_path / "data"))
    return path


def test_rules_of_each_source(site):
    settings = load_settings(site)
    policy = closing_policy_of(settings)
    assert policy.of(["pacs"]) == policy.of(["import"]) == ClosingRules(60.0, 7200.0, case_timeout_s=900.0)
    views = frozenset({"RCC", "LCC", "RMLO", "LMLO"})
    assert policy.of(["unit"]) == ClosingRules(300.0, 7200.0, views, 900.0)
    assert plan_of(settings).closing == policy == listener_settings_of(settings).closing
    assert listener_settings_of(settings).also_called == ("RR_MULTIPATIENT",)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('expected_views = ["CC"]', "peers.0.expected_views.0"),
        ('expected_views = ["RCC", "R MLO"]', "peers.0.expected_views.1"),
        ("quiet_s = -1", "peers.0.quiet_s"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, line, field):
    path = tmp_path / "site.toml"
    path.write_text(f'[[peers]]\nname = "a"\nae_title = "A"\nhost = "h"\nport = 1\n{line}\n')
    with pytest.raises(SettingsInvalid, match=field):
        load_settings(path)


def test_the_listener_closes_what_is_complete_and_survives_a_failure(site, tmp_path, monkeypatch):
    settings = load_settings(site)
    settings = settings.model_copy(update={"listener": settings.listener.model_copy(update={"quiet_s": 0.0})})
    stop, calls = threading.Event(), []
    real = site_services.CaseCloser.close

    def close(self):
        calls.append(1)
        if len(calls) == 1:
            raise LedgerError("locked")
        stop.set()
        return real(self)

    monkeypatch.setattr(site_services.CaseCloser, "close", close)
    with opened_site(settings) as services:
        for path in study(tmp_path / "in", 1):
            services.intake.import_file(path)
        close_until(stop, settings, services)
        assert len(calls) == 2
        assert services.ledger.study_work("2.25.1", 1).state is StudyState.CLOSED


def test_status_shows_rules_and_cohorts(site, tmp_path, capsys):
    settings = load_settings(site)
    with opened_site(settings) as services:
        list(services.intake.import_files(study(tmp_path / "in", 2)))
        for number, path in enumerate(study(tmp_path / "in", 2, study="2.25.2")):
            part = services.spool.copy_in(path)
            cohort = CohortKey("UNIT", "RR_MULTIPATIENT")
            services.intake.receive(part, "unit", cohort=cohort, name=f"{number}.dcm")
        assert cohort_rows(services.ledger.cohorts()) == [(1, "UNIT", "RR_MULTIPATIENT", "open", 1, 2, "")]
    app(["status", "--settings", str(site)], exit_on_error=False, result_action="return_value")
    shown = capsys.readouterr().out
    assert "studies complete by" in shown and "import" in shown
    assert "RR_MULTIPATIENT" in shown and all(column in shown for column in COHORT_COLUMNS)
