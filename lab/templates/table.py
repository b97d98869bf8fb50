"""The table of docs/templates.md, from how the templates ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.templates.running import FAILED, REFUSED, RUNS, End, Outcome
from lab.templates.scope import NOT_PICTURES, REASONS, SERVICES
from lab.templates.substitute import IN_FRONT, REPLACED, WAYS

HEAD = """# ComfyUI's own templates with RALU

Made by `python -m lab.templates`, of all {total} templates of ComfyUI {host} (its package
comfyui-workflow-templates {package}). Each that samples a picture with a model that RALU knows ran
on a real server twice, inside subgraphs too:

- *in front*: the node RALU on the MODEL wire, as it comes, at *balanced*:
  {in_front};
- *in its place*: RALU Sampler for the KSampler, or RALU Sampler (Advanced) for
  SamplerCustomAdvanced and SamplerCustom, at *paper*, without a schedule, `plain_steps` the
  template's own:
  {replaced}, {kept} of them for a model patch or a model that
  only plans of several sizes refuse.

Samplers, numbers of steps, LoRAs and all else stayed the template's; few steps are a turbo model's
or a Lightning LoRA's ([plans.md](plans.md)). Models were small ones of random weights and of the
same classes, LoRAs empty, sizes a quarter: it shows that the graphs run and what is refused, not
how pictures look. The columns name the plans that ran.
"""
KEPT = "RALU's mixed stage calls", "RALU runs this MODEL"  # so begins what only these plans say
COUNTED_ONLY = (NOT_PICTURES, SERVICES)  # too many to be named


def page(outcomes: Sequence[Outcome], host: str, package: str) -> str:
    """The whole page, in Markdown."""
    tried = [outcome for outcome in outcomes if outcome.left_out is None]
    replaced = [outcome.ends[REPLACED] for outcome in tried]
    head = HEAD.format(
        total=len(outcomes),
        host=host,
        package=package,
        in_front=_counts([outcome.ends[IN_FRONT] for outcome in tried]),
        replaced=_counts(replaced),
        kept=sum(end.state == REFUSED and end.words.startswith(KEPT) for end in replaced),
    )
    rows = sorted(tried, key=lambda one: (_models(one), one.template.name))
    titles = "| template | model | in front, *balanced* | in its place, *paper* |"
    lines = [titles, "|---|---|---|---|", *map(row, rows)]
    return "\n".join([head, *lines, "", "## Not tried", "", *_left_out(outcomes)]) + "\n"


def _counts(ends: Sequence[End]) -> str:
    counted = Counter(end.state for end in ends)
    said = {RUNS: "run", REFUSED: "are refused in one sentence", FAILED: "fail"}
    return ", ".join(f"{counted[state]} {words}" for state, words in said.items() if counted[state])


def _models(outcome: Outcome) -> str:
    return ", ".join(kind.name for kind in outcome.kinds)


def row(outcome: Outcome) -> str:
    """How a template ended, as a line of the table."""
    ends = [_said(outcome.ends[way]) for way in WAYS]
    cells = (f"`{outcome.template.name}`", _models(outcome), *ends)
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _said(end: End) -> str:
    if end.state != RUNS:
        return f"{end.state}: {end.words}"
    runs = RUNS if end.samplers == 1 else f"{RUNS}, {end.samplers} samplers"
    return f"{runs}: {', '.join(end.plans)}" if end.plans else runs


def _left_out(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for reason in REASONS:
        names = sorted(one.template.name for one in outcomes if one.left_out == reason)
        if names:
            shown = "" if reason in COUNTED_ONLY else ": " + ", ".join(f"`{n}`" for n in names)
            lines.append(f"- {len(names)} {reason}{shown}.")
    return lines
