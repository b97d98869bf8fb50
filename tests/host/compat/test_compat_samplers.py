"""Which of the host's samplers are right between stages: each is measured, none is assumed."""

from __future__ import annotations

import inspect
import itertools

import comfy.k_diffusion.sampling as k_diffusion
import comfy.samplers
import pytest
import torch
from applying import SIDE, custom, empty, on
from comfy_extras.nodes_advanced_samplers import SamplerEulerCFGpp, SamplerLCMUpscale
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from limits import LATENT, all_fine, guider, mixed, native, noise, none_fine

from driving import quick_schedule
from ralu_pack.nodes.host.samplers import REFUSED_SAMPLERS, sampler_named, sampler_names
from ralu_pack.nodes.host.sampling.begin import sampler_name
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.ralu_core.latents.tokens import pick
from ralu_pack.ralu_core.plans import ralu

KNOWN = 2.0  # the clean value of every latent pixel, in the model's own scaling
LONG = ralu((5, 6, 9), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.158193)


def knowing(model):
    """A model whose clean estimate is the truth for every prompt."""
    known = model.clone()
    known.set_model_sampler_calc_cond_batch_function(
        lambda args: [torch.full_like(args["input"], KNOWN)] * 2
    )
    return known


def end_noise(model, name: str, sigmas: list[float]) -> torch.Tensor:
    """What is left of the state at the last noise level beside the known picture."""
    x = torch.randn(1, 16, 64, 64, generator=torch.Generator().manual_seed(99))
    clean = model.model.process_latent_out(torch.full_like(x, KNOWN))
    out = native(guider(knowing(model), cfg=1.0), x, clean, None, name, torch.tensor(sigmas))
    return model.model.process_latent_in(out) * (1 - sigmas[-1]) - (1 - sigmas[-1]) * KNOWN


def keeps_to_noise_levels(model, name: str, sigmas: list[float]) -> bool:
    left = end_noise(model, name, sigmas)
    bound = 0.02 * max(sigmas[-1], 0.1)
    return bool(left.mean().abs() < bound and (left.std() - sigmas[-1]).abs() < bound)


@pytest.mark.promise("Samplers")
@pytest.mark.parametrize("name", sampler_names())
def test_offered_samplers_keep_to_the_noise_levels(flux, name):
    """With a model that knows the picture, a stage must end in it plus unit noise times sigma."""
    for schedule in (LONG, quick_schedule()):
        for stage in range(3):
            assert keeps_to_noise_levels(flux, name, list(schedule.stages[stage].sigmas)), stage


@pytest.mark.parametrize("name", sorted({*REFUSED_SAMPLERS} & {*comfy.samplers.SAMPLER_NAMES}))
def test_refused_samplers_do_not(flux, name):
    stages = [list(stage.sigmas) for stage in LONG.stages]
    wrong = not all(keeps_to_noise_levels(flux, name, sigmas) for sigmas in stages)
    assert wrong or (name.startswith("sa_solver") and "noise_scale" in host_source())
    assert name not in sampler_names()
    with pytest.raises(ValueError, match=f"the sampler {name[:8]}.* does not keep to them"):
        run_advanced(flux, comfy.samplers.sampler_object(name))


def host_source() -> str:
    """sa_solver is right in the newer host only, and a workflow must run in both."""
    return inspect.getsource(k_diffusion.sample_sa_solver)


def test_uni_pc_in_a_single_step_is_refused(flux):
    assert not keeps_to_noise_levels(flux, "uni_pc", [1.0, 0.7])
    schedule = ralu((1, 2, 2), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.158193)
    with pytest.raises(ValueError, match=r"uni_pc needs at least 2 steps .* got \[1, 2, 2\]"):
        run_advanced(flux, comfy.samplers.sampler_object("uni_pc"), schedule=schedule)


def shared_noise(monkeypatch):
    """Random samplers draw the full-size picture's noise, and every second pixel at half size."""

    def make(x, *args, **kwargs):
        numbers = itertools.count(5)

        def draw(*_):
            generator = torch.Generator().manual_seed(next(numbers))
            full = torch.randn(x.shape[0], 16, *LATENT, generator=generator)
            return full if x.shape[-2:] == LATENT else pick(full)

        return draw

    monkeypatch.setattr(k_diffusion, "default_noise_sampler", make)
    monkeypatch.setattr(k_diffusion, "BrownianTreeNoiseSampler", make)


