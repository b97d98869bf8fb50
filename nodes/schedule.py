"""RALU NT-Matching Schedule: steps and noise levels of the three stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from ..ralu_core import presets
from ..ralu_core.schedule import StageSchedule
from .host.canvas import Canvas
from .host.gate import ModelFacts, inspect_model
from .schedule_plot import plot_schedule
from .schedule_report import schedule_report, schedule_values
from .shared_inputs import CATEGORY, ScheduleType, advanced, search_words

MATCH, PUBLISHED = "match the model", "published"
# Without a MODEL the schedule is solved for the model that the preset was published for.
FAMILY_FACTS = {
    "flux": ModelFacts("flux", 3.158193, 57, 3072),
    "sd3": ModelFacts("sd3", 3.0, 24, 1536),
    "distilled": ModelFacts("flux", 1.0, 57, 3072),
}


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
                    tooltip="Published settings. 5x is the balance, 7x the draft; SD3 2x and 3x; "
                    "4-step distilled for FLUX.1-schnell and SD3.5 Large Turbo.",
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
            ],
            outputs=[
                ScheduleType.Output(
                    display_name="schedule", tooltip="For RALU Sampler's schedule input."
                ),
                io.Image.Output(display_name="plot", tooltip="Noise levels and densities."),
                io.String.Output(display_name="report", tooltip="All numbers, as text."),
            ],
            is_output_node=True,
            **search_words("ralu", "nt-matching", "nt-dm", "sigmas", "scheduler"),
        )

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
    ) -> io.NodeOutput:
        chosen = presets.adjusted(
            presets.preset(preset), (steps_1, steps_2, steps_3), (end_sigma_1, end_sigma_2), ratio
        )
        facts = FAMILY_FACTS[chosen.family] if model is None else inspect_model(model)
        schedule = make_schedule(chosen, shifts, facts)
        canvas = Canvas(height // 8, width // 8)
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
        }
        shown = {**schedule_values(schedule, chosen, facts, canvas), "widgets": widgets}
        report = schedule_report(schedule, chosen, facts, canvas)
        return io.NodeOutput(
            schedule, plot_schedule(schedule), report, ui={"ralu_schedule": [shown]}
        )


def make_schedule(chosen: presets.Preset, shifts: str, facts: ModelFacts) -> StageSchedule:
    """The schedule of a preset for a model, as the `shifts` widget asks."""
    if shifts == PUBLISHED:
        return presets.published_schedule(chosen)
    if shifts == MATCH:
        return presets.matched_schedule(chosen, facts.shift)
    raise ValueError(f"The shifts must be one of {MATCH}, {PUBLISHED}, got {shifts!r}.")


def preview_values(query: Mapping[str, str]) -> dict[str, Any]:
    """`schedule_values` of the widgets' values as texts, for the model of the preset's family.

    Raises ValueError as the node does.
    """
    chosen = presets.adjusted(
        presets.preset(query.get("preset", "")),
        [int(query.get(f"steps_{k}", 0)) for k in (1, 2, 3)],
        [float(query.get(f"end_sigma_{k}", 0)) for k in (1, 2)],
        float(query.get("ratio", 0)),
    )
    facts = FAMILY_FACTS[chosen.family]
    canvas = Canvas(int(query.get("height", 1024)) // 8, int(query.get("width", 1024)) // 8)
    schedule = make_schedule(chosen, query.get("shifts", MATCH), facts)
    return schedule_values(schedule, chosen, facts, canvas)


def _size_input(name: str, label: str) -> io.Input:
    return io.Int.Input(
        name,
        default=1024,
        min=64,
        max=16384,
        step=16,
        tooltip=f"{label} in pixels of the picture that the report predicts the speed-up for; "
        "it does not change the schedule.",
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
                max=0.99,
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
