"""Which contexts are accepted with which transfer syntax: the rule alone, then against real senders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import house
from made_dicom import MAMMOGRAM, made, study, write
from pynetdicom import AE, build_context, build_role
from pynetdicom.presentation import PresentationContext

from reread.connectors.negotiation import (
    ALWAYS_LOSSY,
    LOSSLESS_COMPRESSED,
    LOSSY,
    STANDARD_ORDER,
    UNCOMPRESSED,
    Proposal,
    UnknownClasses,
    choose,
    negotiate,
    offers_by_class,
    order_for,
)
from reread.connectors.peers import Peer, PeerRole
from reread.connectors.services import Offer

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
BASELINE, EXTENDED, LOSSLESS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 70))
J2K_LOSSLESS, J2K, HTJ2K, JPEG_XL_OF_JPEG, H264 = (
    f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 203, 111, 102)
)
CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE = "1.2.826.0.1.3680043.9.3811.77.1"
SENDER = Peer("sender", "SENDER", "127.0.0.1", 11999)
READER = Peer("reader", "READER", "127.0.0.1", 11998, frozenset({PeerRole.DESTINATION}))


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ([EXPLICIT, IMPLICIT], EXPLICIT),  # R4.88
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([IMPLICIT], IMPLICIT),
        ([BIG, IMPLICIT], IMPLICIT),
        ([BIG], BIG),
        ([IMPLICIT, EXPLICIT, DEFLATED, BIG], EXPLICIT),  # what pynetdicom proposes by default: nobody deflates
        ([EXPLICIT, LOSSLESS], LOSSLESS),  # who holds it compressed need not decompress
        ([J2K_LOSSLESS, LOSSLESS, EXPLICIT], LOSSLESS),  # R0.55
        ([IMPLICIT, RLE], RLE),
        ([BASELINE, EXPLICIT, IMPLICIT], EXPLICIT),  # nobody compresses with loss for us (R4.100)
        ([EXTENDED, LOSSLESS], LOSSLESS),
        ([J2K, EXPLICIT], EXPLICIT),  # may be lossy
        ([J2K, J2K_LOSSLESS], J2K_LOSSLESS),
        ([HTJ2K, BASELINE], HTJ2K),  # may be lossless
        ([BASELINE], BASELINE),  # is lossy already: as it comes
        ([JPEG_XL_OF_JPEG, BASELINE], JPEG_XL_OF_JPEG),
        ([JPEG_XL_OF_JPEG, EXPLICIT], EXPLICIT),
        ([H264], H264),
        ([H264, EXPLICIT], EXPLICIT),
        (["1.2.840.10008.1.2.4.94"], None),  # the pixels are elsewhere (JPIP)
        (["1.2.3.4"], None),
        (["1.2.3.4", IMPLICIT], IMPLICIT),
        ([], None),
    ],
)
def test_the_choice(proposed, chosen):
    assert choose(proposed, STANDARD_ORDER) == chosen


@given(proposed=st.lists(st.sampled_from(STANDARD_ORDER), min_size=1, max_size=8))
def test_no_sender_has_to_decompress_or_to_lose(proposed):
    chosen = choose(proposed, STANDARD_ORDER)
    assert chosen in proposed
    if set(proposed) & set(LOSSLESS_COMPRESSED):
        assert chosen in LOSSLESS_COMPRESSED
    elif set(proposed) & set(UNCOMPRESSED):
        assert chosen in UNCOMPRESSED
    assert choose(reversed(proposed), STANDARD_ORDER) == chosen  # the requestor's order is nothing to us (R0.57)


def test_the_order_names_everything_once():
    assert len(STANDARD_ORDER) == len(set(STANDARD_ORDER))
    assert set(LOSSY) > ALWAYS_LOSSY
    assert not ALWAYS_LOSSY & {J2K, HTJ2K}


@given(
    preferred=st.lists(st.sampled_from((*STANDARD_ORDER, "1.2.3.4")), unique=True),
    refused=st.sets(st.sampled_from(STANDARD_ORDER)),
)
def test_an_order_of_a_callers_own(preferred, refused):
    order = order_for(preferred, refused)
    assert set(order) == ({*STANDARD_ORDER, *preferred}) - refused
    wanted = [uid for uid in preferred if uid not in refused]
    assert list(order[: len(wanted)]) == wanted


OFFERS = offers_by_class(
    [
        Offer("1.2.840.10008.1.1"),
        Offer(CT, STANDARD_ORDER, stores=True),
        Offer(CT, (EXPLICIT, IMPLICIT), peer_scu=False, peer_scp=True),
        Offer(MAMMOGRAM, STANDARD_ORDER, stores=True),
    ]
)


def accepted(proposal: Proposal, caller: Peer = SENDER, **more: object) -> Offer | None:
    found = negotiate([proposal], OFFERS, caller, **more)  # type: ignore[arg-type]
    return found[0] if found else None


def test_objects_come_from_sources_only():
    proposal = Proposal(MAMMOGRAM, frozenset({EXPLICIT}))
    assert accepted(proposal) == Offer(MAMMOGRAM, (EXPLICIT,), stores=True)
    assert accepted(proposal, READER) is None
    assert accepted(Proposal("1.2.840.10008.1.1", frozenset({IMPLICIT})), READER) is not None


def test_what_a_reader_fetches_comes_by_role_selection():
    default = Proposal(CT, frozenset({EXPLICIT, LOSSLESS}))
    assert accepted(default, READER) is None
    fetching = Proposal(CT, frozenset({EXPLICIT, LOSSLESS}), scu=False, scp=True)
    offer = accepted(fetching, READER)
    assert offer is not None
    assert (offer.transfer_syntaxes, offer.peer_scu, offer.peer_scp) == ((EXPLICIT,), False, True)
    both = accepted(Proposal(CT, frozenset({EXPLICIT, LOSSLESS}), scu=True, scp=True))
    assert both is not None
    assert (both.transfer_syntaxes, both.peer_scu, both.peer_scp) == ((LOSSLESS, EXPLICIT), True, True)


def test_unknown_classes():
    proposal = Proposal(PRIVATE, frozenset({EXPLICIT}))
    assert accepted(proposal, may_be_storage=[PRIVATE]) is not None
    assert accepted(proposal, READER, may_be_storage=[PRIVATE]) is None
    assert accepted(proposal) is None
    assert accepted(proposal, unknown_classes=UnknownClasses.REFUSE, may_be_storage=[PRIVATE]) is None


def propose(port: int, contexts: list[PresentationContext], **more: object) -> tuple[dict[int, str], dict[int, int]]:
    """Accepted transfer syntaxes and results of the others, by position."""
    association = AE("SENDER").associate("127.0.0.1", port, ae_title="REREAD", contexts=contexts, **more)
    if association.is_established:
        association.release()
    return (
        {context.context_id // 2: str(context.transfer_syntax[0]) for context in association.accepted_contexts},
        {context.context_id // 2: context.result for context in association.rejected_contexts},
    )


def test_every_context_is_judged_on_its_own(tmp_path):
    """R3.87, R4.99: duplicates, and contexts that differ only in their transfer syntaxes."""
    contexts = [
        build_context(MAMMOGRAM, [BASELINE]),
        build_context(MAMMOGRAM, [EXPLICIT, IMPLICIT]),
        build_context(MAMMOGRAM, [EXPLICIT, J2K_LOSSLESS]),
        build_context(MAMMOGRAM, [EXPLICIT, IMPLICIT]),
        build_context(MAMMOGRAM, ["1.2.3.4"]),
        build_context("1.2.840.10008.5.1.4.31", [IMPLICIT]),
        build_context("1.2.840.10008.1.1", [BIG, IMPLICIT, EXPLICIT]),
        build_context(PRIVATE, [H264]),
    ]
    with house(tmp_path, SENDER) as node:
        taken, refused = propose(node.listener.port, contexts)
    assert taken == {0: BASELINE, 1: EXPLICIT, 2: J2K_LOSSLESS, 3: EXPLICIT, 6: EXPLICIT, 7: H264}
    assert refused == {4: 4, 5: 3}  # transfer syntaxes, abstract syntax not supported


def test_a_caller_with_an_order_of_its_own(tmp_path):
    caller = Peer(
        "sender",
        "SENDER",
        "127.0.0.1",
        11999,
        transfer_syntaxes=("1.2.3.4", IMPLICIT),
        refused_transfer_syntaxes=(LOSSLESS,),
    )
    contexts = [
        build_context(MAMMOGRAM, [EXPLICIT, IMPLICIT, J2K_LOSSLESS]),
        build_context(MAMMOGRAM, ["1.2.3.4", EXPLICIT]),
        build_context(MAMMOGRAM, [LOSSLESS]),
        build_context(CT, [LOSSLESS, RLE]),
    ]
    with house(tmp_path, caller) as node:
        taken, refused = propose(node.listener.port, contexts)
    assert taken == {0: IMPLICIT, 1: "1.2.3.4", 3: RLE}
    assert refused == {2: 4}


def test_unknown_classes_may_be_refused(tmp_path):
    contexts = [build_context(PRIVATE, [EXPLICIT]), build_context(CT, [EXPLICIT])]
    with house(tmp_path, SENDER, unknown_classes=UnknownClasses.REFUSE) as node:
        taken, refused = propose(node.listener.port, contexts)
    assert (taken, refused) == ({1: EXPLICIT}, {0: 3})


def test_roles_that_are_not_ours_are_refused(tmp_path):
    """Nobody fetches from a node without C-GET."""
    with house(tmp_path, SENDER) as node:
        taken, refused = propose(
            node.listener.port, [build_context(CT, [EXPLICIT])], ext_neg=[build_role(CT, scp_role=True)]
        )
    assert (taken, refused) == ({}, {0: 3})


def test_128_contexts(tmp_path):
    contexts = [build_context(f"{PRIVATE}.{number}", list(STANDARD_ORDER[:30])) for number in range(128)]
    with house(tmp_path, SENDER) as node:
        taken, _ = propose(node.listener.port, contexts)
    assert taken == dict.fromkeys(range(128), LOSSLESS)


STORESCU, DCMCJPEG = Path("/usr/bin/storescu"), Path("/usr/bin/dcmcjpeg")


@pytest.mark.skipif(not STORESCU.is_file(), reason="dcmtk's storescu is not installed")
@pytest.mark.parametrize(
    ("option", "chosen"),
    [
        ("-xs", "JPEGLossless:Non-hierarchical-1stOrderPrediction"),
        ("-xv", "JPEG2000LosslessOnly"),
        ("-xt", "JPEGLSLossless"),
        ("-xr", "RLELossless"),
        ("-xy", "LittleEndianExplicit"),  # JPEG baseline: nobody compresses with loss for us
        ("-xw", "LittleEndianExplicit"),  # JPEG 2000 that may be lossy
        ("-xd", "LittleEndianExplicit"),  # deflated
        ("-xb", "LittleEndianExplicit"),  # big endian first
        ("-xi", "LittleEndianImplicit"),  # nothing else
    ],
)
def test_dcmtk_gets_our_choice(tmp_path, option, chosen):
    """+C: the option's transfer syntax and the uncompressed ones in one context; dcmtk prints what was accepted."""
    (path,) = study(tmp_path / "out", 1)
    names = ["-aet", "SENDER", "-aec", "REREAD", "127.0.0.1"]
    with house(tmp_path, SENDER) as node:
        done = subprocess.run(
            [STORESCU, "-d", "-R", "+C", option, *names, str(node.listener.port), path],
            env={**os.environ, "TCP_NODELAY": "1"},
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )
    text = done.stdout + done.stderr
    answer = text[text.index("BEGIN A-ASSOCIATE-AC") : text.index("END A-ASSOCIATE-AC")]
    found = [line.partition("=")[2] for line in answer.splitlines() if "Accepted Transfer Syntax" in line]
    assert found == [chosen]


@pytest.mark.skipif(not DCMCJPEG.is_file() or not STORESCU.is_file(), reason="dcmtk is not installed")
def test_dcmtk_sends_compressed_bytes_as_they_are(tmp_path):
    plain = write(made(1, size=64), tmp_path / "plain.dcm")
    path = tmp_path / "compressed.dcm"
    subprocess.run([DCMCJPEG, plain, path], check=True, timeout=60)
    with house(tmp_path, SENDER) as node:
        subprocess.run(
            [STORESCU, "-xs", "-aet", "SENDER", "-aec", "REREAD", "127.0.0.1", str(node.listener.port), path],
            env={**os.environ, "TCP_NODELAY": "1"},
            timeout=60,
            check=True,
        )
        node.ledger.close_study("2.25.1", "test")
        (image,) = node.ledger.studies_to_measure()[0].instances
        assert image.transfer_syntax_uid == LOSSLESS
        assert node.spool.resolve(image.path).read_bytes()[-300:] == path.read_bytes()[-300:]
