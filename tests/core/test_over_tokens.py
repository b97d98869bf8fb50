"""A denoiser over a network that reads tokens."""

from __future__ import annotations

import pytest
import torch
from runs import LATENT, PLAN, choose_by, normal, uniform

from ralu_core import (
    Guided,
    Layout,
    Packing,
    Regions,
    Source,
    multistep,
    named_plan,
    over_tokens,
    run_plan,
    sample,
    white_noise,
)
from ralu_core.latents.tokens import patchify, pick, unpatchify


class Toy:
    """A network over tokens: attention by distance, so that places count. `lengths` is each call's
    number of tokens."""

    def __init__(self, width: int) -> None:
        self.mix = 0.3 * normal(9, width, width)
        self.lengths: list[int] = []
        self.places: list[torch.Tensor] = []
        self.rows: list[int] = []

    def __call__(self, tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> torch.Tensor:
        assert places.shape == (*tokens.shape[:2], 2)
        self.lengths.append(tokens.shape[1])
        self.places.append(places)
        self.rows.append(tokens.shape[0])
        nearness = (-torch.cdist(places, places)).softmax(dim=-1)
        return (1 - sigma) * torch.tanh(nearness @ tokens @ self.mix)


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("fine", [True, False])
def test_uniform_layouts_are_the_plain_model(fine: bool, patch: int) -> None:
    x, network = normal(1, 2, 3, 10 * patch, 12 * patch), Toy(3 * patch**2)
    layout = uniform(x, fine, patch)
    denoise = over_tokens(network, patch)
    mixed = denoise(layout.settle(x), 0.6, layout)
    plain_state = x if fine else pick(x)
    rows, columns = (size // patch for size in plain_state.shape[-2:])
    y, z = torch.meshgrid(torch.arange(float(rows)), torch.arange(float(columns)), indexing="ij")
    places = torch.stack([y, z], dim=-1).reshape(1, -1, 2).expand(2, -1, -1)
    answer = network(patchify(plain_state, patch), places, 0.6)
    expected = unpatchify(answer, rows, columns, patch)
    assert torch.equal(denoise(plain_state, 0.6, None), expected)
    assert torch.equal(mixed if fine else pick(mixed), expected)


@pytest.mark.parametrize("size", [(8, 12), (10, 14)], ids=["even", "odd"])  # coarse tokens each way
@pytest.mark.parametrize("patch", [1, 2])
def test_a_whole_run_over_tokens(patch: int, size: tuple[int, int]) -> None:
    network = Toy(4 * patch**2)
    noise = normal(3, 2, 4, size[0] * patch, size[1] * patch)
    denoise = over_tokens(network, patch)
    result = sample(denoise, None, Source.from_noise(noise, patch), PLAN, 0, LATENT)
    assert result.x.shape == noise.shape and result.x.isfinite().all()
    assert result.layout is not None and result.layout.patch == patch
    expected = [
        count
        for stage, count in zip(PLAN.stages, PLAN.tokens(*size), strict=True)
        for _ in range(stage.steps)
    ]
    assert network.lengths == expected and set(network.rows) == {2}


@pytest.mark.parametrize("patch", [1, 2])
def test_pictures_of_other_token_counts_are_called_apart(patch: int) -> None:
    network, size = Toy(4 * patch**2), (4, 8 * patch, 12 * patch)
    denoise, regions = over_tokens(network, patch), Regions("latent_gradient", threshold=0.8)
    noise = white_noise(size, 5, range(3), 0)

    def run(items: list[int]) -> tuple[torch.Tensor, Layout]:
        result = run_plan(
            PLAN,
            Source.from_noise(noise[items], patch),
            multistep(denoise),
            choose_by(regions),
            lambda number: white_noise(size, 5, items, number),
        )
        assert result.layout is not None
        return result.x, result.layout

    batch, layout = run([0, 1, 2])
    kinds = len(set(layout.counts))
    assert kinds > 1
    steps = PLAN.steps
    assert len(network.lengths) == steps[0] + kinds * steps[1] + steps[2]
    mixed = network.places[steps[0] : steps[0] + kinds * steps[1]]
    assert all(one is mixed[k % kinds] for k, one in enumerate(mixed))  # one table for all steps
    for item in range(3):
        alone, own = run([item])
        assert torch.equal(own.fine[0], layout.fine[item])
        torch.testing.assert_close(alone[0], batch[item], rtol=0, atol=1e-5)


@pytest.mark.parametrize("same", [True, False], ids=["as many tokens", "others"])
def test_rows_may_hold_the_batch_again(same: bool) -> None:
    """As those of guidance by a second call of the model do."""
    fine = torch.tensor([[[True, False]], [[False, True]]])
    fine[1, 0, 0] = not same
    layout, denoise = Layout(fine), over_tokens(Toy(12))
    x, other = (layout.settle(normal(seed, 2, 3, 4, 8)) for seed in (1, 2))
    twice = denoise(torch.cat([x, other]), 0.6, layout)
    alone = torch.cat([denoise(x, 0.6, layout), denoise(other, 0.6, layout)])
    torch.testing.assert_close(twice, alone, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="3 rows cannot hold batches of 2 pictures"):
        denoise(torch.cat([x, other[:1]]), 0.6, layout)


@pytest.mark.parametrize("name", ["early second order 6", "FLUX 7x"])
def test_a_network_may_tell_what_it_says_without_guidance(name: str) -> None:
    network, plan = Toy(16), named_plan(name)
    noise = normal(3, 2, 4, 16, 24)

    def guided(tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> Guided:
        plain = network(tokens, places, sigma)
        return Guided(plain + tokens.tanh(), plain)

    def over_states(x: torch.Tensor, sigma: float, layout: Layout | None) -> Guided:
        def tell(part: str) -> torch.Tensor:
            told = over_tokens(lambda *call: getattr(guided(*call), part))(x, sigma, layout)
            assert isinstance(told, torch.Tensor)
            return told

        return Guided(tell("denoised"), tell("unguided"))

    source = Source.from_noise(noise)
    ours = sample(over_tokens(guided), None, source, plan, 0, LATENT)
    assert torch.equal(ours.x, sample(over_states, None, source, plan, 0, LATENT).x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_may_answer_in_another_type(dtype: torch.dtype) -> None:
    network = Toy(16)

    def typed(tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> torch.Tensor:
        return network(tokens.float(), places, sigma).to(dtype)

    noise = normal(3, 2, 4, 16, 24)
    result = sample(over_tokens(typed), None, Source.from_noise(noise), PLAN, 0, LATENT)
    assert result.x.dtype == result.denoised.dtype == noise.dtype
    like = sample(over_tokens(network), None, Source.from_noise(noise), PLAN, 0, LATENT)
    assert (
        torch.corrcoef(torch.stack([result.x.flatten().to(like.x), like.x.flatten()]))[0, 1] > 0.9
    )


@pytest.mark.parametrize(
    ("size", "patch", "told"),
    [
        ((5, 8), 2, "split into whole tokens of 2x2, got 5x8"),
        ((4, 8), 1, "tokens are 2 latent pixels wide, and this network's 1: set patch=1"),
    ],
)
def test_tokens_are_whole_and_those_of_the_run(size: tuple, patch: int, told: str) -> None:
    layout = Layout(torch.tensor([[[True, False]]]))
    with pytest.raises(ValueError, match=told):
        over_tokens(Toy(12), patch)(normal(1, 1, 3, *size), 0.6, layout)


def test_a_mixed_state_is_packed_as_its_layout_says() -> None:
    layout = Layout(torch.tensor([[[True, False], [False, False]]]))
    x = layout.settle(normal(1, 1, 3, 8, 8))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def network(tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append((tokens, places))
        return tokens

    assert torch.equal(over_tokens(network)(x, 0.5, layout), x)
    (packing,) = Packing.parts(layout)
    assert torch.equal(seen[0][0], packing.pack(x))
    assert torch.equal(seen[0][1], packing.positions)
