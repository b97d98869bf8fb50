from __future__ import annotations

import pytest
import torch
from closed_form import Known, gaussian, gaussian_variance
from runs import LATENT, PLAN, RATIO, SIZE, UNFITTED, choose_by, normal, plan_of

from ralu_core import (
    Evidence,
    Layout,
    Packing,
    Plan,
    Regions,
    Result,
    Source,
    StageEnd,
    multistep,
    run_plan,
    sample,
    white_noise,
)
from ralu_core.latents.grid import MIXED
from ralu_core.latents.tokens import pick
from ralu_core.plans import named_plan


def chosen(denoised: torch.Tensor) -> torch.Tensor:
    return LATENT.choose(Evidence(StageEnd(denoised, denoised), (4, 6)), RATIO)


def image_to_image(start: torch.Tensor, noise: torch.Tensor) -> Source:
    return Source(noise, start, pick(start))


@pytest.mark.parametrize("upsampling", UNFITTED)
@pytest.mark.parametrize("start_sigma", [1.0, 0.9, 0.7, 0.6, 0.55, 0.3])
def test_a_model_of_one_latent_lands_on_it(start_sigma: float, upsampling: str) -> None:
    target = normal(1, *SIZE)
    source = image_to_image(normal(2, *SIZE), normal(3, *SIZE))
    plan = plan_of(growth=upsampling).begun_at(start_sigma)
    result = sample(Known(target), None, source, plan, seed=0, regions=LATENT)
    torch.testing.assert_close(result.x, target, rtol=0, atol=1e-5)


def test_every_stage_calls_the_model_once_per_step() -> None:
    model = Known(normal(1, *SIZE))
    sample(model, None, Source.from_noise(normal(3, *SIZE)), PLAN, 0, LATENT)
    sizes = [(8, 12)] * 3 + [(16, 24)] * 9
    sigmas = [sigma for stage in PLAN.stages for sigma in stage.sigmas[:-1]]
    assert model.calls == list(zip(sizes, sigmas, strict=True))


