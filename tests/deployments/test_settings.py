"""Settings: environment before file before default, and a wrong one is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from reread.analytics.errors import SettingsInvalid
from reread.connectors.gatekeeper import Crowding, WhenFull
from reread.connectors.negotiation import UnknownClasses
from reread.connectors.peers import PeerTls
from reread.connectors.tls import ListenerTls
from reread.deployments.settings import PeerGroup, RouteGroup, Settings, load_settings
from reread.deployments.settings_text import example_text, resolved_text
from reread.deployments.site_plan import listener_settings_of, plan_of

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
        ('[listener]\ntls_certificate = "a.pem"', "need each other"),
        ('[listener]\ntls_client_authorities = "a.pem"', "needs listener.tls_certificate"),
        (PEER + 'tls_certificate = "a.pem"', "tls = false"),
        (PEER + 'tls_names = ["x"]', "listener.tls_client_authorities"),
    ],
)
def test_what_does_not_fit_together_is_refused(text, words):
    assert words in complaint(text)


def test_the_gate_as_the_settings_say():
    text = """
[listener]
when_full = "hold"
max_held = 3
hold_s = 12
unknown_classes = "refuse"
extra_ae_titles = ["SECOND"]
tls_certificate = "own.pem"
tls_key = "own.key"
tls_client_authorities = "ca.pem"
[limits]
min_free_disk_gib = 2
low_disk_gib = 3
[admission]
refuse_lossy = true
required_attributes = ["StudyDate"]
enabled_devices = ["S1"]
[[peers]]
name = "pacs"
ae_title = "PACS"
host = "pacs.example.org"
port = 104
check_address = false
max_associations = 4
transfer_syntaxes = ["JPEG2000Lossless", "1.2.3.4"]
refused_transfer_syntaxes = ["ExplicitVRBigEndian"]
commitment_on_same_association = true
tls = true
tls_authorities = "ca.pem"
tls_check_host = false
tls_names = ["pacs.example.org"]
"""
    found = listener_settings_of(load_settings(written(text)))
    assert found.crowding == Crowding(WhenFull.HOLD, 3, 12.0)
    assert (found.unknown_classes, found.also_called) == (UnknownClasses.REFUSE, ("SECOND",))
    assert found.tls == ListenerTls(Path("own.pem"), Path("own.key"), Path("ca.pem"), 10.0)
    policy = found.policy
    assert (policy.min_free_bytes, policy.low_free_bytes) == (2 << 30, 3 << 30)
    assert (policy.refuse_lossy, policy.required_tags, policy.enabled_devices) == (True, (0x00080020,), {"S1"})
    (peer,) = found.peers
    assert (peer.check_address, peer.max_associations, peer.report_on_same_association) == (False, 4, True)
    assert peer.transfer_syntaxes == ("1.2.840.10008.1.2.4.90", "1.2.3.4")
    assert peer.refused_transfer_syntaxes == ("1.2.840.10008.1.2.2",)
    assert peer.tls == PeerTls(Path("ca.pem"), check_host=False, names=("pacs.example.org",))


def test_the_gate_by_default():
    found = listener_settings_of(load_settings(written(PEER)))
    assert (found.crowding.when_full, found.unknown_classes, found.tls) == (
        WhenFull.REJECT,
        UnknownClasses.ACCEPT,
        None,
    )
    assert found.peers[0].check_address and found.peers[0].tls is None and not found.peers[0].transfer_syntaxes
    assert not found.policy.refuse_lossy and not found.policy.wanted_tags


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PEER + 'transfer_syntaxes = ["JPEG"]', "'JPEG' is no transfer syntax"),
        ('[admission]\nrequired_attributes = ["Datum"]', "'Datum' is no keyword"),
    ],
)
def test_dicom_words_that_there_are_not(text, words):
    with pytest.raises(SettingsInvalid, match=words):
        listener_settings_of(load_settings(written(text)))


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
