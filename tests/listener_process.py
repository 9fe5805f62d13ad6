"""A listener as a process of its own, for tests that kill or starve it.

    python listener_process.py FOLDER [--port 0] [--timeout-s 60] [--limit 10]

Says "listening PORT" and ends with its standard input.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from loopback import house

from reread.connectors.peers import Peer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--timeout-s", type=float, default=60.0)
    parser.add_argument("--limit", type=int, default=10)
    chosen = parser.parse_args()
    peer = Peer("sender", "SENDER", "127.0.0.1", 11999)
    with house(chosen.folder, peer, port=chosen.port, limit=chosen.limit, network_timeout_s=chosen.timeout_s) as node:
        sys.stdout.write(f"listening {node.listener.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