@pytest.mark.parametrize(
    ("start_sigma", "first_stage"),
    [(1.0, 0), (0.95, 0), (0.94, 1), (0.905, 1), (0.9, 2), (0.01, 2)],
)
def test_image_to_image_starts_in_the_cheapest_stage(start_sigma: float, first_stage: int) -> None:
    """The first state is the start latent, as that stage holds it, under the source's noise."""
    start, noise = normal(2, *SIZE), normal(3, *SIZE)
    first: list[tuple] = []

    def keep_first(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        first.append((x, sigma, layout))
        return x

    plan = PLAN.begun_at(start_sigma)
    result = sample(keep_first, None, image_to_image(start, noise), plan, 0, LATENT)
    x, sigma, layout = first[0]
    assert sigma == start_sigma
    expected = start_sigma * noise + (1 - start_sigma) * start
    if first_stage == 0:
        assert layout is None
        expected = pick(expected)
    elif first_stage == 1:
        assert layout is not None and torch.equal(layout.fine, chosen(pick(start)))
        expected = layout.settle(expected)
    else:
        assert layout is None and result.layout is None
    torch.testing.assert_close(x, expected)
    assert len(first) == plan.total_steps


def test_regions_come_from_the_last_estimate_of_stage_1() -> None:
    estimates: list[torch.Tensor] = []
    target = normal(1, *SIZE)

    def choose(end: StageEnd, ratio: float) -> torch.Tensor:
        estimates.append(end.denoised)
        assert ratio == RATIO and end.history == ()
        return chosen(end.denoised)

    result = run_plan(
        PLAN,
        Source.from_noise(normal(3, *SIZE)),
        multistep(Known(target)),
        choose,
        lambda number: normal(number, *SIZE),
    )
    assert len(estimates) == 1 and torch.equal(estimates[0], pick(target))
    assert result.layout is not None
    assert torch.equal(result.layout.fine, chosen(pick(target)))
    assert result.layout.fine.flatten(1).sum(1).tolist() == [7, 7]


def test_the_decoder_sees_the_estimate_of_stage_1() -> None:
    target = normal(1, *SIZE)
    seen: list[torch.Tensor] = []

    def decode(latent: torch.Tensor) -> torch.Tensor:
        seen.append(latent)
        image = torch.zeros(2, 64, 96, 3)
        image[:, :, 40:] = 1.0  # an edge in token column 2
        return image

    source = Source.from_noise(normal(3, *SIZE))
    plan = plan_of(ratio=4 / 24)
    result = sample(Known(target), decode, source, plan, 0)
    assert len(seen) == 1 and torch.equal(seen[0], pick(target))
    expected = torch.zeros(2, 4, 6, dtype=torch.bool)
    expected[:, :, 2] = True
    assert torch.equal(result.layout.fine, expected)


def test_mixed_states_repeat_what_is_coarse() -> None:
    checked = []

    def check(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        if layout is not None:
            assert torch.equal(layout.settle(x), x)
            (packing,) = Packing.parts(layout)
            assert torch.equal(packing.unpack(packing.pack(x)), x)
            checked.append(sigma)
        return 0.3 * x

    sample(check, None, Source.from_noise(normal(3, *SIZE)), PLAN, 0, LATENT)
    assert tuple(checked) == PLAN.stages[1].sigmas[:-1]


@pytest.mark.parametrize("growth", UNFITTED)
@pytest.mark.parametrize("name", ["FLUX 5x", "two sizes", "Bottleneck Sampling", "own noise 3-5"])
def test_a_run_keeps_the_type_of_its_noise(name: str, growth: str) -> None:
    types = set()

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        types.add(x.dtype)
        return 0.3 * x

    source = Source.from_noise(normal(3, *SIZE).bfloat16())
    plan = named_plan(name, 3.0).growing_by(growth)
    result = sample(denoise, None, source, plan, 0, LATENT)
    assert types == {result.x.dtype} == {torch.bfloat16}


def run_one(items: list[int], regions: Regions, model, noise: torch.Tensor) -> Result:
    """Sample some pictures of a batch, with the noise that they have in it."""
    return run_plan(
        PLAN,
        Source.from_noise(noise[items]),
        multistep(model),
        choose_by(regions),
        lambda number: white_noise(SIZE[1:], 5, items, number),
    )


@pytest.mark.parametrize("regions", [LATENT, Regions("latent_gradient", threshold=0.8)])
def test_a_picture_of_a_batch_is_the_picture_alone(regions: Regions) -> None:
    noise = white_noise(SIZE[1:], 5, range(3), 0)
    model = gaussian(0.2, 0.8)
    batch = run_one([0, 1, 2], regions, model, noise)
    for item in range(3):
        alone = run_one([item], regions, model, noise)
        assert torch.equal(alone.x[0], batch.x[item])
        assert alone.layout is not None and batch.layout is not None
        assert torch.equal(alone.layout.fine[0], batch.layout.fine[item])
    assert batch.layout is not None
    assert not torch.equal(batch.layout.fine[0], batch.layout.fine[1])
    if regions.threshold is not None:
        assert len(set(batch.layout.counts)) > 1


def test_sample_draws_the_noise_of_each_picture_from_the_seed() -> None:
    noise = white_noise(SIZE[1:], 5, range(2), 0)
    model = gaussian(0.2, 0.8)

    def final(seed: int) -> torch.Tensor:
        return sample(model, None, Source.from_noise(noise), PLAN, seed, LATENT).x

    assert torch.equal(final(5), run_one([0, 1], LATENT, model, noise).x)
    assert torch.equal(final(5), final(5))
    assert not torch.equal(final(5), final(6))


def test_a_run_that_begins_mixed_has_no_steps_to_choose_by() -> None:
    """However many its other stages take."""
    plan = plan_of(steps=(4, 4, 4)).begun_at(0.94)
    assert plan.stages[0].grid is MIXED
    source = Source.from_noise(normal(3, *SIZE))
    with pytest.raises(ValueError, match=r"reads 2 steps before the regions .* takes 0 there"):
        sample(gaussian(0.2, 0.8), None, source, plan, 0, Regions("step_variance"))


def test_regions_are_chosen_for_each_picture() -> None:
    plan, (b, _, h, w) = plan_of(steps=(2, 2, 2)), SIZE
    with pytest.raises(ValueError, match=rf"for each picture, \({b}, .* got \(1, "):
        run_plan(
            plan,
            Source.from_noise(normal(3, *SIZE)),
            multistep(gaussian(0.2, 0.8)),
            lambda _end, _ratio: torch.zeros(1, h // 4, w // 4, dtype=torch.bool),
            lambda number: normal(number, *SIZE),
        )


def test_a_run_keeps_no_gradients() -> None:
    layer = torch.nn.Conv2d(SIZE[1], SIZE[1], 1)

    def model(x: torch.Tensor, sigma: float, _layout: Layout | None) -> torch.Tensor:
        return layer(x)

    result = sample(model, None, Source.from_noise(normal(3, *SIZE)), PLAN, 0, LATENT)
    assert not result.x.requires_grad and torch.is_grad_enabled()


@pytest.mark.parametrize("change", [{"growth": "token"}, {"kept": "released"}])
def test_options_change_the_picture(change: dict[str, str]) -> None:
    source = Source.from_noise(normal(3, *SIZE))
    plain, changed = (
        sample(gaussian(0.2, 0.8), None, source, plan_of(**options), 0, LATENT).x
        for options in ({}, change)
    )
    assert not torch.allclose(plain, changed, atol=1e-3)


def long_plan(steps: int, upsampling: str = "token") -> Plan:
    return plan_of(steps=(steps,) * 3, growth=upsampling)


@pytest.mark.parametrize("upsampling", ["token", "pixel"])
def test_gaussian_pixels_have_the_right_mean_and_variance(upsampling: str) -> None:
    """With the exact model of N(mean, deviation**2), every kind of pixel ends up so distributed.

    Euler steps lose some variance, none of the mean; `gaussian_variance` tells how much. Four
    siblings start from one coarse pixel, so a quarter of the pixels counts as independent. Bounds
    are four standard errors: at most 0.03 of the deviation and 4.1 % of the variance.
    """
    mean, deviation = 0.5, 0.8
    plan = long_plan(30, upsampling)
    variance = gaussian_variance(plan, deviation)
    source = Source.from_noise(normal(3, 64, 4, 32, 32))
    result = sample(gaussian(mean, deviation), None, source, plan, 0, LATENT)
    assert result.layout is not None
    fine = result.layout.fine_pixels.expand_as(result.x)
    for pixels in (result.x, result.x[fine], result.x[~fine]):
        independent = pixels.numel() / 4
        assert abs(pixels.mean() - mean) < 4 * (variance / independent) ** 0.5
        assert abs(pixels.var() / variance - 1) < 4 * (2 / independent) ** 0.5


def test_gaussian_variance_is_exact_in_the_limit_of_small_steps() -> None:
    errors = [abs(gaussian_variance(long_plan(n), 0.8) / 0.64 - 1) for n in (250, 500, 1000)]
    assert errors[2] < 0.004
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)  # Euler: first order
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)


def test_half_precision_noise_is_enough() -> None:
    target = normal(1, *SIZE)
    source = Source.from_noise(normal(3, *SIZE).bfloat16())
    result = sample(Known(target), None, source, PLAN, 0, LATENT)
    assert result.x.dtype == torch.float32
    torch.testing.assert_close(result.x, target, rtol=0, atol=1e-5)
