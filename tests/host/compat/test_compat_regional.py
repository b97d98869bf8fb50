"""Prompts for a part of the picture, by mask or area, and for a part of the noise levels."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_video_model import ConditioningSetAreaPercentageVideo
from limits import (
    LATENT,
    all_fine,
    assert_limits,
    assert_matters,
    guider,
    mixed,
    native,
    noise,
    scattered,
)
from nodes import ConditioningSetArea, ConditioningSetAreaPercentage, ConditioningSetMask

from driving import ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.sampling.conds import fit_to_frame, fit_to_layout
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.packing import Packing
from ralu_pack.ralu_core.latents.space import Space

LEFT, REST = tiny.conditioning(7), tiny.conditioning(8)


def left_mask(height=192, width=256):
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2] = 1
    return mask


def by_mask(conditioning, mask, strength=1.0, area="default"):
    return ConditioningSetMask().append(conditioning, mask, area, strength)[0]


@pytest.mark.promise("Regional prompts by mask")
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_mask_limits(model, strength):
    positive = by_mask(LEFT, left_mask(), strength) + by_mask(REST, 1 - left_mask())
    regional = guider(model, positive)
    assert_limits(regional)
    assert_matters(regional, guider(model, LEFT))


@pytest.mark.promise("Regional prompts by mask")
def test_soft_masks_overlap(model):
    soft = torch.linspace(0, 1, 256).expand(2, 192, 256).clone()
    soft[1] = soft[1].flip(-1)
    for mask in (soft[0], soft[:1], soft):
        assert_limits(guider(model, by_mask(LEFT, mask) + REST), atol=1e-4)


def test_masks_beyond_the_batch_are_left_out():
    """As the host leaves them."""
    layout = scattered()
    masks = torch.rand(layout.batch + 1, *LATENT, generator=torch.Generator().manual_seed(0))
    fitted, expected = (
        fit_to_layout({"positive": [{"mask": some}]}, layout, Packing.parts(layout), Space())
        for some in (masks, masks[:-1])
    )
    assert torch.equal(fitted["positive"][0]["mask"], expected["positive"][0]["mask"])


@pytest.mark.promise("Regional prompts by mask")
def test_mask_bounds_become_the_whole_frame(model):
    positive = by_mask(LEFT, left_mask(), 0.8, "mask bounds") + REST
    bounded, whole = guider(model, positive), guider(model, by_mask(LEFT, left_mask(), 0.8) + REST)
    x = noise()
    assert torch.equal(mixed(bounded, x, all_fine()), native(whole, x))


AREAS = {
    "inner": (ConditioningSetArea, {"width": 128, "height": 64, "x": 64, "y": 32}),
    "corner": (ConditioningSetArea, {"width": 96, "height": 128, "x": 0, "y": 0}),
    "beyond the edge": (ConditioningSetArea, {"width": 512, "height": 64, "x": 200, "y": 128}),
    "thin": (ConditioningSetArea, {"width": 256, "height": 8, "x": 0, "y": 80}),
    "percentage": (
        ConditioningSetAreaPercentage,
        {"width": 0.5, "height": 0.4, "x": 0.23, "y": 0.31},
    ),
    "a share of less than a pixel": (
        ConditioningSetAreaPercentage,
        {"width": 0.01, "height": 0.4, "x": 0.23, "y": 0.31},
    ),
}


def by_area(conditioning, name, strength=1.0):
    node, values = AREAS[name]
    return node().append(conditioning, strength=strength, **values)[0]


def host_weight(entry: dict, size) -> torch.Tensor:
    """What the host multiplies this entry's output with, on the whole frame."""
    x, sigma = torch.zeros(1, 16, *size), torch.ones(1)
    (resolved,) = conds = [dict(entry)]
    comfy.samplers.resolve_areas_and_cond_masks_multidim(conds, torch.Size(size), "cpu")
    (resolved,) = conds
    part = comfy.samplers.get_area_and_mult(resolved, x, sigma)
    weight = torch.zeros(size)
    if part.area is None:
        return part.mult[0, 0]
    spans, starts = part.area[: len(size)], part.area[len(size) :]
    inside = [slice(start, start + span) for start, span in zip(starts, spans, strict=True)]
    weight[tuple(inside)] = part.mult[0, 0]
    return weight


@pytest.mark.promise("Regional prompts by area")
@pytest.mark.parametrize("size", [(24, 32), (23, 30), (33, 25)])
@pytest.mark.parametrize("name", AREAS)
def test_area_weighs_as_in_the_host(flux, name, size):
    entry = guider(flux, by_area(LEFT, name, 0.7)).original_conds["positive"][0]
    frame = Frame(*size)
    (fitted,) = fit_to_frame({"positive": [entry]}, frame)["positive"]
    assert "area" in entry and "area" not in fitted
    ours = frame.crop(host_weight(fitted, frame.padded))
    torch.testing.assert_close(ours, host_weight(entry, size))


@pytest.mark.promise("Regional prompts by area")
@pytest.mark.parametrize("span", [0.4, 1.0])
def test_area_of_a_frame_weighs_as_in_the_host(flux, span):
    """As a video's node tells it, which families with frames take."""
    shares = {"width": 0.5, "height": span, "temporal": 1.0, "x": 0.23, "y": 0.31, "z": 0.0}
    (area,) = ConditioningSetAreaPercentageVideo().append(LEFT, **shares, strength=0.7)
    entry = guider(flux, area).original_conds["positive"][0]
    frame = Frame(24, 32, family_named("qwen_image").space)
    (fitted,) = fit_to_frame({"positive": [entry]}, frame)["positive"]
    torch.testing.assert_close(host_weight(fitted, (1, 24, 32)), host_weight(entry, (1, 24, 32)))


