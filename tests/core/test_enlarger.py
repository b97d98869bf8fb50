"""The map from half-size latents to full-size ones: recovered from pairs, and in a crossing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from runs import LATENT, choose_by, normal
from safetensors.torch import load, save

from ralu_core import Source, StageEnd, multistep, run_plan
from ralu_core.crossings import Matched, Place
from ralu_core.growth import growth_named
from ralu_core.growth.enlarged import Enlarged
from ralu_core.growth.enlarger import Enlarger
from ralu_core.growth.enlarger_fit import energies_left_wrong, fit, fit_and_measure
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.latents.layout import Layout
from ralu_core.latents.states import State
from ralu_core.latents.tokens import pick
from ralu_core.plans import own_noise, ralu

CHANNELS = 3


def drawn(channels: int = CHANNELS) -> Enlarger:
    return Enlarger(
        normal(8, 4 * channels, 9 * channels) / 5 / channels**0.5, normal(9, 4 * channels)
    )


def by_convolution(enlarger: Enlarger, half: torch.Tensor) -> torch.Tensor:
    """The same map as a convolution over a repeated edge."""
    c = enlarger.channels
    kernel = enlarger.weights.reshape(4 * c, c, 3, 3).to(half)
    padded = F.pad(half, (1, 1, 1, 1), mode="replicate")
    return F.pixel_shuffle(F.conv2d(padded, kernel, enlarger.bias.to(half)), 2)


def pairs_of(enlarger: Enlarger, count: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pictures of different sizes."""
    halves = [normal(k, 1, enlarger.channels, 48 + 2 * k, 64) for k in range(count)]
    return [(half, by_convolution(enlarger, half)) for half in halves]


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_a_convolution_over_a_repeated_edge(channels: int) -> None:
    half, enlarger = normal(1, 2, channels, 5, 7), drawn(channels)
    torch.testing.assert_close(
        enlarger.enlarge(half), by_convolution(enlarger, half), rtol=0, atol=1e-5
    )
    assert torch.equal(
        enlarger.enlarge(half)[1:], enlarger.enlarge(half[1:])
    )  # alone as in a batch


def test_the_map_that_made_the_pairs_is_found() -> None:
    true = drawn()
    found = fit(pairs_of(true))
    torch.testing.assert_close(found.weights, true.weights, rtol=2e-3, atol=1e-4)
    torch.testing.assert_close(found.bias, true.bias, rtol=2e-3, atol=1e-4)


def test_what_is_left_wrong_is_told_of_pictures_that_it_was_not_fitted_on() -> None:
    pairs = pairs_of(drawn(), 8)
    fitted = fit_and_measure(pairs)
    assert fitted.pictures == 8 and fitted.wrong["enlarger"] < 1e-5
    assert all(fitted.wrong[name] > 0.3 for name in ("nearest", "bicubic", "dct"))
    noisy = [(half, full + normal(5 + k, *full.shape)) for k, (half, full) in enumerate(pairs)]
    on_others, on_its_own = (
        energies_left_wrong(noisy[1::2], fit(part))["enlarger"] for part in (noisy[::2], noisy)
    )
    assert fit_and_measure(noisy).wrong["enlarger"] == pytest.approx(on_others)
    assert on_others > on_its_own


def test_a_latent_that_keeps_its_scale_is_read_by_dct() -> None:
    dct = growth_named("dct")
    halves = [normal(k, 1, 2, 16, 16) for k in range(4)]
    wrong = energies_left_wrong([(half, dct.grow(half, 1)) for half in halves], drawn(2))
    assert wrong["dct"] < 1e-9 and wrong["nearest"] > 0.1


