"""Settings: environment before file before default, and a wrong one is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from reread.analytics.errors import SettingsInvalid
from reread.deployments.settings import PeerGroup, RouteGroup, Settings, load_settings
from reread.deployments.settings_text import example_text, resolved_text
from reread.deployments.site_plan import plan_of

PEER = '[[peers]]\nname = "pacs"\nae_title = "PACS"\nhost = "pacs.example.org"\nport = 104\n'


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No setting of the developer, and no site.toml of the checkout."""
    import os

    for name in list(os.environ):
        if name.startswith("REREAD_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "some.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def complaint(text: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(written(text))
    return str(caught.value)


def test_environment_before_file_before_default(monkeypatch):
    path = written('ae_title = "FILED"\n[listener]\nport = 11200\nmax_associations = 3\n')
    assert load_settings().listener.port == 11112
    found = load_settings(path)
    assert (found.ae_title, found.listener.port, found.listener.max_associations) == ("FILED", 11200, 3)
    monkeypatch.setenv("REREAD_LISTENER__PORT", "11300")
    found = load_settings(path)
    assert (found.ae_title, found.listener.port, found.listener.max_associations) == ("FILED", 11300, 3)
    assert found.listener.host == Settings().listener.host


def test_where_the_file_is(monkeypatch):
    assert load_settings().ae_title == "REREAD"
    written('ae_title = "HERE"', "site.toml")
    assert load_settings().ae_title == "HERE"
    written('ae_title = "NAMED"', "other.toml")
    monkeypatch.setenv("REREAD_SETTINGS", "other.toml")
    assert load_settings().ae_title == "NAMED"
    assert load_settings(written('ae_title = "GIVEN"')).ae_title == "GIVEN"
    monkeypatch.setenv("REREAD_SETTINGS", "gone.toml")
    with pytest.raises(SettingsInvalid, match=r"no settings file at gone\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('ae_title = "SEVENTEEN LETTERS"', "ae_title"),
        ('ae_title = "BACK\\\\SLASH"', "ae_title"),
        ("[listener]\nport = 70000", "listener.port"),
        ('[listener]\nport = "dicom"', "listener.port"),
        ("[limits]\nmax_object_mib = 0", "limits.max_object_mib"),
        ('[cluster]\nkind = "cloud"', "cluster.kind"),
        (PEER.replace("pacs.example", "x").replace('name = "pacs"', 'name = "My PACS"'), "peers.0.name"),
        (PEER + 'roles = ["friend"]', "peers.0.roles"),
        ("typo = 1", "typo"),
        ("[listener]\nprot = 1", "listener.prot"),
        (PEER + "colour = 1", "peers.0.colour"),
        ("listener = 3", "listener"),
    ],
)
def test_a_wrong_or_unknown_field_is_named(text, field):
    assert complaint(text).startswith(f"{field}")


def test_every_wrong_field_has_a_line():
    lines = complaint("nonsense = 1\n[listener]\nport = -1\nquiet_s = -1").splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["listener.port", "listener.quiet_s", "nonsense"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PEER + PEER, "two peers have the same name"),
        (PEER + '[[routes]]\nsource = "other"', "'other' is no peer"),
        (PEER + '[[routes]]\nsource = "pacs"\ndestinations = ["other"]', "'other' is no peer"),
        (PEER + 'roles = ["source"]\n[[routes]]\nsource = "pacs"\ndestinations = ["pacs"]', "role destination"),
        ('[cluster]\nkind = "address"', "cluster.address"),
    ],
)
def test_what_does_not_fit_together_is_refused(text, words):
    assert words in complaint(text)


def test_broken_toml_names_the_file():
    assert "some.toml" in complaint("ae_title = ")


def test_a_wrong_environment_variable_is_named(monkeypatch):
    monkeypatch.setenv("REREAD_POLL__DAYS_BACK", "yesterday")
    with pytest.raises(SettingsInvalid, match=r"poll\.days_back"):
        load_settings()


def test_the_example_is_valid_and_names_every_field():
    text = example_text()
    parsed = tomllib.loads(text)
    found = load_settings(written(text))
    assert [peer.name for peer in found.peers] == ["pacs"]
    for name, field in Settings.model_fields.items():
        kind = {"peers": PeerGroup, "routes": RouteGroup}.get(name, field.annotation)
        block = parsed[name][0] if name in ("peers", "routes") else parsed[name]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            assert set(block) == set(kind.model_fields), name
            assert all(inner.description for inner in kind.model_fields.values()), name
        else:
            assert field.description, name
    defaults = found.model_copy(update={"peers": (), "routes": ()})
    assert {name: getattr(defaults, name) for name in Settings.model_fields} == {
        name: getattr(Settings(), name) for name in Settings.model_fields
    }


def test_the_committed_example_is_this_text():
    committed = Path(__file__).parents[2] / "deployments" / "site.example.toml"
    made_by = "reread config example > deployments/site.example.toml"
    assert committed.read_text() == example_text(), f"stale; {made_by}"


def test_what_is_in_force_can_be_read_back():
    found = load_settings(
        written(example_text() + '\n[[peers]]\nname = "b"\nae_title = "B \\" C"\nhost = "h"\nport = 1\n')
    )
    text = resolved_text(found)
    assert load_settings(written(text, "again.toml")) == found


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://reread:geheim@db.example.org:5432/ledger",
        "postgresql://:geheim@db/ledger",
        "postgresql://reread:ge%40heim@db/ledger",
        "postgresql://reread:geheim:geheim@db/ledger",
        "postgresql://reread:geheim/geheim@db/ledger",
        "postgresql://db/ledger?user=reread&password=geheim",
    ],
)
def test_passwords_are_masked(url):
    text = resolved_text(load_settings(written(f'ledger_url = "{url}"')))
    assert "heim" not in text
    assert "***" in text
    assert "/ledger" in text


def test_the_plan_says_what_the_settings_say():
    site = load_settings(written(example_text() + "\n"))
    plan = plan_of(site)
    assert [peer.name for peer in plan.sources] == [peer.name for peer in plan.destinations] == ["pacs"]
    assert plan.limits.max_pixels == site.limits.max_image_megapixels * 1e6
    assert plan.limits.max_file_bytes == site.limits.max_object_mib << 20
    assert plan.workers >= 1
    assert plan.folders.data.is_absolute()
    assert plan.ledger_url.startswith("sqlite:////")
