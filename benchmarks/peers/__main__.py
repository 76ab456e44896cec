"""Run one peer once, and print what was found as JSON."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from importlib.metadata import version

from benchmarks.peers.peer import Peer, drain, latency


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", help="the name of its module")
    parser.add_argument("what", choices=("drain", "latency"))
    parser.add_argument("--variant", required=True)
    parser.add_argument("--programs", type=int, required=True)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    peer: Peer = import_module(f"benchmarks.peers.{options.peer}").PEER
    measure = drain if options.what == "drain" else latency
    peer.empty()
    try:
        found = measure(peer, options.variant, options.programs, options.steps)
    finally:
        peer.clear()
    print(json.dumps({**found, "versions": {name: version(name) for name in peer.packages}}))


if __name__ == "__main__":
    main()