@pytest.mark.parametrize(
    "pairs, message",
    [
        (pairs_of(drawn(), 3), "4 pictures or more, half of which measure it, got 3: add some"),
        (
            [(normal(1, 1, 3, 4, 4), normal(1, 1, 3, 8, 8))] * 4,
            "one half has 32 latent pixels .* and 108",
        ),
        ([(torch.ones(1, 1, 9, 9), torch.ones(1, 1, 18, 18))] * 4, "are all of one colour"),
    ],
)
def test_pictures_that_teach_too_little_are_refused(pairs, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_and_measure(pairs)


def test_latents_of_another_vae_are_refused() -> None:
    with pytest.raises(ValueError, match="latents of 3 channels, got 16: fit one for this VAE"):
        drawn().enlarge(torch.zeros(1, 16, 4, 4))


@pytest.mark.parametrize("shapes", [((12, 18), (12,)), ((10, 18), (10,)), ((0, 0), (0,))])
def test_weights_of_another_shape_are_refused(shapes) -> None:
    with pytest.raises(ValueError, match=r"weights of shape \(4 C, 9 C\) and a bias of 4 C, got"):
        Enlarger(*map(torch.zeros, shapes))


def test_weights_that_are_no_numbers_are_refused() -> None:
    enlarger = drawn()
    with pytest.raises(ValueError, match="holds numbers, and this one holds others: fit it anew"):
        Enlarger(enlarger.weights, enlarger.bias * float("nan"))


def test_it_goes_through_a_safetensors_file() -> None:
    enlarger = drawn()
    again = Enlarger.of_tensors(load(save(enlarger.tensors())))
    assert torch.equal(again.weights, enlarger.weights) and torch.equal(again.bias, enlarger.bias)
    with pytest.raises(ValueError, match="holds no bias: fit it anew"):
        Enlarger.of_tensors({"weights": enlarger.weights})


def test_it_may_be_scaled_as_a_model_scales_latents() -> None:
    scale, offset = normal(2, CHANNELS).exp(), normal(3, CHANNELS)

    def process(latent: torch.Tensor) -> torch.Tensor:
        return latent * scale[:, None, None] + offset[:, None, None]

    enlarger, half = drawn(), normal(4, 2, CHANNELS, 4, 6)
    torch.testing.assert_close(
        enlarger.scaled(scale, offset).enlarge(process(half)),
        process(enlarger.enlarge(half)),
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("z", [2.0, 3.3])
def test_a_grown_state_holds_what_it_makes_of_the_estimate_and_noise_by_the_law(
    z: float, own: bool
) -> None:
    """The estimate is free, so the law is that of the noise alone, as a dense covariance."""
    growth = Enlarged(drawn(1))
    crossing = Matched(0.6, z, growth, own=own)
    clean, place = normal(1, 1, 1, 4, 6).double(), Place(HALF, FULL, None, 2)

    def crossed(noise: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """From one white full-size noise, of which half size began with what it could hold."""
        half = growth.halve_noise(noise, 2) if own else noise[..., :4, :6]
        state = 0.6 * half + 0.4 * clean
        white = crossing.noise(noise, lambda: new, 2) if own else new
        return crossing.cross(StageEnd(state, clean), white, place)

    zero = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    still = crossed(zero, zero)
    signal = (1 - crossing.start_sigma) * growth.enlarger.enlarge(clean)
    torch.testing.assert_close(still, signal, rtol=0, atol=1e-6)
    basis = torch.eye(96, dtype=torch.float64).reshape(-1, 1, 1, 8, 12)
    rows = [crossed(one, zero) - still for one in basis]
    rows += [crossed(zero, one) - still for one in basis]
    noise = torch.cat(rows).flatten(1)
    white = crossing.start_sigma**2 * torch.eye(96, dtype=torch.float64)
    torch.testing.assert_close(noise.T @ noise, white, rtol=0, atol=1e-6)


def test_without_a_map_it_is_dct() -> None:
    noise = normal(3, 2, 3, 16, 24)
    end = StageEnd(normal(4, 2, 3, 8, 12), normal(5, 2, 3, 8, 12))
    place = Place(HALF, FULL, None, 2)
    states = [
        Matched(0.8, 2.0, one, own=True).cross(end, noise, place) for one in (Enlarged(), "dct")
    ]
    assert torch.equal(*states)


def test_a_mixed_state_grows_where_it_is_coarse() -> None:
    growth = Enlarged(drawn())
    layout = Layout(torch.tensor([[[True, False], [False, False]]]))
    end = StageEnd(*(layout.settle(normal(k, 1, CHANNELS, 8, 8)) for k in (1, 2)))
    place, white = Place(MIXED, FULL, layout, 2), normal(3, 1, CHANNELS, 8, 8)
    crossing = Matched(0.5, 4.0, growth)
    apart = crossing.cross(end, white, place) - Matched(0.5, 4.0, "dct").cross(end, white, place)
    more = growth.refinement(pick(end.denoised), 2)
    expected = torch.where(layout.fine_pixels, 0, (1 - crossing.start_sigma) * more)
    torch.testing.assert_close(apart, expected, rtol=0, atol=1e-6)


def test_full_size_remembers_the_estimate_as_it_was_enlarged() -> None:
    growth, place = Enlarged(drawn()), Place(HALF, FULL, None, 2)
    last = State(0.9, normal(1, 2, CHANNELS, 4, 6), normal(2, 2, CHANNELS, 4, 6))
    memory = Matched(0.8, 2.0, growth, own=True).memory(last, place)
    noise = (last.x - (1 - 0.9) * last.denoised) / 0.9
    expected = growth.grow(noise / 2, 2) - growth.mean_of_siblings(
        growth.enlarger.enlarge(last.denoised), 2
    )
    torch.testing.assert_close(memory.velocity, expected, rtol=0, atol=1e-5)


def test_plans_take_it_where_half_size_begins_with_the_same_noise() -> None:
    growth = Enlarged(drawn())
    (crossing,) = own_noise(3.0).growing_by(growth).crossings
    assert crossing.growth is growth and crossing.own
    haar = own_noise(3.0, growth="pixel")
    assert haar.growing_by(growth) == haar
    numbers = (4, 5, 6), (0.7, 0.55, 0.0), (5.0, 2.6, 2.2), 7.5
    published = ralu(*numbers, ratio=0.2, model_shift=3.0).growing_by(growth)
    assert [crossing.growth for crossing in published.crossings] == [growth, growth]


def test_a_run_ends_near_what_the_map_says_of_a_known_half_size_picture() -> None:
    """Half size finds one latent, and full size finds nothing new: what grew is the picture."""
    growth, half = Enlarged(drawn()), normal(1, 2, CHANNELS, 8, 12)
    plan = own_noise(3.0, (3, 2)).growing_by(growth)
    full = growth.enlarger.enlarge(half)

    def known(x: torch.Tensor, sigma: float, layout: object) -> torch.Tensor:
        # At full size, whatever the state itself says with this noise: it stays on its course.
        return half if x.shape == half.shape else (x - sigma * noise) / (1 - sigma)

    noise = normal(3, *full.shape)
    found = run_plan(
        plan, Source.from_noise(noise), multistep(known), choose_by(LATENT), lambda _: noise
    )
    torch.testing.assert_close(found.x, full, rtol=0, atol=1e-4)
