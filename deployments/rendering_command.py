"""`reread render`: what DICOM results show, as PNG files, without a viewer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

NOT_DRAWN = 1


def render(
    *files: Path,
    out: Path,
    images: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    height: Annotated[int, Parameter(validator=Number(gte=100, lte=6000))] = 1200,
) -> int:
    """Draw images, presentation states, reports, segmentations and captures of any maker as PNG.

    Research and quality software: the pictures are not for diagnosis. Exit code 1: something could not be drawn.

    Parameters
    ----------
    files
        Files and folders to draw.
    out
        Folder for the PNG files; each is named after its DICOM file.
    images
        Files and folders with the images that the files refer to; those among the files count too.
    height
        Of the pictures of mammograms, in pixels. Captures keep their size.
    """
    from reread.connectors.renderings.rendering import render_files

    if not files:
        sys.stderr.write("reread: no file or folder given\n")
        return NOT_DRAWN
    missing = [path for path in (*files, *images) if not path.exists()]
    for path in missing:
        sys.stderr.write(f"{path}: no such file or folder\n")
    failed = bool(missing)
    present = [path for path in files if path.exists()]
    for item in render_files(present, out, images=[path for path in images if path.exists()], height_px=height):
        for picture in item.pictures:
            sys.stdout.write(f"{picture}\n")
        for problem in item.problems:
            sys.stderr.write(f"{item.path}: {problem}\n")
        failed = failed or bool(item.problems)
    return NOT_DRAWN if failed else 0
