"""Fuzzing with a fixed number of cases that are the same in every run: the door's rule, its reader, the wire."""

from __future__ import annotations

import contextlib
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_nights import (
    CONTEXTS,
    STORE,
    ListenerProcess,
    MadeObject,
    audit,
    listener_process,
    made_object,
    still_answers,
)
from hostile_objects import compressed, deflated, jpeg_2000, many_items, nested, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dicom import MAMMOGRAM
from raw_sender import A_RELEASE_RQ, associate_rq, echo_command, message, part10_pieces, pdu, store_command

from reread.analytics.errors import InputError, NotDicom
from reread.analytics.reasons import Reason
from reread.connectors.admission import (
    GENERAL_CLASSES,
    MAMMOGRAPHY_CLASSES,
    Admission,
    AdmissionPolicy,
    Disposition,
    StoreRequest,
    admit,
    refusal_of,
)
from reread.connectors.mammograms import identify, read_mammogram
from reread.connectors.part10 import Part10, read_part10
from reread.connectors.store_statuses import STORE_STATUSES

CLASSES = sorted(MAMMOGRAPHY_CLASSES | GENERAL_CLASSES)
STATUSES = set(STORE_STATUSES)

uids = st.one_of(st.sampled_from([*CLASSES, "", "1.2.3", "2.25.4", "..", "1." + "2" * 63]), st.text(max_size=80))
texts = st.one_of(st.sampled_from(["MG", "CT", "Reread", "Phantom", "", "00", "01"]), st.text(max_size=40))
tags = st.sampled_from([0x00181000, 0x0018700A, 0x00080050, 0x00400275])
requests = st.builds(
    StoreRequest,
    sop_class_uid=uids,
    sop_instance_uid=uids,
    study_instance_uid=uids,
    series_instance_uid=uids,
    modality=texts,
    manufacturer=texts,
    lossy=texts,
    size_bytes=st.integers(0, 1 << 40),
    free_bytes=st.integers(0, 1 << 50),
    command_sop_class_uid=uids,
    command_sop_instance_uid=uids,
    may_store=st.booleans(),
    readable=st.booleans(),
    context_sop_class_uid=uids,
    transfer_syntax_uid=uids,
    has_pixels=st.booleans(),
    values=st.dictionaries(tags, texts, max_size=4),
)
likely = st.builds(
    StoreRequest,
    sop_class_uid=st.sampled_from(CLASSES),
    sop_instance_uid=st.just("1.2.3"),
    study_instance_uid=st.just("1.2.4"),
    series_instance_uid=st.just("1.2.5"),
    modality=st.sampled_from(["MG", "CT"]),
    manufacturer=texts,
    lossy=texts,
    size_bytes=st.integers(0, 1 << 33),
    free_bytes=st.integers(1 << 32, 1 << 50),
    has_pixels=st.booleans(),
    transfer_syntax_uid=st.sampled_from(["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"]),
    values=st.dictionaries(tags, texts, max_size=4),
)
policies = st.builds(
    AdmissionPolicy,
    others=st.sampled_from([Disposition.IGNORED, Disposition.PASSED_THROUGH]),
    refuse_lossy=st.booleans(),
    max_object_bytes=st.integers(0, 1 << 40),
    min_free_bytes=st.integers(0, 1 << 40),
    required_tags=st.lists(tags, max_size=3).map(tuple),
    enabled_devices=st.frozensets(texts, max_size=2),
)


def check(admission: Admission) -> None:
    assert admission.status in STATUSES, hex(admission.status)
    assert (admission.disposition is Disposition.REJECTED) == (admission.status != 0) != admission.accepted
    assert len(admission.comment) <= 64 and admission.comment.isascii() and "\\" not in admission.comment
    assert bool(admission.comment) != admission.accepted
    assert admission.offending_element is None or 0 <= admission.offending_element <= 0xFFFFFFFF
    assert admission.reason is None or admission.reason in Reason


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.one_of(requests, likely), policies)
def test_admit_decides_about_every_request(request, policy):
    admission = admit(request, policy)
    check(admission)
    assert admit(request, policy) == admission
    if admission.accepted:
        assert request.may_store and request.readable and request.size_bytes <= policy.max_object_bytes
    if admission.disposition is Disposition.QUEUED:
        assert request.has_pixels and request.sop_class_uid in CLASSES


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.builds(OSError, st.integers(1, 130), st.text(max_size=90)),
        st.builds(NotDicom, st.sampled_from(list(Reason)), st.text(max_size=90)),
        st.builds(ValueError, st.text(max_size=90)),
        st.just(MemoryError()),
        st.just(RecursionError()),
    )
)
def test_every_error_has_a_refusal(error):
    admission = refusal_of(error)
    check(admission)
    assert not admission.accepted