@pytest.mark.promise("Samplers")
@pytest.mark.parametrize("name", sampler_names())
def test_limits(flux, name, monkeypatch):
    """Also for random samplers: what a coarse region is read from is a half-size run's noise."""
    x, guided = noise(batch=1), guider(flux, cfg=2.0)
    fine = mixed(guided, x, all_fine(1), sampler=name)
    assert torch.isfinite(fine).all()
    assert torch.equal(fine, native(guided, x, sampler=name))
    shared_noise(monkeypatch)
    coarse = pick(mixed(guided, x, none_fine(1), sampler=name))
    torch.testing.assert_close(coarse, native(guided, pick(x), sampler=name), atol=1e-4, rtol=1e-4)


@pytest.mark.promise("Samplers")
@pytest.mark.parametrize("name", sampler_names())
def test_whole_runs_repeat_and_find_a_known_picture(flux, name):
    known, sampler = knowing(flux), comfy.samplers.sampler_object(name)
    expected = flux.model.process_latent_out(torch.full((1, 16, 32, 32), KNOWN))
    samples = run_advanced(known, sampler, schedule=LONG)
    torch.testing.assert_close(samples, expected, atol=0.02, rtol=0)
    once = run_advanced(flux, sampler)
    assert torch.isfinite(once).all() and torch.equal(once, run_advanced(flux, sampler))


def run_advanced(model, sampler, schedule=None, seed=7):
    out = SamplerAdvanced.execute(
        noise=Noise_RandomNoise(seed),
        guider=guider(model, cfg=2.0),
        sampler=sampler,
        latent_image={"samples": torch.zeros(1, 16, 32, 32)},
        denoise=1.0,
        schedule=schedule or quick_schedule(),
        edge_detector="latent_gradient",
    )
    return out.args[0]["samples"]


@pytest.mark.promise("Samplers")
def test_sampler_nodes_with_options(flux):
    made = SamplerEulerCFGpp.execute("regular")
    sampler = (made.args if hasattr(made, "args") else made)[0]
    by_name = comfy.samplers.sampler_object("euler_cfg_pp")
    assert torch.equal(run_advanced(flux, sampler), run_advanced(flux, by_name))
    eta = comfy.samplers.ksampler("euler_ancestral", {"eta": 0.0, "s_noise": 1.0})
    euler = run_advanced(flux, comfy.samplers.sampler_object("euler"))
    torch.testing.assert_close(run_advanced(flux, eta), euler, atol=1e-4, rtol=1e-4)


def resizing(model, x, sigmas, **_):
    return torch.nn.functional.interpolate(x, scale_factor=2)


def test_sampler_that_changes_the_size_is_refused(flux):
    with pytest.raises(ValueError, match=r"SAMPLER resizing turned .*: use a sampler that keeps"):
        run_advanced(flux, comfy.samplers.KSAMPLER(resizing))


def test_one_that_is_known_to_enlarge_is_refused_at_once_or_left_alone(flux):
    made = SamplerLCMUpscale.execute(2.0, -1, "bislerp")
    sampler = (made.args if hasattr(made, "args") else made)[0]
    counted: list[int] = []
    flux.model.diffusion_model.register_forward_pre_hook(lambda *_: counted.append(1))
    with pytest.raises(ValueError, match=r"enlarges the picture .*: use a sampler that keep"):
        run_advanced(flux, sampler)
    assert not counted
    drawn = []
    for model in (flux, on(flux)):
        torch.manual_seed(3)  # the sampler draws from the global generator
        drawn.append(custom(model, sampler=sampler)[0])
    assert torch.equal(*drawn) and drawn[0].shape[-1] == 2 * SIDE


def sharing(model, x, sigmas, steps_to_run=-1, start_at_step=-1, sampler_mode="standard", **more):
    """As RES4LYF's: some of its steps, and the rest by another, in its own count."""
    first = max(start_at_step, 0)
    end = len(sigmas) if steps_to_run < 0 else first + steps_to_run + 1
    return k_diffusion.sample_euler(model, x, sigmas[first:end], **more)


