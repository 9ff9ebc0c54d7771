"""A dataset run that kills itself at some of its events and is gone on with; started by test_killed.py.

    python killed_batch.py FOLDER TASKS EVENT ...

Each sitting is a child of this process; what came of each is printed as JSON, how it ended first.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from geak.batch.running import Told, What
from tests.batch.stage import BAD, GOOD, batch, bought, dataset, fates
from tests.loop import stage


def sitting(place: Path, stop_at: int) -> int:
    """Works on it in a child that kills itself at that event, counted over all kernels; how the child ended."""
    child = os.fork()
    if child == 0:
        try:
            seen = 0

            def watch(what: What) -> None:
                nonlocal seen
                seen += isinstance(what, Told)
                if stop_at and seen == stop_at:
                    os.kill(os.getpid(), signal.SIGKILL)

            result = batch(place, BAD, GOOD, stage.kernel(2), watch=watch, jobs=8, usd=None)
            (place / "result.json").write_text(json.dumps({"fates": fates(result), "lost": result.account.lost}))
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    base, tasks, events = Path(sys.argv[1]), int(sys.argv[2]), [int(word) for word in sys.argv[3:]]
    found = {}
    for name, stops in (("whole", [0]), ("killed", [*events, 0])):
        place = base / name
        place.mkdir()
        dataset(place, *["never" if n % 5 == 4 else "" for n in range(tasks)])
        ends = [sitting(place, stop_at) for stop_at in stops]
        result = json.loads((place / "result.json").read_text())
        found[name] = {"ends": ends, "bought": sorted([*k, n] for k, n in bought(place / "run").items())} | result
    print(json.dumps(found))


if __name__ == "__main__":
    main()