@pytest.mark.promise("Regional prompts by area")
@pytest.mark.parametrize("bounds", ["default", "mask bounds"])
@pytest.mark.parametrize("name", AREAS)
def test_area_beside_a_mask_weighs_as_in_the_host(flux, name, bounds):
    mask = torch.rand(1, 24, 32, generator=torch.Generator().manual_seed(0))
    mask[:, :5] = 0
    both = by_mask(by_area(LEFT, name), mask, 0.6, bounds)
    entry = guider(flux, both).original_conds["positive"][0]
    (fitted,) = fit_to_frame({"positive": [entry]}, Frame(24, 32))["positive"]
    torch.testing.assert_close(host_weight(fitted, (24, 32)), host_weight(entry, (24, 32)))


@pytest.mark.promise("Regional prompts by area")
@pytest.mark.parametrize("name", AREAS)
def test_area_samples_as_its_mask(model, name):
    """In every limit and stage an area is what its weight, given as a mask, would be."""
    area = by_area(LEFT, name)
    entry = guider(model, area).original_conds["positive"][0]
    masked = by_mask(LEFT, host_weight(entry, LATENT)[None])
    x = noise()
    expected = native(guider(model, masked + REST), x)
    torch.testing.assert_close(
        mixed(guider(model, area + REST), x, all_fine()), expected, atol=1e-4, rtol=0
    )
    assert_matters(guider(model, area + REST), guider(model, REST))


@pytest.mark.promise("Regional prompts by area")
def test_area_in_a_whole_run(model, vae):
    schedule = schedule_for(model)
    regional, _ = ralu(model, vae, positive=by_area(LEFT, "corner") + REST, schedule=schedule)
    plain, _ = ralu(model, vae, positive=REST, schedule=schedule)
    assert torch.isfinite(regional).all() and (regional - plain).abs().max() > 1e-2


@pytest.mark.parametrize(("x", "y"), [(264, 0), (0, 200), (512, 64)])
@pytest.mark.parametrize("quality", ["balanced", "paper"])
@pytest.mark.parametrize("prompt", ["positive", "negative"])
def test_an_area_outside_the_picture_is_told_before_sampling(flux, vae, prompt, quality, x, y):
    """As of a larger one. The host fails in a call of the model, also where none reads the prompt:
    it asks all others for the same area."""
    (outside,) = ConditioningSetArea().append(LEFT, 128, 64, x, y, 1.0)
    wires = {"quality": quality, "schedule": None, prompt: outside + REST}
    with pytest.raises(ValueError, match=rf"256x192 pixels, got .* at x {x} and y {y}: set"):
        ralu(flux, vae, (192, 256), **wires)


@pytest.mark.parametrize(("x", "y"), [(256, 0), (0, 192)])
def test_an_area_at_the_edge_itself_is_told_where_the_host_crops_to_it(flux, vae, x, y):
    (empty,) = ConditioningSetArea().append(LEFT, 128, 64, x, y, 1.0)
    wires = {"quality": "balanced", "schedule": None, "positive": empty + REST}
    with pytest.raises(ValueError, match=rf"256x192 pixels, got .* at x {x} and y {y}: set"):
        ralu(flux, vae, (192, 256), **wires)


@pytest.mark.promise("Prompts for a range of steps")
def test_timestep_range_limits(model):
    sampling = model.get_model_object("model_sampling")
    middle = next(p / 1000 for p in range(1000) if sampling.percent_to_sigma(p / 1000) < 0.7)
    early = tiny.with_values(LEFT, start_percent=0.0, end_percent=middle)
    late = tiny.with_values(REST, start_percent=middle, end_percent=1.0)
    ranged = guider(model, early + late)
    assert_limits(ranged)
    assert_matters(ranged, guider(model, LEFT))
    assert_matters(ranged, guider(model, REST))


@pytest.mark.promise("Prompts for a range of steps")
def test_timestep_range_means_noise_level_in_every_stage(model, vae):
    """A prompt runs at the noise levels of its range, also where a stage jumps back to them."""
    sampling = model.get_model_object("model_sampling")
    seen = []

    def spy(apply_model, args):
        seen.append((float(args["timestep"][0]), args["c"]["c_crossattn"].shape[1]))
        return apply_model(args["input"], args["timestep"], **args["c"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(spy)
    longer = [[torch.cat([LEFT[0][0], LEFT[0][0]], dim=1), LEFT[0][1]]]
    positive = tiny.with_values(LEFT, start_percent=0.0, end_percent=0.4)
    positive += tiny.with_values(longer, start_percent=0.4, end_percent=1.0)
    schedule = schedule_for(model)
    ralu(watched, vae, positive=positive, schedule=schedule)
    border = sampling.percent_to_sigma(0.4)
    visited = [sigma for stage in schedule.stages for sigma in stage.sigmas[:-1]]
    expected = [(pytest.approx(s, rel=1e-5), 8 if s > border else 16) for s in visited]
    assert seen == expected
    assert [length for _, length in seen] != sorted(length for _, length in seen)


@pytest.mark.promise("Batches with different prompts")
def test_each_picture_of_a_batch_has_its_own_prompt(model, vae):
    prompts = [tiny.conditioning(seed) for seed in (7, 8)]
    joined = [
        [
            torch.cat([p[0][0] for p in prompts]),
            {"pooled_output": torch.cat([p[0][1]["pooled_output"] for p in prompts])},
        ]
    ]
    schedule = schedule_for(model)
    both, _ = ralu(model, vae, batch=2, positive=joined, schedule=schedule)
    for i in range(2):
        latent = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [i]}
        alone, _ = ralu(model, vae, latent=latent, positive=prompts[i], schedule=schedule)
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-3, rtol=1e-3)
