"""The codec report tries each decoder and tells the truth when one is broken."""

from __future__ import annotations

import numpy as np
import pytest

from reread.connectors import codecs
from reread.connectors.codecs import codec_report


def test_every_codec_has_a_decoder_in_this_environment():
    report = dict(codec_report())
    assert {name for name, decoder in report.items() if not decoder} == set()
    assert {"JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K", "RLE"} <= set(report)


def broken(*_):
    raise RuntimeError("made to fail")


def not_built(*_):
    raise ImportError("built without it")


def wrong_values(*_):
    return np.zeros((8, 8), np.uint16)


@pytest.mark.parametrize("decoder", [broken, not_built, wrong_values])
def test_a_decoder_that_fails_or_lies_is_not_reported(monkeypatch, decoder):
    monkeypatch.setattr(codecs.imagecodecs, "jpegls_decode", decoder)
    report = dict(codec_report())
    assert report["JPEG-LS"] == ""
    assert report["JPEG lossless"] == "imagecodecs"
