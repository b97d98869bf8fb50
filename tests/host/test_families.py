"""Every family of the table, on a small network of the host's real class: a new one is tested here
as soon as it has its line."""

from __future__ import annotations

import inspect
import math
from contextlib import nullcontext

import comfy.model_management
import pytest
import torch
from applying import ksampler, on, sampler_node
from interrupting import at_call, traces
from limits import GRID, LATENT, assert_limits, guider, mixed, native, noise, none_fine, scattered

from driving import SIGMAS, ralu, short_plan
from lab.models import tiny
from lab.models.guiders import dual, without_negative
from ralu_pack.nodes.host.families.family import Family, fit_shift
from ralu_pack.nodes.host.families.inspect import ModelFacts, inspect_model, network_of
from ralu_pack.nodes.host.families.positions.shadow import shadowed
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.planning import planned
from ralu_pack.nodes.host.request import Settings
from ralu_pack.ralu_core.latents.flow import shift_sigma
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.plans import named_plan
from ralu_pack.ralu_core.plans.presets import PRESETS

pytestmark = pytest.mark.promise("Every model family: limits, runs, guiders, interrupts")


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request) -> Family:
    return request.param


@pytest.fixture(scope="module")
def weights(family):
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    return tiny.family_weights(family)


@pytest.fixture
def model(weights, family):
    return tiny.load_model(weights, family)


def test_a_family_says_what_it_must(family, model):
    assert inspect_model(model).family is family
    assert family.name.isidentifier() and family.label and family.short
    presets = {preset.name for preset in PRESETS}
    assert {family.presets.default, family.presets.few_steps} - {None} <= presets
    size = family.size(network_of(model))
    assert 0 < size.blocks <= family.full.blocks and 0 < size.width <= family.full.width
    assert family.full_shift == pytest.approx(inspect_model(model).shift, rel=1e-4)
    assert not inspect.isabstract(type(family)) and family_named(family.name) is family


def test_below_a_denoise_of_about_0_8_the_paper_runs_at_full_size_alone(family):
    facts = ModelFacts.published(family, family.full_shift)
    frame = Frame.of_picture(1024, 1024, facts.space)
    for denoise, is_full in ((0.8, False), (0.75, True)):
        settings = Settings(quality="paper", own=OwnRun(20, denoise=denoise))
        assert planned(settings, facts, frame).plan.is_full is is_full


def test_a_model_is_of_one_family(model):
    found = [one.name for one in FAMILIES if one.matches(model.model, network_of(model))]
    assert len(found) == 1


@pytest.mark.every_case
@pytest.mark.parametrize("cfg", [1.0, 4.0])
@pytest.mark.parametrize("batch", [1, 2])
def test_both_limits_are_exact(model, cfg, batch):
    assert_limits(guider(model, cfg=cfg), batch)


@pytest.mark.every_case
def test_both_limits_are_exact_in_bf16(weights, family):
    assert_limits(guider(tiny.load_model(weights, family, dtype=torch.bfloat16)))


@pytest.mark.every_case
@pytest.mark.parametrize("make", [dual, without_negative], ids=["DualCFG", "Basic"])
def test_both_limits_are_exact_with_other_guiders(model, make):
    assert_limits(make(model), batch=1)


def test_without_its_positions_a_call_is_scrambled(model):
    """The control of the limits: what a hook that never fires would cost."""
    family, x = inspect_model(model).family, noise(space=inspect_model(model).space)
    with shadowed(family, "positions", lambda *call: nullcontext([1])):
        lost = mixed(guider(model, cfg=1.0), x, none_fine())
    placed = mixed(guider(model, cfg=1.0), x, none_fine())
    assert (lost - placed).abs().max() > 0.05


def rounding(samples) -> float:
    """What another size of a batch changes, in the host's own sampling too: of Krea 2's tiny
    network, whose samples are five times the noise, 3e-4."""
    return 1e-4 * max(1.0, float(samples.std()))


