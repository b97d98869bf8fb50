"""The table of docs/compatibility.md, made of what the tests with a promise mark did.

Run once for each host, the slow tests too unless `-m "not slow"` follows, then print the table:

    RALU_HOST=0.30.0 python tests/host/support/compat_table.py run out/0.30.0.json
    RALU_HOST=0.3.75 python tests/host/support/compat_table.py run out/0.3.75.json
    python tests/host/support/compat_table.py table out/0.30.0.json out/0.3.75.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests" / "host"
MARKS = {"passed": "proven", "failed": "**fails**", "skipped": "does not apply"}


class Promises:
    """Collects, as a pytest plugin, the outcomes of the tests behind each promise."""

    def __init__(self) -> None:
        self.of_test: dict[str, str] = {}
        self.outcomes: dict[str, Counter[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("promise")
            if mark is not None:
                self.of_test[item.nodeid] = mark.args[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        promise = self.of_test.get(report.nodeid)
        decides = report.when == "call" or report.outcome != "passed"
        if promise is not None and decides:
            self.outcomes.setdefault(promise, Counter())[report.outcome] += 1


def run(result: Path, arguments: list[str]) -> int:
    """Run the tests that have promises, or those asked for, and write the outcomes as JSON."""
    promises = Promises()
    options = [
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
        "--confcutdir",
        str(ROOT / "tests"),
        "-q",
    ]
    files = sorted(str(file) for file in TESTS.rglob("test_*.py") if "promise(" in file.read_text())
    status = pytest.main([*options, *files, *arguments], plugins=[promises])
    sys.path.insert(0, str(ROOT))
    from lab.comfy import find_host

    kept = {"host": find_host(None).version, "promises": promises.outcomes}
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return int(status)


def cell(outcomes: dict[str, int] | None) -> str:
    """What one host's outcomes come to: a failure outweighs what passed, and that what skipped."""
    if not outcomes:
        return "not run"
    decided = next(name for name in ("failed", "passed", "skipped") if outcomes.get(name))
    count = outcomes[decided]
    return f"{MARKS[decided]}, {count} test{'s' if count > 1 else ''}"


def table(results: list[dict]) -> str:
    """Markdown: one line for each promise, one column for each host."""
    hosts = [result["host"] for result in results]
    lines = [
        "| With RALU | " + " | ".join(f"ComfyUI {host}" for host in hosts) + " |",
        "|---|" + "---|" * len(hosts),
    ]
    promises = sorted({promise for result in results for promise in result["promises"]})
    for promise in promises:
        cells = (cell(result["promises"].get(promise)) for result in results)
        lines.append(f"| {promise} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    if len(arguments) >= 2 and arguments[0] == "run":
        return run(Path(arguments[1]), arguments[2:])
    if len(arguments) >= 2 and arguments[0] == "table":
        results = [json.loads(Path(file).read_text(encoding="utf-8")) for file in arguments[1:]]
        sys.stdout.write(table(results) + "\n")
        return 0
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