def around(model, x, sigmas, inner, **more):
    return inner.sampler_function(model, x, sigmas, **inner.extra_options, **more)


@pytest.mark.parametrize("is_held", [False, True], ids=["alone", "in another"])
@pytest.mark.parametrize(
    "options", [{"steps_to_run": 0}, {"start_at_step": 1}, {"sampler_mode": "resample"}], ids=str
)
def test_one_that_shares_its_steps_is_refused_at_once_or_left_alone(flux, options, is_held):
    sampler = comfy.samplers.KSAMPLER(sharing, options)
    if is_held:
        sampler = comfy.samplers.KSAMPLER(around, {"inner": sampler})
    with pytest.raises(ValueError, match=r" shares its steps .*: set steps_to_run and"):
        run_advanced(flux, sampler)
    plainly, left_alone = (custom(model, sampler=sampler)[0] for model in (flux, on(flux)))
    assert torch.equal(plainly, left_alone)


def test_one_that_could_share_its_steps_and_does_not_runs(flux, caplog):
    caplog.set_level("INFO")
    asked = {"steps_to_run": -1, "start_at_step": 0, "sampler_mode": "standard"}
    custom(on(flux), sampler=comfy.samplers.KSAMPLER(sharing, asked), latent=empty(side=32))
    assert "RALU 7 steps" in caplog.text and "plainly" not in caplog.text


def test_sampler_of_another_kind_is_refused(flux):
    class Own(comfy.samplers.Sampler):
        pass

    with pytest.raises(ValueError, match=r"cannot use the SAMPLER Own: .* connect KSamplerSelect"):
        run_advanced(flux, Own())


@pytest.mark.parametrize("seed", [0, 2**64 - 1, 2**64 - 2, 2**64 - 3])
def test_every_seed_of_the_widget_works_in_every_stage(flux, seed):
    """The host adds one to a sampler's seed."""
    samples = run_advanced(flux, comfy.samplers.sampler_object("euler_ancestral"), seed=seed)
    assert torch.isfinite(samples).all()


def test_no_two_seeds_share_a_stage(flux):
    """In a row of seeds, no stage draws what another seed draws in any of its stages."""
    seen = []

    def noting(model, x, sigmas, extra_args=None, **options):
        seen.append(extra_args["seed"])
        return k_diffusion.sample_euler(model, x, sigmas, extra_args=extra_args, **options)

    for seed in range(4):
        run_advanced(flux, comfy.samplers.KSAMPLER(noting), seed=seed)
    assert seen[::3] == [0, 1, 2, 3] and len(set(seen)) == len(seen) == 12


def offered() -> list[str]:
    (widget,) = [w for w in Sampler.define_schema().inputs if w.id == "sampler_name"]
    return list(widget.options)


def test_the_widget_offers_what_is_proven():
    assert offered() == sampler_names() and "euler" in sampler_names()


def test_samplers_of_packs_that_load_later_are_offered_and_run(flux, monkeypatch):
    def of_another_pack(model, x, sigmas, **options):
        return k_diffusion.sample_heun(model, x, sigmas, **options)

    monkeypatch.setattr(k_diffusion, "sample_later", of_another_pack, raising=False)
    monkeypatch.setattr(comfy.samplers, "SAMPLER_NAMES", [*comfy.samplers.SAMPLER_NAMES, "later"])
    assert offered()[-1] == "later"
    sampler = sampler_named("later")
    assert sampler_name(sampler) == "later"
    heun = run_advanced(flux, comfy.samplers.sampler_object("heun"))
    assert torch.equal(run_advanced(flux, sampler), heun)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "uni_pc_bh2"])
def test_a_name_of_no_sampler_in_the_hosts_list_stops_no_run(flux, name, monkeypatch):
    names = ["of_nothing", *comfy.samplers.SAMPLER_NAMES]
    monkeypatch.setattr(comfy.samplers, "SAMPLER_NAMES", names)
    sampler = comfy.samplers.sampler_object(name)
    assert sampler_name(sampler) == name
    assert torch.isfinite(run_advanced(flux, sampler, schedule=LONG)).all()
