"""Reference pictures read at half size in half-size stages: the limit, the counts, the default."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import comfy.samplers
import pytest
import torch
import torch.nn.functional as F
from limits import guider, half, mixed, native, noise, none_fine

from driving import SIGMAS, quick_schedule
from lab.models import tiny
from ralu_pack.nodes.host.apply import _why_plain
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.request import Settings, Wires
from ralu_pack.nodes.host.sampling.references import (
    IN_FULL,
    POOLED,
    pooled_references,
    references_of,
)
from ralu_pack.nodes.host.sampling.stages import GuiderStages
from ralu_pack.nodes.host.sampling.watch import Watch
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.latents.grid import HALF
from ralu_pack.ralu_core.plans import Stage, named_plan
from ralu_pack.ralu_core.tasks import StageTask, Start

FAMILIES = ("flux1", "flux2", "qwen_image")
SIDES = (16, 24)  # of a reference, in latent pixels of the space


@pytest.fixture(params=FAMILIES)
def model(request):
    family = family_named(request.param)
    return tiny.load_model(tiny.family_weights(family), family)


def picture(space, size=SIDES) -> torch.Tensor:
    return noise(4, 1, space, size)


def referring(model, *references: torch.Tensor, way: str = "index"):
    values = {"reference_latents": list(references), "reference_latents_method": way}
    text = tiny.with_values(tiny.conditioning(5, guidance=3.0), **values)
    return guider(model, text, text)


def half_stage(guider, x: torch.Tensor) -> torch.Tensor:
    """A half-size stage with pooled references; x in the host's form, and what comes back."""
    family = inspect_model(guider.model_patcher).family
    space, conds = family.space, guider.original_conds
    entered = space.enter(x)
    stages = GuiderStages(
        guider=guider,
        sampler=comfy.samplers.sampler_object("euler"),
        conds=conds,
        half_conds=pooled_references(conds, space),
        family=family,
        latent=torch.zeros_like(entered),
        mask=None,
        seed=0,
        watch=Watch(guider.model_patcher, space),
    )
    white = HALF.noise(entered, None)
    task = StageTask(Stage(HALF, tuple(SIGMAS.tolist())), white, torch.zeros_like(white), None)
    return space.leave(stages(task, Start(SIGMAS[0] * white)).x)


@pytest.mark.parametrize("way", ["index", "offset"])
def test_half_size_is_the_hosts_own_sampling_with_half_size_references(model, way):
    space = inspect_model(model).space
    given, x = picture(space), noise(space=space)
    small = half(given, space, F.avg_pool2d)
    expected = native(referring(model, small, way=way), half(x, space))
    got = half_stage(referring(model, given, way=way), x)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    others = native(referring(model, given, way=way), half(x, space))
    assert (others - expected).abs().max() > 1e-3


def test_other_stages_are_given_the_references_as_they_are(model):
    """So that both limits of the mixed stage stay what they were."""
    space = inspect_model(model).space
    edited, x = referring(model, picture(space)), noise(space=space)
    before = mixed(edited, x, none_fine())
    half_stage(edited, x)
    assert torch.equal(mixed(edited, x, none_fine()), before)


