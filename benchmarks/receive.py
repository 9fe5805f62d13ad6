"""Receiving over C-STORE: Reread beside dcmtk's storescp and Orthanc, the same files, one run.

    python -m benchmarks.receive [--quick] [--only reread,orthanc] [--kinds mg,ct,tomo] [--senders 1,4,16]

Mammograms of 17 MB, CT slices of 0.5 MB and one tomosynthesis object of 500 MB, sent by dcmtk's storescu with
TCP_NODELAY=1. All receivers write to the folder of `--folder` (default: the temporary folder), which should be a real
disk. Reread syncs file and ledger before it acknowledges; Orthanc syncs each file (SyncStorageArea, its default) but
not its index at each commit; storescp syncs nothing. The disk is settled before each run and emptied after it.
Rounds alternate the receivers; figures are medians, of memory the largest. MB are 10^6 bytes; memory is PSS summed
over the processes of a receiver, and under "a process" the resident memory of the largest of them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.receive_data import MadeFile, ct_slices, mammograms, tomosynthesis
from benchmarks.receivers import (
    ORTHANC,
    STORESCP,
    STORESCU,
    Receiver,
    Watch,
    cpu_seconds,
    free_bytes,
    orthanc,
    reread,
    send,
    storescp,
)

PEERS = {"reread": (reread, None), "storescp": (storescp, STORESCP), "orthanc": (orthanc, ORTHANC)}
TITLES = {"mg": "mammograms", "ct": "CT slices", "tomo": "tomosynthesis object"}
GOAL_OF_ORTHANC, GOAL_OF_STORESCP, GOAL_TOMO_MB = 1.0, 0.6, 200.0


@dataclass(frozen=True, slots=True)
class Run:
    """One receiver, one set of files, one number of senders."""

    mb_per_s: float
    objects_per_s: float
    cpu_ms_per_mb: float
    idle_mb: float
    peak_mb: float
    peak_process_mb: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What is compared."""

    kind: str
    senders: int


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure; of memory the largest."""
    return Run(
        median(run.mb_per_s for run in runs),
        median(run.objects_per_s for run in runs),
        median(run.cpu_ms_per_mb for run in runs),
        median(run.idle_mb for run in runs),
        max(run.peak_mb for run in runs),
        max(run.peak_process_mb for run in runs),
    )


def measure(receiver: Receiver, files: Sequence[MadeFile], senders: int, number: int) -> Run:
    """Send the files once, under new UIDs; check that all of them arrived, and clear them away."""
    for file in files:
        file.renew(number)
    megabytes = sum(file.size_bytes for file in files) / 1e6
    shares = [[file.path for file in files[first::senders]] for first in range(senders)]
    os.sync()
    before = cpu_seconds(receiver.pid)
    with Watch(receiver.pid) as watch:
        seconds = send(receiver, [share for share in shares if share])
    time.sleep(0.1)  # storescp reaps its children
    used = cpu_seconds(receiver.pid) - before
    stored = receiver.stored_files()
    arrived = sum(path.stat().st_size for path in stored) / 1e6
    if arrived < 0.999 * megabytes:
        raise SystemExit(f"{receiver.name} acknowledged {megabytes:.1f} MB and holds {arrived:.1f} MB")
    for path in stored:
        path.unlink()
    return Run(
        megabytes / seconds,
        len(files) / seconds,
        1000 * used / megabytes,
        watch.idle_mb,
        watch.peak_mb,
        watch.peak_process_mb,
    )


def goal(name: str, measured: float, target: float, *, least: bool) -> None:
    met = measured >= target if least else measured < target
    print(f"GOAL {name} {measured:.3f} {target:g} {'met' if met else 'missed'}")


def print_table(results: dict[Setting, dict[str, Run]]) -> None:
    for setting, by_name in results.items():
        print(f"\n{TITLES[setting.kind]}, {setting.senders} sender{'s' if setting.senders > 1 else ''}")
        titles = ("MB/s", "objects/s", "CPU ms/MB", "idle MB", "peak MB", "over idle", "a process")
        print(f"  {'':<10}{''.join(f'{title:>11}' for title in titles)}")
        for name, run in by_name.items():
            print(
                f"  {name:<10}{run.mb_per_s:11.0f}{run.objects_per_s:11.1f}{run.cpu_ms_per_mb:11.2f}"
                f"{run.idle_mb:11.0f}{run.peak_mb:11.0f}{run.peak_mb - run.idle_mb:11.0f}"
                f"{run.peak_process_mb:11.0f}"
            )
        ours = by_name.get("reread")
        for name in ("orthanc", "storescp"):
            other = by_name.get(name)
            if ours is not None and other is not None:
                print(
                    f"  reread / {name}: rate {ours.mb_per_s / other.mb_per_s:.2f}, "
                    f"CPU {ours.cpu_ms_per_mb / max(other.cpu_ms_per_mb, 1e-3):.2f}, "
                    f"peak memory {ours.peak_mb / other.peak_mb:.2f}"
                )


def print_goals(results: dict[Setting, dict[str, Run]]) -> None:
    print()
    for setting, by_name in results.items():
        if "reread" not in by_name:
            continue
        ours = by_name["reread"]
        if setting.kind == "tomo":
            goal("largest_process_mb_with_the_large_object", ours.peak_process_mb, GOAL_TOMO_MB, least=False)
            continue
        title = "mammograms" if setting.kind == "mg" else "small_objects"
        if "orthanc" in by_name:
            ratio = ours.mb_per_s / by_name["orthanc"].mb_per_s
            goal(f"{title}_rate_of_orthanc_{setting.senders}_senders", ratio, GOAL_OF_ORTHANC, least=True)
        if setting == Setting("mg", 1) and "storescp" in by_name:
            ratio = ours.mb_per_s / by_name["storescp"].mb_per_s
            goal("mammograms_rate_of_storescp_1_sender", ratio, GOAL_OF_STORESCP, least=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer files, two rounds")
    parser.add_argument("--only", default=",".join(PEERS), help="receivers, with commas")
    parser.add_argument("--kinds", default=",".join(TITLES), help="mg, ct, tomo, with commas")
    parser.add_argument("--senders", default="1,4,16", help="numbers, with commas")
    parser.add_argument("--rounds", type=int, default=0, help="default 3, with --quick 2")
    parser.add_argument("--folder", type=Path, default=None, help="where everything is written")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    if not STORESCU.is_file():
        raise SystemExit(f"nothing can be sent without dcmtk: {STORESCU} is missing")
    names = [name for name in PEERS if name in chosen.only.split(",")]
    for name in list(names):
        program = PEERS[name][1]
        if program is not None and not program.is_file():
            print(f"{program} is missing: no ratios to {name}")
            names.remove(name)
    rounds = chosen.rounds or (2 if chosen.quick else 3)
    many, slices = (16, 128) if chosen.quick else (64, 800)
    kinds = chosen.kinds.split(",")
    senders = [int(word) for word in chosen.senders.split(",")]
    settings = [Setting(kind, n) for kind in ("mg", "ct") if kind in kinds for n in senders]
    settings += [Setting("tomo", 1)] if "tomo" in kinds else []
    with TemporaryDirectory(dir=chosen.folder) as name, ExitStack() as stack:
        root = Path(name)
        (root / "sent").mkdir()
        space_mb = free_bytes(root) / 1e6
        large = 500 if space_mb > 8000 else 100
        if large < 500:
            print(f"only {space_mb:.0f} MB free: the large object has {large} MB instead of 500")
        makers: dict[str, Callable[[], list[MadeFile]]] = {
            "mg": lambda: mammograms(root / "sent", many),
            "ct": lambda: ct_slices(root / "sent", slices),
            "tomo": lambda: tomosynthesis(root / "sent", large),
        }
        files = {kind: makers[kind]() for kind in kinds}
        for kind, made in files.items():
            print(f"{TITLES[kind]}: {len(made)} of {made[0].size_bytes / 1e6:.1f} MB")
        receivers = [stack.enter_context(PEERS[one][0](root)) for one in names]
        numbers = count(1)
        for receiver in receivers:  # first imports, first pages of the disk
            measure(receiver, next(iter(files.values())), 1, next(numbers))
        found: dict[Setting, dict[str, list[Run]]] = {one: {name: [] for name in names} for one in settings}
        for one in settings:
            for turn in range(1 if chosen.quick and one.kind == "tomo" else rounds):
                for receiver in receivers[turn % len(receivers) :] + receivers[: turn % len(receivers)]:
                    run = measure(receiver, files[one.kind], one.senders, next(numbers))
                    found[one][receiver.name].append(run)
        print(f"medians of {rounds} rounds{', the large object once' if chosen.quick else ''}")
    results = {one: {name: middle(runs) for name, runs in by.items()} for one, by in found.items()}
    print_table(results)
    print_goals(results)


if __name__ == "__main__":
    main()
