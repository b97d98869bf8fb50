"""Inpaint masks and img2img: what a mask keeps stays, what it frees is sampled as by the host."""

from __future__ import annotations

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from limits import LATENT, assert_limits, guider, mixed, native, noise, scattered

from driving import quick_schedule, ralu, schedule_for
from ralu_pack.nodes.host import request, run
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced


def picture(batch=1, size=(32, 32), seed=9):
    return torch.randn(batch, 16, *size, generator=torch.Generator().manual_seed(seed))


def square(size=(256, 256), inside=1.0, outside=0.0):
    """A mask in picture pixels, whose middle is sampled."""
    mask = torch.full((1, 1, *size), outside)
    mask[..., size[0] // 4 : 3 * size[0] // 4, size[1] // 4 : 3 * size[1] // 4] = inside
    return mask


def ramp(size=(256, 256)):
    return torch.linspace(0, 1, size[1]).expand(1, 1, *size)


def run_masked(model, vae, latent, mask=None, **options):
    given = {"samples": latent} if mask is None else {"samples": latent, "noise_mask": mask}
    schedule = schedule_for(model)
    return ralu(model, vae, latent=given, schedule=schedule, **options)[0]


MASKS = {
    "hard": square((192, 256)),
    "soft": ramp((192, 256)),
    "latent size": square(LATENT, 0.8, 0.1),
    "a mask for each picture": torch.cat([square((192, 256)), ramp((192, 256))]),
}


@pytest.mark.promise("Inpaint masks")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_limits(model, mask):
    assert_limits(guider(model), latent=picture(2, LATENT), mask=mask, atol=1e-4)


@pytest.mark.promise("Differential Diffusion")
@pytest.mark.parametrize("mask", [MASKS["soft"], MASKS["latent size"]], ids=["ramp", "levels"])
def test_differential_diffusion_limits(model, mask):
    changed = DifferentialDiffusion.execute(model)
    patched = (changed.args if hasattr(changed, "args") else changed)[0]
    latent = picture(2, LATENT)
    assert_limits(guider(patched), latent=latent, mask=mask, atol=1e-4)
    one, other = (mixed(guider(m), noise(), scattered(), latent, mask) for m in (patched, model))
    assert (one - other).abs().max() > 1e-3


@pytest.mark.promise("Differential Diffusion")
def test_differential_diffusion_keeps_and_frees(model, vae):
    changed = DifferentialDiffusion.execute(model)
    patched = (changed.args if hasattr(changed, "args") else changed)[0]
    latent = picture()
    samples = run_masked(patched, vae, latent, ramp())
    change = (samples - latent).abs().mean(dim=(0, 1, 2))
    assert change[0] < 1e-5 < 0.1 < change[-8:].mean()
    assert not torch.equal(samples, run_masked(model, vae, latent, ramp()))


@pytest.mark.promise("Inpaint masks")
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde"])
def test_kept_region_is_untouched(model, vae, sampler):
    latent = picture()
    samples = run_masked(model, vae, latent, square(), sampler_name=sampler)
    kept = torch.ones(32, 32, dtype=torch.bool)
    kept[7:25, 7:25] = False
    torch.testing.assert_close(samples[..., kept], latent[..., kept], atol=1e-5, rtol=0)
    assert (samples - latent)[..., ~kept].abs().mean() > 0.1


@pytest.mark.promise("Inpaint masks")
def test_whole_and_empty_masks(model, vae):
    latent = picture()
    whole = run_masked(model, vae, latent, torch.ones(1, 1, 256, 256))
    assert torch.equal(whole, run_masked(model, vae, latent))
    nothing = run_masked(model, vae, latent, torch.zeros(1, 1, 256, 256))
    torch.testing.assert_close(nothing, latent, atol=1e-5, rtol=0)


@pytest.mark.promise("Inpaint masks")
@pytest.mark.parametrize("size", [(33, 45), (30, 64)])
def test_kept_region_of_extended_pictures(model, vae, size):
    latent = picture(size=size)
    samples = run_masked(model, vae, latent, square((size[0] * 8, size[1] * 8)))
    edge = 1 + size[0] // 4
    kept = torch.ones(size, dtype=torch.bool)
    kept[edge - 3 : size[0] - edge + 3] = False
    torch.testing.assert_close(samples[..., kept], latent[..., kept], atol=1e-5, rtol=0)
    assert (samples - latent)[..., ~kept].abs().mean() > 0.1


@pytest.mark.promise("Batches with different masks")
def test_each_picture_of_a_batch_has_its_own_mask(model, vae):
    latent = picture(2)
    masks = torch.cat([square(), 1 - square()])
    both = run_masked(model, vae, latent, masks)
    for i in range(2):
        alone = SamplerAdvanced.execute(
            noise=Noise_RandomNoise(7),
            guider=guider(model, cfg=1.0),
            sampler=comfy.samplers.sampler_object("euler"),
            latent_image={
                "samples": latent[i : i + 1],
                "noise_mask": masks[i : i + 1],
                "batch_index": [i],
            },
            denoise=1.0,
            vae=vae,
            schedule=schedule_for(model),
        ).args[0]["samples"]
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-3, rtol=1e-3)


