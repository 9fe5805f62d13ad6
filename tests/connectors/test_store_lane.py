"""The message stream of an association, without a socket."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dicom import MAMMOGRAM, made, write
from pydicom.uid import ExplicitVRLittleEndian

from reread.analytics.errors import NotDicom
from reread.connectors.command_set import StoreCommand
from reread.connectors.incoming import Incoming
from reread.connectors.part10 import dataset_digest_of, read_part10
from reread.connectors.store_lane import BLOCK_BYTES, StoreAnswer, StoreArrival, StoreLane

COMMAND, LAST = 1, 2
ECHO = bytes.fromhex("00000000040000001200000000000001020000003000")
VERIFICATION = (1, ("1.2.840.10008.1.1", ExplicitVRLittleEndian))
STORAGE = (3, (MAMMOGRAM, ExplicitVRLittleEndian))


class Line:
    """A peer that has said everything already."""

    def __init__(self) -> None:
        self.said = BytesIO()
        self.heard: list[bytes] = []

    def read_into(self, block: memoryview) -> None:
        if self.said.readinto(block) < len(block):
            raise ConnectionError

    def send(self, pdu: bytes) -> None:
        self.heard.append(pdu)


class Bench:
    """A lane with everything around it."""

    def __init__(self, folder: Path, max_bytes: int = 1 << 30) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.arrivals: list[StoreArrival] = []
        self.received: list[bytes] = []
        self.toolkit: list[tuple[int, bytes]] = []
        self.line = Line()
        self.lane = StoreLane(
            None,
            lambda: dict((VERIFICATION, STORAGE)),
            self.open,
            self.answer,
            lambda *value: self.toolkit.append(value),
        )

    def open(self, command: StoreCommand, syntax: str) -> Incoming:
        return Incoming(self.folder, self.max_bytes, command.sop_class_uid, command.sop_instance_uid, syntax)

    def answer(self, arrival: StoreArrival) -> StoreAnswer:
        self.arrivals.append(arrival)
        self.received.append(arrival.incoming.path.read_bytes())
        return StoreAnswer(0x0000)

    def say(self, context_id: int, control: int, content: bytes) -> None:
        self.line.said = BytesIO(content)
        self.lane.take(context_id, control, len(content), self.line)


def store_command(number: int = 1, instance: str = "2.25.1.1") -> bytes:
    elements = [
        (0x0002, MAMMOGRAM.encode() + b"\0"),
        (0x0100, b"\1\0"),
        (0x0110, number.to_bytes(2, "little")),
        (0x0700, b"\2\0"),
        (0x0800, b"\1\0"),
        (0x1000, instance.encode()),
    ]
    return b"".join(
        b"\0\0" + tag.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value for tag, value in elements
    )


def pieces(content: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return [content[first:last] for first, last in pairwise(at)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(content=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 5000), max_size=5), split=st.integers(0, 60))
def test_whatever_the_fragments_the_bytes_are_the_same(tmp_path, content, cuts, split):
    bench = Bench(tmp_path)
    command = store_command()
    bench.say(3, COMMAND, command[:split])
    bench.say(3, COMMAND | LAST, command[split:])
    *parts, last = pieces(content, cuts)
    for part in parts:
        bench.say(3, 0, part)
    assert bench.lane.receiving
    bench.say(3, LAST, last)
    assert not bench.lane.receiving and not list(tmp_path.glob("*.part"))
    assert bench.received[0].endswith(content) and bench.received[0][128:132] == b"DICM"
    expected = blake3(ExplicitVRLittleEndian.encode() + b"\0" + content).hexdigest()
    assert bench.arrivals[0].incoming.dataset_digest == expected
    assert len(bench.line.heard) == 1 and bench.line.heard[0][0] == 4


def test_a_received_object_is_a_good_file(tmp_path):
    bench = Bench(tmp_path)
    path = write(made(1, size=800), tmp_path / "sent.dcm")
    content = path.read_bytes()[read_part10(path).dataset_offset :]
    assert len(content) > BLOCK_BYTES
    bench.say(3, COMMAND | LAST, store_command())
    bench.say(3, LAST, content)
    (tmp_path / "got.dcm").write_bytes(bench.received[0])
    facts = read_part10(tmp_path / "got.dcm")
    assert facts.complete and facts.sop_instance_uid == "2.25.1.1"
    assert bench.arrivals[0].incoming.dataset_digest == dataset_digest_of(tmp_path / "got.dcm", facts)
    dataset = pydicom.dcmread(tmp_path / "got.dcm")
    assert dataset.file_meta.FileMetaInformationVersion == b"\0\1"
    assert dataset.PixelData == pydicom.dcmread(path).PixelData


def test_other_messages_reach_the_toolkit_with_their_data_set(tmp_path):
    bench = Bench(tmp_path)
    bench.say(1, COMMAND | LAST, ECHO)
    bench.say(1, LAST, b"identifier")
    assert bench.toolkit == [(1, bytes([3]) + ECHO), (1, bytes([2]) + b"identifier")]
    assert not bench.arrivals and not list(tmp_path.iterdir())


def test_too_large_is_read_to_its_end_and_not_kept(tmp_path):
    bench = Bench(tmp_path, max_bytes=5000)
    bench.say(3, COMMAND | LAST, store_command())
    for _ in range(4):
        bench.say(3, 0, bytes(BLOCK_BYTES))
        assert all(path.stat().st_size <= 5000 for path in tmp_path.glob("*.part"))
    bench.say(3, LAST, b"")
    assert bench.arrivals[0].incoming.too_large


def test_a_disk_that_refuses_is_told_with_the_answer(tmp_path):
    bench = Bench(tmp_path / "missing")
    bench.answer = lambda arrival: StoreAnswer(0xA700)  # type: ignore[method-assign]
    lane = StoreLane(None, lambda: dict([STORAGE]), bench.open, bench.answer, lambda *value: None)
    bench.lane = lane
    bench.say(3, COMMAND | LAST, store_command())
    bench.say(3, LAST, b"content")
    assert len(bench.line.heard) == 1


@pytest.mark.parametrize(
    "sayings",
    [
        [(9, COMMAND | LAST, store_command())],
        [(3, COMMAND | LAST, store_command()), (1, 0, b"x")],
        [(3, COMMAND | LAST, store_command()), (3, COMMAND, b"x")],
        [(3, COMMAND, bytes(40_000)), (3, COMMAND, bytes(40_000))],
    ],
)
def test_a_broken_protocol_ends_the_association_and_leaves_nothing(tmp_path, sayings):
    bench = Bench(tmp_path)
    with pytest.raises(NotDicom):
        for saying in sayings:
            bench.say(*saying)
    bench.lane.abandon()
    assert not list(tmp_path.iterdir())


def test_a_sender_that_goes_leaves_nothing(tmp_path):
    bench = Bench(tmp_path)
    bench.say(3, COMMAND | LAST, store_command())
    with pytest.raises(ConnectionError):
        bench.lane.take(3, LAST, 100, bench.line)
    assert bench.lane.abandon() and not list(tmp_path.iterdir())
    assert not bench.lane.abandon()
