"""Items are counted wherever they stand: at odd and even places, across the blocks that a scan reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reread.analytics.errors import NotDicom
from reread.connectors import careful_reading
from reread.connectors.careful_reading import check_items_of

LITTLE, BIG = bytes.fromhex("feff00e0"), bytes.fromhex("fffee000")


def counted(content: bytes) -> int:
    return sum(content[at : at + 4] in (LITTLE, BIG) for at in range(len(content)))


@given(
    st.lists(st.sampled_from([LITTLE, BIG, b"\xfe", b"\xff\x00", b"\xfe\xff", b"abc", bytes(5)]), max_size=60),
    st.sampled_from([2, 4, 16, 64]),
)
def test_one_more_than_allowed_is_refused_and_no_less(pieces, block_bytes):
    content = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(careful_reading, "_SCAN_BYTES", block_bytes)
        check_items_of(content, counted(content))
        if counted(content):
            with pytest.raises(NotDicom, match="items of sequences"):
                check_items_of(content, counted(content) - 1)