@pytest.mark.promise("Inpaint masks")
def test_the_kept_region_is_shown_to_the_model_with_the_stages_own_noise(model, vae):
    """Where a mask keeps the picture the model sees it at the step's noise level, in each stage."""
    latent = picture()
    mask = square()
    seen = []

    def spy(apply_model, args):
        x, sigma = args["input"], args["timestep"][0]
        seen.append((float(sigma), x.clone()))
        return apply_model(x, args["timestep"], **args["c"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(spy)
    run_masked(watched, vae, latent, mask)
    clean = model.model.process_latent_in(latent)
    assert len(seen) == 6
    for sigma, x in seen:
        full = x.shape[-1] == 32
        target = clean if full else torch.nn.functional.avg_pool2d(clean, 2)
        border = x.shape[-1] // 4 - 1
        left = (x - (1 - sigma) * target)[..., :border] / sigma
        assert left.std() == pytest.approx(1.0, abs=0.25 if full else 0.12)
        assert abs(left.mean()) < 0.15


@pytest.mark.promise("img2img (denoise below 1)")
@pytest.mark.parametrize("start", [0.95, 0.8, 0.4])
def test_img2img_limits(model, start):
    sigmas = torch.tensor([start, start / 2, 0.0])
    assert_limits(guider(model), latent=picture(2, LATENT), sigmas=sigmas, atol=1e-4)


@pytest.mark.promise("img2img (denoise below 1)")
def test_less_denoise_keeps_more(model, vae):
    """Whichever stage it starts in, a run moves away from the picture as far as it is asked to."""
    latent = picture()
    still = model.clone()
    clean = model.model.process_latent_in(latent)

    def knows_the_picture(args):
        x = args["input"]
        full = x.shape[-1] == clean.shape[-1]
        known = clean if full else torch.nn.functional.avg_pool2d(clean, 2)
        return x - known.to(x)  # read as noise, so that the clean estimate is the picture

    still.set_model_sampler_cfg_function(knows_the_picture)
    for denoise in (0.1, 0.4, 0.9, 1.0):
        kept = run_masked(still, vae, latent, denoise=denoise, cfg=2.0)
        torch.testing.assert_close(kept, latent, atol=1e-4, rtol=0)
    moved = [
        (run_masked(model, vae, latent, denoise=d) - latent).abs().mean() for d in (0.02, 0.1, 0.9)
    ]
    assert moved == sorted(moved)


@pytest.mark.promise("img2img (denoise below 1)")
@pytest.mark.parametrize(("denoise", "stages"), [(0.9, [1, 2, 3]), (0.65, [2, 3]), (0.1, [3])])
def test_masks_with_every_start_stage(model, vae, denoise, stages):
    latent = picture()
    wires = request.Wires(
        guider(model, cfg=1.0),
        comfy.samplers.sampler_object("euler"),
        {"samples": latent, "noise_mask": square()},
        vae,
        lambda given: comfy.sample.prepare_noise(given["samples"], 7),
        7,
    )
    schedule = schedule_for(model)
    sampled = run.sample(wires, request.Settings(schedule, OwnRun(denoise=denoise)))
    assert [record.number for record in sampled.report.stages] == stages
    kept = torch.ones(32, 32, dtype=torch.bool)
    kept[7:25, 7:25] = False
    torch.testing.assert_close(sampled.samples[..., kept], latent[..., kept], atol=1e-5, rtol=0)
    assert (sampled.samples - latent)[..., ~kept].abs().mean() > 1e-2


@pytest.mark.promise("img2img (denoise below 1)")
def test_starting_in_the_last_stage_is_plain_img2img_with_a_mask(flux):
    latent, mask = picture(), ramp()
    schedule = quick_schedule()
    samples = run_masked(flux, None, latent, mask, denoise=0.1)
    sigma = float(flux.get_model_object("model_sampling").percent_to_sigma(0.9))
    (sigmas,) = (stage.sigmas for stage in schedule.begun_at(sigma).stages)
    drawn = comfy.sample.prepare_noise(latent, 7)
    plain = native(guider(flux, cfg=1.0), drawn, latent, mask, sigmas=torch.tensor(sigmas))
    torch.testing.assert_close(samples, plain, atol=1e-5, rtol=0)