def test_pictures_with_other_regions_are_sampled_as_alone(model):
    space = inspect_model(model).space
    x, layout = noise(space=space), scattered()
    both = mixed(guider(model), x, layout)
    for k in range(2):
        alone = mixed(guider(model), x[k : k + 1], Layout(layout.fine[k : k + 1]))
        torch.testing.assert_close(both[k : k + 1], alone, atol=rounding(both), rtol=0)


def test_pictures_with_unequal_counts_are_sampled_as_alone(model):
    space = inspect_model(model).space
    fine = torch.zeros(2, *GRID, dtype=torch.bool)
    fine[0, 2:4], fine[1, :, 3] = True, True
    x = noise(space=space)
    both = mixed(guider(model), x, Layout(fine))
    for k in range(2):
        alone = mixed(guider(model), x[k : k + 1], Layout(fine[k : k + 1]))
        torch.testing.assert_close(both[k : k + 1], alone, atol=rounding(both), rtol=0)


def test_prompts_one_by_one_are_sampled_as_together(model, monkeypatch):
    """As the host calls a model that has no room for both prompts of guidance at once."""
    x, layout, rows = noise(space=inspect_model(model).space), scattered(), []
    hook = network_of(model).register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    together = mixed(guider(model), x, layout)
    monkeypatch.setattr(type(model.model), "memory_required", lambda *a, **k: 1e30)
    one_by_one = mixed(guider(model), x, layout)
    hook.remove()
    calls = len(rows) // 3
    assert sum(rows[:calls]) == sum(rows[calls:]) and max(rows[calls:]) < max(rows[:calls])
    torch.testing.assert_close(one_by_one, together, atol=rounding(together), rtol=0)


def test_the_network_is_left_as_it_was(model):
    network, x = network_of(model), noise(space=inspect_model(model).space)
    native(guider(model), x)  # loads it
    modules = {name: {*module.__dict__} for name, module in network.named_modules()}
    mixed(guider(model), x, scattered())
    assert {name: {*m.__dict__} for name, m in network.named_modules()} == modules
    assert model.wrappers == {}


def whole_run(model, **options) -> torch.Tensor:
    settings = {"schedule": short_plan(model), "edge_detector": "latent_gradient", **options}
    return ralu(model, None, **settings)[0]


@pytest.mark.parametrize("call", [0, 1, 3])
def test_an_interrupt_in_any_stage_leaves_nothing(model, call):
    """The calls are the first of each stage; the button only sets a flag."""
    undisturbed, before = whole_run(model), traces(model)
    press = comfy.model_management.interrupt_current_processing
    with at_call(model, call, press) as calls:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            whole_run(model)
    assert call < len(calls) <= call + 2
    assert not comfy.model_management.processing_interrupted()
    assert traces(model) == before
    assert torch.equal(undisturbed, whole_run(model))


def test_a_network_that_does_not_ask_where_its_tokens_lie_stops_after_one_call(model):
    network, calls = network_of(model), []
    before = set(network.__dict__)

    def forward(x, *args, **kwargs):
        calls.append(x.shape)
        return torch.zeros_like(x)

    with shadowed(network, "forward", forward):
        with pytest.raises(RuntimeError, match="another node replaced the forward pass: remove"):
            whole_run(model)
        assert len(calls) == 1
        half = whole_run(model, schedule=named_plan("two sizes", short_plan(model).model_shift))
    assert torch.isfinite(half).all() and set(network.__dict__) == before


def test_a_ksampler_behind_the_node_ralu_is_a_ralu_sampler(model):
    space = inspect_model(model).space
    side = 512 // space.host_pixels
    latent = {"samples": torch.zeros(1, space.host_channels, side, side)}
    plan = short_plan(model, (512, 512))
    expected = sampler_node(model, latent=latent, schedule=plan, cfg=1.0)
    behind = ksampler(on(model, schedule=plan), latent, cfg=1.0)
    assert behind.std() > 0.1 and torch.equal(behind, expected)