Edit = tuple[str, float, bytes]
edits = st.lists(
    st.tuples(
        st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut"]),
        st.floats(0, 1),
        st.one_of(
            st.binary(min_size=1, max_size=12),
            st.sampled_from(
                [
                    b"\xff\xff\xff\xff",
                    b"\0\0\0\0",
                    b"\xff\xff\xff\x7f",
                    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
                    b"\xfe\xff\xdd\xe0\0\0\0\0",
                    b"SQ\0\0\xff\xff\xff\xff",
                    b"UN\0\0\xff\xff\xff\xff",
                    b"\x08\x00\x18\x00UI\xff\xff",
                ]
            ),
        ),
    ),
    min_size=1,
    max_size=6,
)


def edited(content: bytes, changes: list[Edit]) -> bytes:
    for kind, place, junk in changes:
        at = int(place * len(content))
        if kind == "overwrite":
            content = content[:at] + junk + content[at + len(junk) :]
        elif kind == "insert":
            content = content[:at] + junk + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + len(junk) :]
        elif kind == "repeat":
            content = content[: at + 40] + content[at : at + 40] * len(junk) + content[at + 40 :]
        elif len(content) > 200:
            content = content[: max(at, 100)]
    return content


SOURCES: dict[str, Callable[[], bytes]] = {
    "plain": plain,
    "nested": lambda: nested(5, closed=True),
    "items": lambda: many_items(20),
    "deflated": lambda: deflated(plain()[144 + int.from_bytes(plain()[140:144], "little") :]),
    "encapsulated": lambda: compressed(b"90", jpeg_2000(1) + bytes(300)),
}


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(changes=edits)
def test_the_reader_of_the_door_gives_facts_or_a_reason(source, changes, tmp_path_factory):
    path = _folder(tmp_path_factory) / "a.dcm"
    path.write_bytes(edited(SOURCES[source](), changes))
    size = path.stat().st_size
    tracemalloc.start()
    try:
        facts = read_part10(path)
    except NotDicom as error:
        assert error.reason in Reason and "Anna" not in str(error)
    else:
        assert isinstance(facts, Part10) and facts.transfer_syntax_uid
        assert 132 < facts.dataset_offset <= size
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100 * size + (200 << 20 if source == "deflated" else 16 << 20)
    identify(path)
    with contextlib.suppress(InputError):
        read_mammogram(path)


_folders: list[Path] = []


def _folder(factory: pytest.TempPathFactory) -> Path:
    if not _folders:
        _folders.append(factory.mktemp("fuzz"))
    return _folders[0]


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerProcess]:
    """One process for all streams."""
    with listener_process(tmp_path_factory.mktemp("house"), timeout_s=5.0, limit=100) as process:
        yield process


def stream(folder: Path) -> list[bytes]:
    """What a whole association sends: the request; then two objects with an echo between them, and the release."""
    first, second = made_object(folder, 1), made_object(folder, 2, size=200)
    parts = [
        *message(STORE, store_command(MAMMOGRAM, first.uid), first.content),
        *message(1, echo_command(), None),
        *message(STORE, store_command(MAMMOGRAM, second.uid, 2), second.content),
    ]
    return [associate_rq(CONTEXTS, "SENDER", "REREAD"), b"".join([*parts, pdu(A_RELEASE_RQ, bytes(4))])]


def converse(port: int, request: bytes, rest: bytes, *, half_close: bool = True) -> bytes:
    """Send the request, wait for the answer to it, send the rest; everything that came back."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 20) as connection, contextlib.suppress(OSError):
        connection.sendall(request)
        if request[:1] == b"\1" and len(request) == 6 + int.from_bytes(request[2:6], "big"):
            answer = connection.recv(65536)
        connection.sendall(rest)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65536):
            answer += more
    return answer


def test_the_stream_itself_is_sane(listener, tmp_path):
    answer = converse(listener.port, *stream(tmp_path / "sent"), half_close=False)
    assert answer.count(bytes.fromhex("00000009 02000000 0000")) == 3, "three responses with status 0000"
    assert answer.endswith(bytes.fromhex("06000000000400000000"))


@pytest.mark.slow
@pytest.mark.parametrize("mangled", ["request", "rest"])
def test_mangled_streams_leave_a_sane_listener(listener, tmp_path, mangled):
    request, rest = stream(tmp_path / "sent")
    files = Path(f"/proc/{listener.process.pid}/fd")
    before = len(list(files.iterdir()))

    @settings(max_examples=80, deadline=None, derandomize=True, database=None)
    @given(changes=edits)
    def send(changes: list[Edit]) -> None:
        if mangled == "request":
            converse(listener.port, edited(request, changes), rest)
        else:
            converse(listener.port, request, edited(rest, changes))

    send()
    still_answers(listener.port, tmp_path / "out")
    assert "Traceback" not in listener.log(), listener.log()[-3000:]
    assert listener.peak_mib() < 400
    assert len(list(files.iterdir())) < before + 40, "connections are left open"
    assert not list((listener.folder / "spool" / "incoming").iterdir())
    # a mangled object may have been stored as it came: compared are names, digests and rows
    stored = (path for path in (listener.folder / "spool" / "objects").rglob("*") if path.is_file())
    audit(listener.folder, [], [MadeObject("", part10_pieces(path)[3]) for path in stored])
