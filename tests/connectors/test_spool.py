"""Bytes as received, under safe names; keyed pseudonyms."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dicom import made, write
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from reread.analytics.errors import NotDicom, SettingsInvalid
from reread.connectors.part10 import dataset_digest_of, read_part10
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.spool import Spool, check_uid


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(uid=st.text(alphabet="0123456789./\\\0ab~ \n", max_size=70))
def test_a_uid_never_leaves_the_spool(tmp_path, uid):
    spool = Spool(tmp_path / "spool")
    part = spool.part()
    part.write_bytes(b"x")
    try:
        stored = spool.adopt(part, uid, uid, "ab" * 32)
    except NotDicom:
        part.unlink()
        return
    assert set(uid) <= set("0123456789.")
    assert spool.resolve(stored.path).read_bytes() == b"x"
    assert spool.resolve(stored.path).is_relative_to(tmp_path / "spool" / "objects")


@pytest.mark.parametrize("uid", ["..", ".", "", "1" * 65, "1.2/3", "1.2\n", "../1"])
def test_no_uid(uid):
    with pytest.raises(NotDicom):
        check_uid(uid)


def test_a_path_of_the_ledger_may_not_leave_the_spool(tmp_path):
    with pytest.raises(ValueError, match="leaves"):
        Spool(tmp_path / "spool").resolve("../../etc/passwd")


def test_same_bytes_same_file_other_bytes_other_file(tmp_path):
    spool = Spool(tmp_path)
    paths = []
    for content in (b"one", b"one", b"two"):
        part = spool.part()
        part.write_bytes(content)
        stored = spool.adopt(part, "1.2", "1.2.3", hashlib.sha256(content).hexdigest())
        assert stored.digest == hashlib.sha256(content).hexdigest()
        paths.append(stored.path)
    assert paths[0] == paths[1] != paths[2]
    assert [spool.resolve(path).read_bytes() for path in paths] == [b"one", b"one", b"two"]
    assert not list(spool.incoming.iterdir())


def test_import_copies_and_leaves_the_original(tmp_path):
    spool = Spool(tmp_path / "spool")
    source = tmp_path / "Doe^Jane.txt"
    source.write_bytes(b"no dicom")
    stored = spool.adopt_rejected(spool.copy_in(source), source.name)
    assert stored.path.startswith("rejected/") and "Doe" not in stored.path
    assert spool.resolve(stored.path).read_bytes() == source.read_bytes() == b"no dicom"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_header_in_every_encoding(tmp_path, syntax):
    facts = read_part10(write(made(3, syntax=syntax), tmp_path / "a.dcm"))
    assert (facts.sop_instance_uid, facts.modality, facts.patient_id) == ("2.25.1.3", "MG", "P1")
    assert facts.complete and facts.transfer_syntax_uid == syntax


@pytest.mark.parametrize("cut", [0, 100, 200, 400, -1, -500])
def test_a_cut_file_is_found_out(tmp_path, cut):
    whole = write(made(3), tmp_path / "a.dcm").read_bytes()
    (tmp_path / "b.dcm").write_bytes(whole[:cut])
    try:
        assert not read_part10(tmp_path / "b.dcm").complete
    except NotDicom as error:
        assert "P1" not in str(error)


def test_dataset_digest_ignores_who_wrote_the_file(tmp_path):
    one, two, three = made(3), made(3), made(3, value=8)
    two.file_meta.SourceApplicationEntityTitle = "OTHER"
    paths = [write(item, tmp_path / f"{n}.dcm") for n, item in enumerate((one, two, three))]
    digests = [dataset_digest_of(path, read_part10(path)) for path in paths]
    assert digests[0] == digests[1] != digests[2]
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_pseudonyms(tmp_path):
    path = tmp_path / "keys" / "pseudonym.key"
    with ThreadPoolExecutor(8) as pool:
        made_at_once = {item.woman("P1") for item in pool.map(lambda _: Pseudonyms.load_or_create(path), range(16))}
    assert len(made_at_once) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_bytes()) == 32
    assert [item.name for item in path.parent.iterdir()] == ["pseudonym.key"]
    again = Pseudonyms.load_or_create(path)
    assert {again.woman("P1")} == made_at_once and again.woman("P2") != again.woman("P1")
    assert Pseudonyms(bytes(32)).woman("P1") == "2f0ae8bf10c32278"
    path.write_bytes(b"short")
    with pytest.raises(SettingsInvalid, match="32"):
        Pseudonyms.load_or_create(path)