@pytest.mark.parametrize("side", [2, 3, 5])
def test_odd_sides_are_rounded_up(side):
    space = family_named("qwen_image").space
    conds = {"positive": [{"reference_latents": [torch.ones(1, 16, 1, side, 4)]}]}
    assert references_of(conds, space).tokens == (side + 1) // 2 * 2
    (pooled,) = pooled_references(conds, space)["positive"][0]["reference_latents"]
    assert pooled.shape == (1, 16, 1, (side + 1) // 2, 2) and (pooled == 1).all()
    assert conds["positive"][0]["reference_latents"][0].shape[-2] == side


def run(model, references: str, schedule=None, given: bool = True):
    """The node's latent and report, and the tokens that each call of the network read."""
    space, read = inspect_model(model).space, []

    def note(_network, args, kwargs):
        sizes = [latent.shape[-2:] for latent in kwargs.get("ref_latents") or ()]
        read.append(sum(h * w for h, w in sizes) * space.fold**2 // space.patch**2)

    hook = model.model.diffusion_model.register_forward_pre_hook(note, with_kwargs=True)
    values = {"reference_latents": [picture(space)]} if given else {}
    text = tiny.with_values(tiny.conditioning(5, guidance=3.0), **values)
    out = Sampler.execute(
        model=model,
        positive=text,
        negative=text,
        latent_image={"samples": torch.zeros(1, space.host_channels, *[64 // space.fold] * 2)},
        seed=1,
        cfg=1.0,
        sampler_name="euler",
        denoise=1.0,
        edge_detector="latent_gradient",
        schedule=replace(schedule or quick_schedule(), model_shift=None),
        references=references,
    )
    hook.remove()
    return out.result[0]["samples"], out.ui["ralu_run"][0], read


def test_calls_read_and_the_report_counts_a_quarter_in_the_half_size_stage(model):
    tokens = SIDES[0] * SIDES[1] // 4
    (plain, full, _), (one, told, read) = run(model, IN_FULL), run(model, POOLED)
    assert read == [tokens // 4] * 2 + [tokens] * 4
    assert (told["reference_tokens"], told["half_reference_tokens"]) == (tokens, tokens // 4)
    assert full["half_reference_tokens"] is None
    cost = inspect_model(model).cost
    counted = sum(
        stage["steps"] * cost.flops(stage["tokens"][0] + count)
        for stage, count in zip(told["stages"], (tokens // 4, tokens, tokens), strict=True)
    )
    equivalents = counted / cost.flops(1024 + tokens)
    assert told["predicted_equivalents"] == pytest.approx(equivalents)
    assert told["predicted_equivalents"] < full["predicted_equivalents"]
    assert (one - plain).abs().max() > 1e-3


def test_the_node_in_front_of_a_sampler_counts_them_where_it_steps_aside(model):
    """Read at half size they leave a plan worth it of fewer steps than in full."""
    space = inspect_model(model).space
    latent = {"samples": torch.zeros(1, space.host_channels, *[128 // space.fold] * 2)}
    edited = referring(model, picture(space, size=(128, 128)))
    sampler, noise = comfy.samplers.sampler_object("euler"), torch.ones(1)

    def helps_from(references: str) -> int:
        for steps in range(5, 40):
            wires = Wires(edited, sampler, latent, None, lambda _: noise, 0, steps=steps)
            own = OwnRun(steps, levels=(1.0, 0.0))
            asked = Settings(own=own, references=references)
            if _why_plain(wires, asked, noise) is None:
                return steps
        raise AssertionError("no number of steps is worth it")

    assert helps_from(POOLED) < helps_from(IN_FULL)


def test_nothing_changes_without_references_or_without_a_half_size_stage(model, caplog):
    without = [run(model, choice, given=False)[0] for choice in (IN_FULL, POOLED)]
    assert torch.equal(*without)
    caplog.set_level(logging.INFO)
    plan = named_plan("second order 4")
    whole = [run(model, choice, plan)[0] for choice in (IN_FULL, POOLED)]
    assert torch.equal(*whole)
    assert "no stage is at half size, so that all references are read in full" in caplog.text


def test_the_schedule_counts_the_references_of_a_connected_prompt(model):
    text = tiny.with_values(
        tiny.conditioning(5), reference_latents=[picture(inspect_model(model).space)]
    )
    reports = [
        Schedule.execute("FLUX 5x", "match the model", 256, 256, model=model, positive=one).args[2]
        for one in (None, tiny.conditioning(5), text)
    ]
    assert reports[0] == reports[1]
    tokens = SIDES[0] * SIDES[1] // 4
    assert f"references: {tokens} tokens more in each call" in reports[2]
    told = [float(re.search(r"256x256: ([\d.]+)x fewer", one).group(1)) for one in reports[1:]]
    assert told[0] > told[1]


def test_other_choices_are_refused(model):
    with pytest.raises(ValueError, match="one of full, pooled at half size, got 'half'"):
        run(model, "half")
