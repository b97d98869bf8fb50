"""ControlNets of both families: exact in both limits, and with their usual meaning in a run."""

from __future__ import annotations

import comfy.controlnet
import comfy.latent_formats
import comfy.ops
import pytest
import torch
import torch.nn.functional as F
from comfy_extras.nodes_controlnet import (
    ControlNetInpaintingAliMamaApply,
    SetUnionControlNetType,
)
from controls import applied, hint
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

from driving import quick_schedule, ralu
from lab.models import tiny
from lab.models.controlnets import controlnet
from ralu_pack.nodes.host.sampling.conds import fit_to_frame, fit_to_layout
from ralu_pack.nodes.host.sampling.control import TwoPassControl, links
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.packing import Packing
from ralu_pack.ralu_core.latents.space import Space

KINDS = ["flux instantx", "flux xlabs", "sd3"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(request, kind):
    return request.getfixturevalue(kind.split()[0])


@pytest.mark.promise("ControlNet")
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_limits(model, kind, vae, cfg):
    controlled = guider(model, *applied(controlnet(model, kind), vae), cfg=cfg)
    assert_limits(controlled)
    assert_matters(controlled, guider(model, cfg=cfg))


@pytest.mark.promise("ControlNet strength")
def test_strength(model, kind, vae):
    net = controlnet(model, kind)
    plain, half, full = (
        mixed(guider(model, *applied(net, vae, strength)), noise(), scattered())
        for strength in (0.0, 0.5, 1.0)
    )
    assert_limits(guider(model, *applied(net, vae, 0.5)))
    faint = mixed(guider(model, *applied(net, vae, 1e-7)), noise(), scattered())
    torch.testing.assert_close(faint, plain, atol=1e-4, rtol=0)
    assert 1e-3 < (half - plain).abs().mean() < (full - plain).abs().mean()


@pytest.mark.promise("ControlNet start and end percent")
def test_start_and_end_percent_limits(model, kind, vae):
    net = controlnet(model, kind)
    sampling = model.get_model_object("model_sampling")
    start = next(p / 100 for p in range(100) if sampling.percent_to_sigma(p / 100) < 0.9)
    end = next(p / 100 for p in range(100) if sampling.percent_to_sigma(p / 100) < 0.6)
    late = guider(model, *applied(net, vae, 1.0, start, end))
    assert_limits(late)
    assert_matters(late, guider(model))
    assert_matters(late, guider(model, *applied(net, vae)))


@pytest.mark.promise("ControlNet start and end percent")
def test_percent_means_noise_level_in_every_stage(model, kind, vae):
    net = controlnet(model, kind)
    seen = []
    net.control_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(float(kwargs["timesteps"][0])), with_kwargs=True
    )
    sampling = model.get_model_object("model_sampling")
    positive, _ = applied(net, vae, 1.0, 0.1, 0.5)
    schedule = quick_schedule(3.158193 if kind != "sd3" else 3.0)
    ralu(model, vae, positive=positive, schedule=schedule)
    high, low = sampling.percent_to_sigma(0.1), sampling.percent_to_sigma(0.5)
    visited = [sigma for stage in schedule.stages for sigma in stage.sigmas[:-1]]
    expected = []
    for stage in schedule.stages:
        inside = [s for s in stage.sigmas[:-1] if low <= s <= high]
        expected += [s for s in inside for _ in range(2 if stage.grid.is_mixed else 1)]
    multiplier = 1000 if kind == "sd3" else 1
    assert seen == pytest.approx([s * multiplier for s in expected], rel=1e-5)
    assert 0 < len(set(expected)) < len(visited)


@pytest.mark.promise("Chained ControlNets")
def test_chain(model, kind, vae):
    first = applied(controlnet(model, kind, 11), vae)
    other = applied(controlnet(model, kind, 12), vae, 0.7, image=hint(22), conds=first)
    chained = guider(model, *other)
    assert chained.original_conds["positive"][0]["control"].previous_controlnet is not None
    assert_limits(chained)
    assert_matters(chained, guider(model, *first))


@pytest.mark.promise("ControlNet on the positive prompt only")
def test_control_of_one_prompt(model, kind, vae):
    positive, _ = applied(controlnet(model, kind), vae)
    one_sided = guider(model, positive)
    assert_limits(one_sided)
    assert_matters(one_sided, guider(model, *applied(controlnet(model, kind), vae)))


