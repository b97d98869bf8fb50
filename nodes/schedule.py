"""RALU NT-Matching Schedule: steps and noise levels of the three stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comfy_api.latest import io

from ..ralu_core.cost import NO_REFERENCES, References
from ..ralu_core.latents.frame import Frame
from ..ralu_core.latents.space import Space
from ..ralu_core.plans import Plan, presets
from ..ralu_core.plans.text import PlanFacts, published_line
from .host.families.inspect import ModelFacts, inspect_model
from .host.families.table import family_named
from .host.families.words import ENGLISH
from .host.sampling.conds import check_conds
from .host.sampling.references import references_of
from .host.showing.status import running_workflow
from .host.sockets import check_counts, check_numbers, check_sockets
from .queue_checks import MISSING, why_refused
from .schedule_plot import plot_plan
from .schedule_values import schedule_values
from .shared_inputs import CATEGORY, ScheduleType, advanced, plain_steps_input, search_words

MATCH, PUBLISHED = "match the model", "published"
MAX_END = 0.99
OVERRIDDEN_STAGES, OVERRIDDEN_ENDS = (1, 2, 3), (1, 2)  # the last stage ends at 0


class Schedule(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_Schedule",
            display_name="RALU NT-Matching Schedule",
            category=CATEGORY,
            description="Steps and noise levels of RALU's three stages. NT-Matching solves the "
            "shifts and the noise jump so that all stages together visit noise levels as often as "
            "the model's own schedule would.",
            inputs=[
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="The MODEL that will be sampled: its shift is read. Not connected: "
                    "the shift of the model the preset was published for.",
                ),
                io.Combo.Input(
                    "preset",
                    options=[preset.name for preset in presets.PRESETS],
                    default="FLUX 5x",
                    tooltip="FLUX 7x takes less work than FLUX 5x. Do not take these for the "
                    f"qualities balanced and draft. {ENGLISH.presets()}.",
                ),
                io.Combo.Input(
                    "shifts",
                    options=[MATCH, PUBLISHED],
                    default=MATCH,
                    tooltip="match the model: solved for the MODEL's own shift, in milliseconds. "
                    "published: the paper's numbers, printed for models of shift 3.",
                ),
                _size_input("width", "Width"),
                _size_input("height", "Height"),
                *_override_inputs(),
                plain_steps_input(in_a_run=False),
                io.Conditioning.Input(
                    "positive",
                    optional=True,
                    tooltip="The prompt of an edit model: its reference pictures, which every step "
                    "reads, are counted in the prediction.",
                ),
            ],
            outputs=[
                ScheduleType.Output(
                    display_name="schedule",
                    tooltip="For the schedule input of RALU and its samplers.",
                ),
                io.Image.Output(display_name="plot", tooltip="Noise levels and densities."),
                io.String.Output(display_name="report", tooltip="All numbers, as text."),
            ],
            is_output_node=True,
            **search_words("ralu", "nt-matching", "nt-dm", "sigmas", "scheduler"),
        )

    @classmethod
    def validate_inputs(
        cls, preset=None, end_sigma_1=0.0, end_sigma_2=0.0, model=MISSING
    ) -> bool | str:
        return why_refused(check_ends, preset, (end_sigma_1, end_sigma_2), model)

    @classmethod
    def execute(
        cls,
        preset,
        shifts,
        width,
        height,
        steps_1=0,
        steps_2=0,
        steps_3=0,
        end_sigma_1=0.0,
        end_sigma_2=0.0,
        ratio=0.0,
        model=None,
        plain_steps=0,
        positive=None,
    ) -> io.NodeOutput:
        given = {"model": model, "positive": positive}
        check_sockets(**{name: value for name, value in given.items() if value is not None})
        check_numbers(ratio=ratio, end_sigma_1=end_sigma_1, end_sigma_2=end_sigma_2)
        check_ends(preset, (end_sigma_1, end_sigma_2), MISSING if model is None else model)
        check_counts(steps_1=steps_1, steps_2=steps_2, steps_3=steps_3)
        check_counts(plain_steps=plain_steps, width=width, height=height)
        steps_1, steps_2, steps_3 = map(int, (steps_1, steps_2, steps_3))
        # 4.0 comes of any-switches
        plain_steps, width, height = map(int, (plain_steps, width, height))
        base = presets.preset(preset)
        facts = published_facts(base) if model is None else inspect_model(model)
        frame = Frame.of_picture(height, width, facts.space)
        changes = (steps_1, steps_2, steps_3), (end_sigma_1, end_sigma_2), ratio
        references = _references(positive, facts.space)
        chosen, told = plan_facts(base, changes, shifts, facts, frame, plain_steps, references)
        facts.check_plan(told.plan, frame)
        widgets = {
            "preset": preset,
            "shifts": shifts,
            "width": width,
            "height": height,
            "steps_1": steps_1,
            "steps_2": steps_2,
            "steps_3": steps_3,
            "end_sigma_1": end_sigma_1,
            "end_sigma_2": end_sigma_2,
            "ratio": ratio,
            "plain_steps": plain_steps,
        }
        values = schedule_values(told)
        shown = {**values, "widgets": widgets, "workflow": running_workflow()}
        report = "\n".join([*told.lines(), *filter(None, [published_line(chosen)])])
        return io.NodeOutput(told.plan, plot_plan(told.plan), report, ui={"ralu_schedule": [shown]})


def _references(positive: list | None, space: Space) -> References:
    """Of a prompt's reference pictures. ValueError for a prompt of nothing."""
    if positive is None:
        return NO_REFERENCES
    conds = {"positive": [options for _, options, *_ in positive]}
    check_conds(conds, width=None)
    return references_of(conds, space)


