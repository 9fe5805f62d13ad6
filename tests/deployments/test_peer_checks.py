"""`reread verify`: one line for each peer, and an exit code (R0.109, R0.543)."""

from __future__ import annotations

import pytest
from certificates import Authority
from loopback import free_port

from reread.analytics.errors import RereadError, SettingsInvalid
from reread.connectors.archive_server import ArchiveServer
from reread.connectors.peers import Peer
from reread.deployments.cli import app
from reread.deployments.doctor import disk_check, examine
from reread.deployments.peer_checks import verify_peers
from reread.deployments.settings import LimitsGroup, ListenerGroup, PeerGroup, Settings

US = Peer("reread", "REREAD", "127.0.0.1", 1)


@pytest.fixture
def archive(tmp_path):
    with ArchiveServer(tmp_path / "archive", "PACS", (US,)) as server:
        yield server


def peer(name: str, port: int, title: str = "PACS", **more: object) -> PeerGroup:
    return PeerGroup(name=name, ae_title=title, host="127.0.0.1", port=port, **more)


def test_all_or_those_that_are_named(tmp_path, archive):
    site = Settings(data=tmp_path, peers=(peer("there", archive.port), peer("gone", free_port())))
    there, gone = verify_peers(site)
    assert there.ok and "PACS at 127.0.0.1" in there.text and "answers C-ECHO in" in there.text
    assert not gone.ok and "does not answer C-ECHO" in gone.text
    assert [check.name for check in verify_peers(site, ["there", "there"])] == ["peer there"]
    with pytest.raises(SettingsInvalid, match="'elsewhere' is no peer; the peers are: there, gone"):
        list(verify_peers(site, ["there", "elsewhere"]))


def test_the_reason_of_a_rejection_is_told(tmp_path, archive):
    site = Settings(data=tmp_path, ae_title="STRANGER", peers=(peer("there", archive.port),))
    (check,) = verify_peers(site)
    assert "rejected (result 1, source 1, reason 3)" in check.text


@pytest.mark.parametrize(
    ("names", "code", "lines"), [([], 1, ["ok", "FAIL"]), (["there"], 0, ["ok"]), (["gone"], 1, ["FAIL"])]
)
def test_the_command(tmp_path, archive, capsys, names, code, lines):
    settings = tmp_path / "site.toml"
    blocks = [
        f'[[peers]]\nname = "{name}"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {port}\n'
        for name, port in (("there", archive.port), ("gone", free_port()))
    ]
    settings.write_text("\n".join(blocks))
    done = app(["verify", *names, "--settings", str(settings)], exit_on_error=False, result_action="return_value")
    assert done == code
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == lines


def test_without_peers_there_is_nothing_to_verify(tmp_path):
    (tmp_path / "site.toml").write_text("")
    with pytest.raises(RereadError, match="no peers"):
        app(["verify", "--settings", str(tmp_path / "site.toml")], exit_on_error=False, result_action="return_value")


def test_the_doctor_looks_at_tls_files(tmp_path):
    identity = Authority(tmp_path / "pki").issue("node", "127.0.0.1")
    listener = ListenerGroup(port=free_port(), tls_certificate=str(identity.certificate), tls_key=str(identity.key))
    found = {check.name: check for check in examine(Settings(data=tmp_path / "data", listener=listener))}
    assert found["listener TLS"].ok and "no certificate" in found["listener TLS"].text
    gone = listener.model_copy(update={"tls_key": str(tmp_path / "gone.key")})
    found = {check.name: check for check in examine(Settings(data=tmp_path / "data", listener=gone))}
    assert not found["listener TLS"].ok and "gone.key" in found["listener TLS"].text
    found = {check.name: check for check in examine(Settings(data=tmp_path / "data"))}
    assert "listener TLS" not in found


def test_a_peer_whose_files_are_missing(tmp_path):
    settings = Settings(data=tmp_path, peers=(peer("there", 1, tls=True, tls_authorities=str(tmp_path / "gone.pem")),))
    (check,) = verify_peers(settings)
    assert not check.ok and "gone.pem cannot be used" in check.text and "(TLS)" in check.text


def test_low_disk_is_named(tmp_path):
    check = disk_check(Settings(data=tmp_path, limits=LimitsGroup(min_free_disk_gib=0.0, low_disk_gib=1e9)))
    assert not check.ok and "limits.low_disk_gib" in check.text
    assert disk_check(Settings(data=tmp_path, limits=LimitsGroup(min_free_disk_gib=0.0, low_disk_gib=0.0))).ok
