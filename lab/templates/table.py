"""The table of docs/templates.md, from how the templates ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.templates.running import FAILED, REFUSED, RUNS, Outcome
from lab.templates.scope import NOT_PICTURES, REASONS, SERVICES

HEAD = """# ComfyUI's own templates with RALU

Made by `python -m lab.templates`, of all {total} templates of ComfyUI {host} (its package
comfyui-workflow-templates {package}). Each that samples a picture with a model that RALU knows ran
on a real server, with RALU Sampler in its KSampler's place, or RALU Sampler (Advanced) in that of
SamplerCustomAdvanced and SamplerCustom, inside subgraphs too. Models were small ones of random
weights and of the same classes, LoRAs empty, sizes a quarter: it shows that the graphs run and what
is refused, not how pictures look. No schedule was connected, the quality was *paper*, and
`plain_steps` the template's own, by which turbo models and Lightning LoRAs get their plan
([plans.md](plans.md)). The last column names the plans that ran.

{counts}. {kept} of these are for a model patch
or a model that only plans of several sizes refuse: *paper* and schedules. *fine*, *balanced* and
*draft* do not.
"""
KEPT = "RALU's mixed stage calls", "RALU runs this MODEL"  # so begins what only these plans say
COUNTED_ONLY = (NOT_PICTURES, SERVICES)  # too many to be named


def page(outcomes: Sequence[Outcome], host: str, package: str) -> str:
    """The whole page, in Markdown."""
    tried = [outcome for outcome in outcomes if outcome.left_out is None]
    counted = Counter(outcome.state for outcome in tried)
    said = {RUNS: "run", REFUSED: "are refused in one sentence", FAILED: "fail"}
    parts = [f"{counted[state]} {words}" for state, words in said.items() if counted[state]]
    kept = sum(one.state == REFUSED and one.words.startswith(KEPT) for one in tried)
    counts = ", ".join(parts)
    head = HEAD.format(total=len(outcomes), host=host, package=package, counts=counts, kept=kept)
    rows = sorted(tried, key=lambda one: (_models(one), one.template.name))
    lines = ["| template | model | with RALU |", "|---|---|---|", *map(row, rows)]
    return "\n".join([head, *lines, "", "## Not tried", "", *_left_out(outcomes)]) + "\n"


def _models(outcome: Outcome) -> str:
    return ", ".join(kind.name for kind in outcome.kinds)


def row(outcome: Outcome) -> str:
    """How a template ended, as a line of the table."""
    ended = outcome.state
    if outcome.state == RUNS and outcome.samplers > 1:
        ended = f"runs, {outcome.samplers} samplers"
    if outcome.plans:
        ended = f"{ended}: {', '.join(outcome.plans)}"
    if outcome.state != RUNS:
        ended = f"{outcome.state}: {outcome.words}"
    cells = (f"`{outcome.template.name}`", _models(outcome), ended)
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _left_out(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for reason in REASONS:
        names = sorted(one.template.name for one in outcomes if one.left_out == reason)
        if names:
            shown = "" if reason in COUNTED_ONLY else ": " + ", ".join(f"`{n}`" for n in names)
            lines.append(f"- {len(names)} {reason}{shown}.")
    return lines