UNEQUAL = torch.zeros(2, 256, 256)
UNEQUAL[0, :128] = 1
RUNS = {
    "text to picture": {},
    "odd size": {"size": (200, 264)},
    "batch with guidance": {"batch": 2, "cfg": 3.0},
    "regions of unequal number": {"batch": 2, "region_mask": UNEQUAL},
}


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_whole_runs(model, options):
    space = inspect_model(model).space
    plan = short_plan(model, options.get("size", (256, 256)))
    samples, mask = ralu(model, None, schedule=plan, edge_detector="latent_gradient", **options)
    height, width = options.get("size", (256, 256))
    assert samples.shape[0] == options.get("batch", 1)
    assert samples.shape[-2:] == (height // space.host_pixels, width // space.host_pixels)
    assert samples.ndim == (5 if space.has_frames else 4)
    assert torch.isfinite(samples).all() and samples.std() > 0.1
    assert 0 < mask.mean() < 1


def test_inpainting_keeps_what_is_outside(model):
    space = inspect_model(model).space
    picture = space.leave(torch.randn(1, space.channels, 32, 32))
    freed = torch.zeros(1, 256, 256)
    freed[:, 64:192, 64:192] = 1
    samples, _ = ralu(
        model,
        None,
        latent={"samples": picture, "noise_mask": freed},
        schedule=short_plan(model),
        edge_detector="latent_gradient",
    )
    kept = (freed == 0)[:, :: space.host_pixels, :: space.host_pixels]
    difference = (samples - picture).abs().amax(dim=1).reshape(kept.shape)
    assert difference[kept].max() < 1e-4 and difference[~kept].max() > 0.1


def test_img2img_begins_at_its_noise_level(model):
    space = inspect_model(model).space
    picture = space.leave(torch.randn(1, space.channels, 32, 32))
    near, far = (
        ralu(
            model,
            None,
            latent={"samples": picture},
            denoise=denoise,
            schedule=short_plan(model),
            edge_detector="latent_gradient",
        )[0]
        for denoise in (0.05, 0.95)
    )
    assert (near - picture).abs().mean() < (far - picture).abs().mean()


def test_half_size_begins_with_the_picture(model):
    """Its first call differs from that of an empty latent by a share of the halved picture."""
    space = inspect_model(model).space
    picture, first = space.leave(torch.randn(1, space.channels, 32, 32)), []

    def call(apply, args):
        calls.append(space.enter(args["input"]))
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(call)
    for samples in (picture, torch.zeros_like(picture)):
        calls: list[torch.Tensor] = []
        whole_run(model, latent={"samples": samples}, denoise=0.9, cfg=1.0)
        first.append(calls[0])
    half = torch.nn.functional.avg_pool2d(space.enter(model.model.process_latent_in(picture)), 2)
    added = first[0] - first[1]
    share = float((added * half).sum() / half.square().sum())
    assert 0.01 < share < 0.3
    torch.testing.assert_close(added, share * half, atol=1e-4 * float(half.std()), rtol=1e-4)


@pytest.mark.every_case
def test_img2img_stays_in_both_limits(model):
    """But for the rounding of a picture that is scaled and halved; Krea 2's values are large."""
    space = inspect_model(model).space
    generator = torch.Generator().manual_seed(9)
    picture = space.leave(torch.randn(1, space.channels, *LATENT, generator=generator))
    assert_limits(guider(model), 1, atol=3e-4, latent=picture, sigmas=SIGMAS[1:])


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0, math.exp(1.15), 25.3])
def test_the_shift_is_found_in_float32_levels(shift):
    half, quarter = (float(shift_sigma(shift, torch.tensor(sigma))) for sigma in (0.5, 0.75))
    assert fit_shift(half, quarter) == pytest.approx(shift, rel=1e-5)


@pytest.mark.parametrize(
    ("half", "quarter"),
    [(0.75, 0.89), (1.0, 1.0), (0.0, 0.0), (1.6, 4.1), (math.nan, 0.9), (0.75, math.nan)],
)
def test_other_flows_are_refused(half, quarter):
    with pytest.raises(ValueError, match=r"noise levels of one shift, .*: remove the node"):
        fit_shift(half, quarter)
