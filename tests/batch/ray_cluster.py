"""Dataset runs over a Ray cluster of two nodes on this machine, one of which is killed; started by test_ray.py.

python ray_cluster.py FOLDER, which gets found.json: what became of each
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

import geak
from geak import cluster as ours
from geak.journal.events import Judged, Unjudged
from geak.journal.store import read
from tests.batch.stage import batch, bought, dataset, fates
from tests.loop import stage

# Ray takes 127.0.0.1 for the address that this machine has for others. The GPUs are declared: there need not be any.
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.2"}
TASKS = 7


def until(what, seconds: float = 240.0):  # type: ignore[no-untyped-def]
    """What it gives, once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise SystemExit(f"it never came: {what}")


def over(place: Path, address: str, *flags: str, **more: object) -> geak.BatchResult:
    """A dataset run whose judges are the cluster's."""
    judge = f"{sys.executable} {Path(__file__).with_name('ray_judge.py')} {place}/starts {' '.join(flags)}"
    return batch(place, **{"judge": (judge,), "executor": "ray", "address": address, "rounds": 1, **more})


def refused(place: Path, address: str, *flags: str, **more: object) -> dict[str, object]:
    """What is said where nothing can be judged."""
    try:
        result = over(place, address, *flags, **more)
    except geak.GeakError as error:
        return {"code": error.exit_code, "said": str(error)}
    return {"code": result.exit_code, "said": result.message, "fates": fates(result)}


def another_version(place: Path, address: str) -> dict[str, object]:
    """Workers have the GEAK that is installed, and this process says that it is another."""
    version, ours.__version__ = ours.__version__, "0.0.1"
    try:
        return refused(place, address) | {"version": version}
    finally:
        ours.__version__ = version


def killed(place: Path, cluster: Cluster, other: object) -> dict[str, object]:
    """A node is killed while each of three judges is at work."""
    # A script for all kernels: each waits in a file of its own, by the spec that is asked about.
    stage.script(place, [stage.kernel(0, f"waits: {place}/asked-SPEC")])
    found: dict[str, object] = {}

    def run() -> None:
        result = over(place, cluster.address, jobs=3)
        found.update(fates=fates(result), code=result.exit_code, message=result.message)

    def asked() -> list[Path]:
        return [path for path in place.glob("asked-*") if path.suffix != ".go"]

    working = threading.Thread(target=run, daemon=True)
    working.start()
    first = until(lambda: len(asked()) == 3 and asked())
    actors = [one for one in ray._private.state.actors().values() if one["State"] == "ALIVE"]
    nodes = {one["Address"]["NodeID"] for one in actors}
    devices = sorted((place / "starts").read_text().split())
    # One may go on: its verdict is here before the others have theirs, and its judge takes the next kernel.
    Path(f"{first[0]}.go").touch()
    name = first[0].name.removeprefix("asked-")
    until(lambda: judged(place, name))
    streamed = not any(judged(place, path.name.removeprefix("asked-")) for path in first[1:])
    until(lambda: len(asked()) == 4)
    cluster.remove_node(other, allow_graceful=False)
    until(lambda: "RESTARTING" in [one["State"] for one in ray._private.state.actors().values()])
    for number in range(TASKS):
        Path(f"{place}/asked-k{number:02}.go").touch()
    working.join(300)
    verdicts = Counter(
        (folder.parent.name, event.candidate, event.tier.value)
        for folder in place.glob("run/kernels/*/*")
        for event in judged(place, folder.parent.name)
    )
    return found | {
        "nodes": len(nodes),
        "devices": devices,
        "streamed": streamed,
        "twice": sorted(Counter(path.read_text().count("\n") for path in asked()).items()),
        "judged": sorted(set(verdicts.values())),
        "verdicts": len(verdicts),
        "bought": sorted(set(bought(place / "run").values())),
    }


def judged(place: Path, task: str) -> list[Judged]:
    """The verdicts in a kernel's journal, so far."""
    folder = place / "run" / "kernels" / task / "1"
    if not (folder / "events.jsonl").exists():
        return []
    return [entry.event for entry in read(folder) if isinstance(entry.event, Judged)]


def main() -> None:
    place = Path(sys.argv[1])
    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"num_gpus": 2, "include_dashboard": False})
    other = cluster.add_node(**NODE, num_gpus=1)
    cluster.wait_for_nodes()
    places = {name: place / name for name in ("version", "unlike", "nothing", "ends", "killed")}
    for name, folder in places.items():
        folder.mkdir()
        dataset(folder, *["# ends its worker", ""] if name == "ends" else [""] * (TASKS if name == "killed" else 2))
    stage.script(places["ends"], [stage.kernel(1)])
    address = cluster.address
    found: dict[str, object] = {
        "version": another_version(places["version"], address),
        "unlike": refused(places["unlike"], address, "--unlike"),
        "nothing": refused(places["nothing"], address, judge=("no-such-judge",)),
        "ends": refused(places["ends"], address),
    }
    entries = read(places["ends"] / "run" / "kernels" / "k00" / "1")
    found["ends_why"] = [entry.event.why for entry in entries if isinstance(entry.event, Unjudged)]
    found["ends_asked"] = (places["ends"] / "starts-ends").read_text().count("\n")
    found["killed"] = killed(places["killed"], cluster, other)
    (place / "found.json").write_text(json.dumps(found, indent=1))
    cluster.shutdown()
    os._exit(0)  # also where a run still waits


if __name__ == "__main__":
    main()
