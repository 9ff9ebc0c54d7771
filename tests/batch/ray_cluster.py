"""A dataset run over a Ray cluster of two nodes on this machine, one of which is killed; started by test_ray.py.

python ray_cluster.py FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "180",
    "RAY_gcs_server_request_timeout_seconds": "180",
}
sys.path.insert(0, str(Path(__file__).parents[2]))

import ray
from ray.cluster_utils import Cluster

from geak.journal.events import Judged
from geak.journal.store import read
from tests.batch.stage import batch, bought, dataset, fates
from tests.loop import stage

# Ray takes 127.0.0.1 for the address that this machine has for others.
NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.2"}
TASKS = 6


def until(what, seconds: float = 120.0):  # type: ignore[no-untyped-def]
    """What it gives, once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise SystemExit(f"it never came: {what}")


def main() -> None:
    place = Path(sys.argv[1])
    dataset(place, *[""] * TASKS)
    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"include_dashboard": False})
    other = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    # A script for all kernels: each waits in a file of its own, by the spec that is asked about.
    stage.script(place, [stage.kernel(0, f"waits: {place}/asked-SPEC")])
    found: dict[str, object] = {}

    def run() -> None:
        result = batch(place, executor="ray", address=cluster.address, jobs=2, rounds=1)
        found.update(fates=fates(result), code=result.exit_code, message=result.message)

    working = threading.Thread(target=run)
    working.start()
    waiting = until(lambda: [p for p in place.glob("asked-*") if p.suffix != ".go"][1:])
    assert len(waiting) == 1
    nodes = {a["Address"]["NodeID"] for a in ray._private.state.actors().values() if a["State"] == "ALIVE"}
    cluster.remove_node(other, allow_graceful=False)
    twice = until(lambda: [p for p in place.glob("asked-*") if p.suffix != ".go" and p.read_text().count("\n") == 2])
    for number in range(TASKS):
        Path(f"{place}/asked-k{number:02}.go").touch()
    working.join(180)
    judged = Counter()
    for run_folder in place.glob("run/kernels/*/*"):
        for entry in read(run_folder):
            if isinstance(entry.event, Judged):
                judged[run_folder.parent.name, entry.event.candidate, entry.event.tier.value] += 1
    found |= {
        "nodes": len(nodes),
        "twice": len(twice),
        "judged": sorted(set(judged.values())),
        "verdicts": len(judged),
        "bought": sorted(set(bought(place / "run").values())),
    }
    print(json.dumps(found))
    cluster.shutdown()


if __name__ == "__main__":
    main()
