"""Whether the tree as it is gives what another commit gives, to the byte.

Runs every case on tiny models in each ComfyUI version, once with the pack of the base commit and
once with the pack as it lies here, each in a process of its own. Fails if a case differs, exists on
one side only, or stops where it should not. Both sides run the cases as they are written here.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.comfy import HostError
from lab.comfy.pins import VERSIONS

from .compare import Comparison, compare
from .trees import ROOT, run_cases, tree_of

BASE = "84bd7b6"  # nothing since was to change a picture or a refusal; moves with what does


def compare_trees(
    base: str, versions: list[str], patterns: list[str], jobs: int
) -> list[Comparison]:
    found = []
    with tempfile.TemporaryDirectory(prefix="ralu-equality-") as folder, tree_of(base) as tree:
        for version in versions:
            start = time.monotonic()
            sides = [Path(folder) / version / side for side in ("base", "new")]
            trees = dict(zip((tree, ROOT), sides, strict=True))
            run_cases(trees, version, patterns, jobs)
            found.append(compare(version, *sides))
            print("\n".join(found[-1].lines()))
            print(f"  in {time.monotonic() - start:.0f} s", flush=True)
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lab.equality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", default=BASE, help=f"the commit to compare with ({BASE})")
    parser.add_argument("--version", choices=VERSIONS, help="one ComfyUI instead of all")
    parser.add_argument(
        "--only", nargs="+", default=["*"], metavar="PATTERN", help="cases, such as 'flux/*'"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument(
        "--record", action="store_true", help="write what tests/host/test_recorded.py expects"
    )
    asked = parser.parse_args(arguments)
    others = [
        name
        for name in ("base", "version", "only", "jobs")
        if asked.record and getattr(asked, name) != parser.get_default(name)
    ]
    if others:
        parser.error(
            "--record runs cases of its own in every version, got "
            f"--{', --'.join(others)} with it: leave that out."
        )
    return asked


def main() -> int:
    asked = parse()
    for name in ("SIGTERM", "SIGHUP"):  # so that the base's worktree goes then, too
        signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    versions = [asked.version] if asked.version else list(VERSIONS)
    try:
        if asked.record:
            from .record import record

            print(record())
            return 0
        found = compare_trees(asked.base, versions, asked.only, max(1, asked.jobs))
    except HostError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
