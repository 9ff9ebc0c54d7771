"""`python -m geak_evaluator`: the judge over stdio; `record` makes cases of a program's calls, `replay` runs a plan."""

from __future__ import annotations

import argparse
import sys

from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import Level


def main(argv: list[str] | None = None) -> int:
    """Runs a subcommand; 3 says that the machine cannot do it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["record"]:
        from geak_evaluator.recording.command import main as record

        return record(arguments[1:])
    if arguments[:1] == ["replay"]:
        from geak_evaluator.measure.replaying import main as replay

        return replay(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m geak_evaluator", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve")
    parser.add_argument("--allow-weak-sandbox", action="store_true", help="go on where the self-test finds a leak")
    parser.add_argument("--workers", type=int, default=1, help="requests at a time; 0 is one for each processor")
    parser.add_argument("--no-estimates", action="store_true", help="verdicts say nothing of times: sooner done")
    parser.add_argument("--device", default="", metavar="simulated:TARGET", help="a simulated device, to try the clock")
    parser.add_argument("--gpu-ids", default="", help="which of the visible GPUs it may use: numbers or UUIDs, as 0,2")
    options = parser.parse_args(arguments)
    try:
        from geak_evaluator.measure.devices import NoSuchDevice, narrow
        from geak_evaluator.serve import pooled, stdio
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        print("error: the judge needs numpy (and torch and triton) in the Python that runs it", file=sys.stderr)
        return 3
    try:
        if options.workers != 1:
            names = {"--allow-weak-sandbox": options.allow_weak_sandbox, "--no-estimates": options.no_estimates}
            flags = [name for name, wanted in names.items() if wanted]
            flags += ["--gpu-ids", options.gpu_ids] * bool(options.gpu_ids)
            pooled(options.workers, [*flags, *(["--device", options.device] if options.device else [])])
            return 0
        if options.gpu_ids:
            narrow(options.gpu_ids)
        with Sandbox(minimum=Level.BASE if options.allow_weak_sandbox else Level.CONFINED) as box:
            stdio(box, options.device, estimates=not options.no_estimates)
    except (SandboxError, NoSuchDevice) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
