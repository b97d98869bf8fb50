"""Where the plan does not help another node's sampler: each bound, of a whole model."""

from __future__ import annotations

import torch
from applying import EULER

from ralu_pack.nodes.host.dial import dialled_plan
from ralu_pack.nodes.host.families.dials import LEAST_SIDE
from ralu_pack.nodes.host.families.inspect import ModelFacts
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.plain_fallback import why_plain
from ralu_pack.nodes.host.request import Settings
from ralu_pack.nodes.host.showing.said import Said
from ralu_pack.ralu_core.cost import NO_REFERENCES, References
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans.presets import FLUX_DEV_SHIFT


def test_each_bound_lies_where_it_is_said_to():
    """What helps at it, and what does not just past it, of a whole model."""
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    square, read = Frame.of_picture(1024, 1024), References(64 * 64)

    def why(steps=20, end=0.0, frame=square, quality="paper", **more) -> Said | None:
        settings = Settings(quality=quality, own=OwnRun(steps, levels=(1.0, end)))
        given = {"references": NO_REFERENCES, "sampler": EULER, **more}
        return why_plain(settings, facts, frame, steps, torch.ones(1), False, **given)

    fine = {"quality": "fine"}
    full_from = dialled_plan("paper", facts, square).full_from
    four, three = ({"quality": "balanced", "steps": n, "end": 0.8} for n in (4, 3))
    least, less = (Frame.of_picture(side, 1024) for side in (LEAST_SIDE, LEAST_SIDE - 32))
    for helps, does_not, told in (
        ({"end": full_from - 1e-3}, {"end": full_from}, "stops at noise level"),
        ({"frame": least}, {"frame": less}, "half of 1024x480 is too small to draw in"),
        ({"steps": 10}, {"steps": 9}, "takes 100% of the compute of these 9 steps"),
        ({**fine, "steps": 12}, {**fine, "steps": 11}, "takes 91% of the compute"),
        (four, three, "of 3 steps none"),
        ({"steps": 13, "references": read}, {"steps": 12, "references": read}, "takes 96% of"),
    ):
        assert why(**helps) is None and told in str(why(**does_not))
