"""Which decoders are there: tried for real, by a round trip of a small image through each codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1


def codec_report() -> tuple[tuple[str, str], ...]:
    """Pairs of codec and the decoder that reads it; an empty decoder means that none works here."""
    image = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 61) % 4096
    trials: tuple[tuple[str, Callable[..., Any], Callable[..., Any]], ...] = (
        ("JPEG lossless", imagecodecs.ljpeg_encode, imagecodecs.jpeg_decode),
        ("JPEG-LS", imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
        ("HTJ2K", imagecodecs.htj2k_encode, imagecodecs.htj2k_decode),
    )
    lines = [(name, "imagecodecs" if _survives(image, encode, decode) else "") for name, encode, decode in trials]
    lines.append(("RLE", "imagecodecs" if imagecodecs.DICOMRLE.available else ""))
    lines.append(("JPEG 2000", ", ".join(get_decoder(JPEG2000Lossless).available_plugins)))
    lines.append(("JPEG lossless, second decoder", ", ".join(get_decoder(JPEGLosslessSV1).available_plugins)))
    return tuple(lines)


def _survives(image: NDArray[np.uint16], encode: Callable[..., Any], decode: Callable[..., Any]) -> bool:
    try:
        return bool(np.array_equal(decode(encode(image)), image))
    except (RuntimeError, ValueError, ImportError):  # what imagecodecs raises; ImportError: built without the codec
        return False
