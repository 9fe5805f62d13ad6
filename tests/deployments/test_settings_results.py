"""What a site can say of its results: forms, options for each destination, language; and how it gets into a plan."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
from printed_statement import Printed

from reread.analytics.errors import SettingsInvalid
from reread.connectors.reports.report_options import CadReportOptions, CodeProfile, Impressions
from reread.connectors.results import authoring
from reread.connectors.results.authoring import ResultFormat, known_forms
from reread.connectors.results.page_language import languages
from reread.connectors.results.recipients import Recipient
from reread.deployments.settings import Settings, load_settings
from reread.deployments.settings_results import DEFAULT_FORMATS, ReportGroup, ResultFormatWord, formats_of, options_of
from reread.deployments.settings_text import resolved_text
from reread.deployments.site_plan import plan_of
from reread.deployments.statements import conformance_text

SITE = """
language = "de-CH"
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "h"
port = 104
[[peers]]
name = "old"
ae_title = "OLD"
host = "h"
port = 105
roles = ["destination"]
formats = ["mammography-cad-sr"]
[peers.report]
codes = "legacy"
certainty = true
impressions = "per-detection"
[[routes]]
source = "pacs"
destinations = ["pacs", "old"]
formats = ["mammography-cad-sr", "presentation-state", "overlay"]
"""


@pytest.fixture
def load(tmp_path):
    def from_text(text: str) -> Settings:
        (tmp_path / "site.toml").write_text(text)
        return load_settings(tmp_path / "site.toml")

    return from_text


def test_the_words_are_the_built_in_forms():
    assert [word.value for word in ResultFormatWord] == [item.value for item in ResultFormat]
    assert set(ResultFormatWord) == set(known_forms())
    assert tuple(authoring.DEFAULT_FORMATS) == DEFAULT_FORMATS
    description = Settings.model_fields["language"].description
    assert all(code in description.replace(".", " ").replace(",", " ").split() for code in languages())


def test_a_report_group_has_every_option_and_its_default():
    assert tuple(ReportGroup.model_fields) == tuple(item.name for item in fields(CadReportOptions))
    assert ReportGroup().options == CadReportOptions()


def test_a_destination_has_options_of_its_own(load):
    site = load(SITE)
    assert site.language == "de"
    plan = plan_of(site)
    legacy = CadReportOptions(CodeProfile.LEGACY, certainty=True, impressions=Impressions.PER_DETECTION)
    assert plan.language == "de"
    assert plan.route_of("pacs").recipients == (
        Recipient("pacs", ("mammography-cad-sr", "presentation-state", "overlay")),
        Recipient("old", ("mammography-cad-sr",), legacy),
    )
    assert plan.route_of("unknown").recipients == (Recipient("", DEFAULT_FORMATS),)
    again = load(resolved_text(site))
    assert (again.peers, again.routes) == (site.peers, site.routes)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"overlay"', '"overly"', r"routes.0.formats.2: .*'overly' is no form.*mammography-cad-sr.*enhanced-report"),
        ('"overlay"', '"mammography-cad-sr"', "routes.0.formats: .*each form once"),
        ('codes = "legacy"', 'codes = "snomed"', "peers.1.report.codes"),
        ('codes = "legacy"', "colour = 1", "peers.1.report.colour"),
        ('formats = ["mammography-cad-sr"]', 'formats = ["nothing"]', "peers.1.formats.0: .*'nothing' is no form"),
        ('"de-CH"', '"tlh"', "language: .*no words for the language 'tlh'"),
        ('roles = ["destination"]', 'roles = ["source"]', "role destination"),
    ],
)
def test_what_cannot_be_is_named(load, old, new, said):
    with pytest.raises(SettingsInvalid, match=said):
        load(SITE.replace(old, new))


def test_options_of_a_peer_that_gets_nothing_are_a_mistake(load):
    text = SITE.replace('roles = ["destination"]', 'roles = ["source"]').replace('["pacs", "old"]', '["pacs"]')
    with pytest.raises(SettingsInvalid, match="'old': formats and report are for the role destination"):
        load(text)


def test_the_form_of_an_installed_package_can_be_named(load, monkeypatch):
    class SiteForm:
        name = "site-marks"
        sop_class_uids = ("1.2.840.10008.5.1.4.1.1.66",)

    point = SimpleNamespace(name="site-marks", load=lambda: SiteForm)
    monkeypatch.setattr(authoring, "entry_points", lambda group: [point])
    site = load(SITE.replace('"overlay"', '"site-marks"'))
    assert site.routes[0].formats[-1] == "site-marks"
    assert formats_of("all")[-1] == "site-marks"


def test_the_conformance_statement_says_who_gets_what(load):
    text = Printed(conformance_text(load(SITE.replace('"h"', '"127.0.0.1"'))))
    rows = text.table("results by source of the study").where(source="pacs")
    assert [(row["destination"], row["forms"], row["options of the report"]) for row in rows] == [
        ("pacs", "mammography-cad-sr, presentation-state, overlay", "default"),
        ("old", "mammography-cad-sr", "legacy-certainty-per-detection"),
    ]
    for line in ("report.codes", "legacy", "report.certainty"):
        assert line in text.text


def test_a_list_of_forms():
    assert formats_of(" cine, overlay,") == ("cine", "overlay")
    assert formats_of("all") == tuple(known_forms())


def test_options_as_words():
    options = options_of(["codes=legacy", " certainty = true ", "metrics=no"])
    assert options == CadReportOptions(codes=CodeProfile.LEGACY, certainty=True, metrics=False)
    assert options_of([]) == CadReportOptions()


@pytest.mark.parametrize(
    ("word", "said"),
    [("colour=red", "'colour=red' is no option"), ("metrics", "no option"), ("metrics=perhaps", "metrics=perhaps")],
)
def test_a_wrong_option_is_named(word, said):
    with pytest.raises(ValueError, match=said):
        options_of([word])
