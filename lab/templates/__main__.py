"""python -m lab.templates [NAME ...]: run ComfyUI's templates with RALU; all make the page."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from lab.comfy.locate import REPOSITORY, find_host
from lab.templates.package import templates_of, version_of
from lab.templates.running import FAILED, Outcome, run_template, template_bench
from lab.templates.table import page

PAGE = REPOSITORY / "docs" / "templates.md"


def main(names: list[str]) -> int:
    host = find_host()
    templates = [one for one in templates_of(host) if not names or one.name in names]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as models, template_bench(Path(models)) as bench:
        for template in templates:
            outcome = run_template(bench, template)
            outcomes.append(outcome)
            if outcome.left_out is None:
                for way, end in outcome.ends.items():
                    sys.stderr.write(f"{template.name}, {way}: {end.state} {end.words}\n")
    made = page(outcomes, host.version, version_of(host))
    if names:
        sys.stdout.write(made)
    else:
        PAGE.write_text(made, encoding="utf-8")
    return int(any(end.state == FAILED for one in outcomes for end in one.ends.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