@pytest.mark.promise("ControlNet at any picture size")
@pytest.mark.parametrize("border", [(0, 0), (0, 56), (40, 0)], ids=["same", "wider", "higher"])
def test_hint_of_a_picture_that_is_extended(model, kind, vae, border):
    """All fine, on the padded frame, is plain sampling with the last rows of the hint's middle
    repeated."""
    size = (176, 248)
    frame = Frame(size[0] // 8, size[1] // 8)
    assert frame.padded == LATENT
    image = hint(size=size)
    bordered = F.pad(image, (0, 0, border[1], border[1], border[0], border[0]), value=0.3)
    odd = guider(model, *applied(controlnet(model, kind), vae, image=bordered))
    odd.original_conds = fit_to_frame(odd.original_conds, frame)
    rows = torch.arange(LATENT[0] * 8).clamp(max=size[0] - 1)
    columns = torch.arange(LATENT[1] * 8).clamp(max=size[1] - 1)
    extended = image[:, rows][:, :, columns]
    whole = guider(model, *applied(controlnet(model, kind), vae, image=extended))
    fine = mixed(odd, noise(), all_fine())
    torch.testing.assert_close(fine, native(whole, noise()), atol=1e-4, rtol=0)
    assert_matters(odd, guider(model))
    samples, _ = ralu(
        model,
        vae,
        size=size,
        positive=applied(controlnet(model, kind), vae, image=bordered)[0],
        schedule=quick_schedule(3.0),
    )
    assert samples.shape[-2:] == (22, 31) and torch.isfinite(samples).all()


@pytest.mark.promise("ControlNet Union, inpainting ControlNets, SD3.5 Large ControlNets")
@pytest.mark.parametrize("mode", ["openpose", "tile"])
def test_union_type(flux, vae, mode):
    net = controlnet(flux, "flux union")
    chosen = SetUnionControlNetType.execute(net, mode).args[0]
    controlled = guider(flux, *applied(chosen, vae))
    assert_limits(controlled)
    assert_matters(controlled, guider(flux, *applied(net, vae)))


@pytest.mark.promise("ControlNet Union, inpainting ControlNets, SD3.5 Large ControlNets")
def test_inpainting_controlnet(flux, vae):
    net = controlnet(flux, "flux inpainting")
    mask = torch.zeros(1, *hint().shape[1:3])
    mask[:, :, : mask.shape[2] // 2] = 1
    masked, other = (guider(flux, *inpainting(net, vae, one), cfg=1.0) for one in (mask, 1 - mask))
    assert_limits(masked)
    assert_matters(masked, other)


def inpainting(net, vae, mask):
    conds = (tiny.conditioning(5), tiny.conditioning(6))
    return ControlNetInpaintingAliMamaApply.execute(
        *conds, net, vae, hint(), mask, 1.0, 0.0, 1.0
    ).args


@pytest.mark.promise("ControlNet Union, inpainting ControlNets, SD3.5 Large ControlNets")
def test_sd35_large(sd3, vae):
    net = controlnet(sd3, "sd3.5 large")
    controlled = guider(sd3, *applied(net, vae))
    assert_limits(controlled)
    assert_matters(controlled, guider(sd3))


def test_prompts_that_share_a_controlnet_still_share_it(model, kind, vae):
    """Otherwise the host would run cond and uncond as two calls."""
    net = controlnet(model, kind)
    conds = guider(model, *applied(net, vae)).original_conds
    conds["positive"] *= 2
    conds["negative"][0]["control"] = conds["positive"][0]["control"]
    layout, space = scattered(), Space()
    mixed_conds = fit_to_layout(conds, layout, Packing.parts(layout), space)
    for fitted in (fit_to_frame(conds, Frame(22, 31)), mixed_conds):
        assert len({id(e["control"]) for entries in fitted.values() for e in entries}) == 1


def test_the_callers_controlnet_is_left_as_it_was(model, kind, vae):
    net = controlnet(model, kind)
    positive, _ = applied(net, vae)
    control = positive[0][1]["control"]
    before = {**control.__dict__}
    ralu(model, vae, positive=positive, schedule=quick_schedule(3.0))
    for name, value in before.items():
        assert getattr(control, name) is value or getattr(control, name) == value, name


def test_residuals_of_foreign_controlnets_are_refused(flux, vae):
    class Foreign(comfy.controlnet.ControlNet):
        def get_control(self, *args):
            control = super().get_control(*args)
            return {k: [None if r is None else r[:, :7] for r in v] for k, v in control.items()}

        def copy(self):
            copied = Foreign(None, load_device=self.load_device)
            copied.control_model = self.control_model
            copied.control_model_wrapped = self.control_model_wrapped
            self.copy_to(copied)
            return copied

    net = controlnet(flux, "flux instantx")
    net.__class__ = Foreign
    with pytest.raises(ValueError, match="ControlNet residuals of 320 tokens"):
        ralu(flux, vae, positive=applied(net, vae)[0])


def test_stand_in_speaks_for_the_whole_chain(model, kind, vae):
    """Loading, memory and hooks see all ControlNets of the chain, once each."""
    first = applied(controlnet(model, kind, 11), vae)
    positive, _ = applied(controlnet(model, kind, 12), vae, conds=first)
    control = positive[0][1]["control"]
    stand_in = TwoPassControl(control, Packing.parts(scattered()), Space())
    assert stand_in.get_models() == control.get_models() and len(control.get_models()) == 2
    assert stand_in.inference_memory_requirements(
        torch.float32
    ) == control.inference_memory_requirements(torch.float32)
    held = [link for chain in (stand_in.full, stand_in.coarse) for link in links(chain)]
    for link in held:
        link.cond_hint = torch.ones(1)
    stand_in.cleanup()
    assert len(held) == 4 and all(link.cond_hint is None for link in held)