def published_facts(chosen: presets.Preset) -> ModelFacts:
    """Without a MODEL the plan is solved for the model that the preset was published for."""
    return ModelFacts.published(family_named(chosen.family), chosen.model_shift)


def make_plan(chosen: presets.Preset, shifts: str, shift: float) -> Plan:
    """The plan of a preset for a model of that shift, as the `shifts` widget asks."""
    check_order(*chosen.end_sigmas[:2])
    if shifts == PUBLISHED:
        return presets.published_plan(chosen)
    if shifts == MATCH:
        return presets.matched_plan(chosen, shift)
    raise ValueError(f"The shifts must be one of {MATCH}, {PUBLISHED}, got {shifts!r}.")


def check_ends(name: str | None, ends: Sequence[float | None], model: Any) -> None:
    """ValueError for ends that fit no model; None is what a wire brings, 0 the preset's.

    model  MISSING where nothing is connected: the preset's ends move with the shift of one.
    """
    for end in filter(None, ends):
        check_numbers(end_sigma=end)
        if not 0 < end <= MAX_END:
            raise ValueError(
                f"A stage must end at a noise level above 0 and up to {MAX_END:g}, got {end:g}: "
                "try 0.7."
            )
    own = None if name is None else presets.preset(name)
    published = (0.0, 0.0) if own is None or model is not MISSING else own.end_sigmas[:2]
    known = [
        end or preset_end
        for end, preset_end in zip(ends, published, strict=True)
        if end is not None
    ]
    if len(known) == 2 and all(known):
        check_order(*known)


def check_order(first: float, second: float) -> None:
    if second >= first:
        raise ValueError(
            f"Each stage must end at a lower noise level than the one before, got {first:g} and "
            f"{second:g}: set end_sigma_2 below end_sigma_1."
        )


def plan_facts(
    base: presets.Preset,
    changes: tuple,
    shifts: str,
    facts: ModelFacts,
    frame: Frame,
    own_steps: int = 0,
    references: References = NO_REFERENCES,
) -> tuple[presets.Preset, PlanFacts]:
    """The preset with the widgets' changes, its plan, and what is predicted for such a picture.

    changes    steps, ends and ratio, as `presets.adjusted` takes them.
    own_steps  plain steps that the user would take; 0 where that is not known.
    references
               that each call reads.
    """
    shift = facts.shift_for(frame, base.baseline_steps)
    chosen = presets.adjusted(base if shifts == PUBLISHED else base.at(shift), *changes)
    plan, steps = make_plan(chosen, shifts, shift), facts.plain_steps(base.baseline_steps)
    speed_up = facts.cost.speed_up(plan, *frame.fine_grid, steps, references=references)
    return chosen, PlanFacts(plan, frame, steps, speed_up, own_steps, references.tokens)


def preview_values(query: Mapping[str, str]) -> dict[str, Any]:
    """`schedule_values` of the widgets' values as texts, for the model of the preset's family.

    Raises ValueError as the node does.
    """
    base = presets.preset(query.get("preset", ""))
    changes = (
        [int(query.get(f"steps_{k}", 0)) for k in OVERRIDDEN_STAGES],
        [float(query.get(f"end_sigma_{k}", 0)) for k in OVERRIDDEN_ENDS],
        float(query.get("ratio", 0)),
    )
    height, width = (int(query.get(name, 1024)) for name in ("height", "width"))
    facts = published_facts(base)
    frame = Frame.of_picture(height, width, facts.space)
    shifts, own = query.get("shifts", MATCH), int(query.get("plain_steps", 0))
    return schedule_values(plan_facts(base, changes, shifts, facts, frame, own)[1])


def _size_input(name: str, label: str) -> io.Input:
    return io.Int.Input(
        name,
        default=1024,
        min=64,
        max=16384,
        step=16,
        tooltip=f"{label} in pixels of the picture that the report predicts the speed-up for; "
        f"it changes the schedule of {ENGLISH.sized()} alone.",
    )


def _override_inputs() -> list[io.Input]:
    """Zero keeps the preset's value, so nothing on the node is ever ignored."""
    steps = [
        advanced(
            io.Int.Input(
                f"steps_{k}",
                default=0,
                min=0,
                max=1000,
                tooltip=f"Steps of stage {k}; 0 keeps the preset's. Published: {published}.",
            )
        )
        for k, published in ((1, "1 to 5"), (2, "1 to 6"), (3, "2 to 9"))
    ]
    ends = [
        advanced(
            io.Float.Input(
                f"end_sigma_{k}",
                default=0.0,
                min=0.0,
                max=MAX_END,
                step=0.01,
                tooltip=f"Noise level where stage {k} ends, 1 = noise, the paper's 1 - e; 0 keeps "
                f"the preset's. Published: {published}.",
            )
        )
        for k, published in ((1, "0.70 to 0.80"), (2, "0.55 to 0.70"))
    ]
    ratio = advanced(
        io.Float.Input(
            "ratio",
            default=0.0,
            min=0.0,
            max=0.99,
            step=0.01,
            tooltip="Share of regions that grow early, in stage 2; 0 keeps the preset's. "
            "Published: 0.1 to 0.3.",
        )
    )
    return [*steps, *ends, ratio]
