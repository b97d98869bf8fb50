"""Forecasts against polynomials in sigma, and the pattern of computed evaluations."""

from __future__ import annotations

import pytest
import torch

from ralu_core.forecast import extrapolate, is_computed, lagrange_weights, urgent_tokens

UNEVEN = (0.71, 0.83, 0.95)  # newest first, at uneven distances
TARGET = 0.4


def polynomial(coefficients: list[torch.Tensor], sigma: float) -> torch.Tensor:
    return sum((c * sigma**k for k, c in enumerate(coefficients)), torch.zeros(2, 3, 4))


def random_polynomial(order: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(order)
    return [torch.randn(2, 3, 4, generator=generator) for _ in range(order + 1)]


def at(sigma: float) -> torch.Tensor:
    return torch.full((2,), sigma)


def pattern(steps: int, interval: int, warm_up: int) -> str:
    return "".join("F" if is_computed(k, interval, warm_up) else "s" for k in range(steps))


@pytest.mark.parametrize("sigmas", [UNEVEN, (0.6, 0.7, 0.8)])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_polynomial_of_the_order_is_forecast_exactly(order, sigmas):
    coefficients = random_polynomial(order)
    nodes = sigmas[: order + 1]
    values = [polynomial(coefficients, sigma) for sigma in nodes]
    found = extrapolate(values, [at(sigma) for sigma in nodes], at(TARGET))
    assert torch.allclose(found, polynomial(coefficients, TARGET), atol=2e-5)


@pytest.mark.parametrize("order", [0, 1])
def test_a_polynomial_above_the_order_is_not(order):
    coefficients = random_polynomial(order + 1)
    nodes = UNEVEN[: order + 1]
    values = [polynomial(coefficients, sigma) for sigma in nodes]
    found = extrapolate(values, [at(sigma) for sigma in nodes], at(TARGET))
    assert (found - polynomial(coefficients, TARGET)).abs().max() > 0.01


def test_forecast_at_a_node_is_its_value():
    values = [polynomial(random_polynomial(4), sigma) for sigma in UNEVEN]
    for value, sigma in zip(values, UNEVEN, strict=True):
        nodes = [at(node) for node in UNEVEN]
        assert torch.allclose(extrapolate(values, nodes, at(sigma)), value, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_does_not_change_is_kept_bit_for_bit(dtype):
    value = torch.randn(2, 3, 4).to(dtype)
    found = extrapolate([value] * 3, [at(sigma) for sigma in UNEVEN], at(0.1))
    assert torch.equal(found, value) and found.dtype == dtype and found is not value


@pytest.mark.parametrize(
    ("sigmas", "same_as"),
    [
        ((0.7, 0.7, 0.9), (0, 2)),
        ((0.7, 0.9, 0.9), (0, 1)),
        ((0.7, 0.9, 0.7), (0, 1)),
        ((0.7, 0.7, 0.7), (0,)),
    ],
)
def test_of_equal_noise_levels_the_newest_counts(sigmas, same_as):
    """Heun evaluates where its next step begins; the order falls, and nothing divides by zero."""
    values = [torch.randn(2, 3, 4) for _ in sigmas]
    nodes = [at(sigma) for sigma in sigmas]
    found = extrapolate(values, nodes, at(TARGET))
    fewer = [values[k] for k in same_as], [nodes[k] for k in same_as]
    assert torch.isfinite(found).all()
    assert torch.allclose(found, extrapolate(*fewer, at(TARGET)), atol=1e-6)


def test_every_row_has_noise_levels_of_its_own():
    coefficients = random_polynomial(1)
    first, second = torch.tensor([0.8, 0.5]), torch.tensor([0.9, 0.7])

    def per_row(sigma):
        return coefficients[0] + coefficients[1] * sigma[:, None, None]

    target = torch.tensor([0.3, 0.1])
    found = extrapolate([per_row(first), per_row(second)], [first, second], target)
    assert torch.allclose(found, per_row(target), atol=1e-5)


def test_weights_sum_to_one():
    weights = lagrange_weights([at(sigma) for sigma in (0.7, 0.7, 0.9)], at(0.2))
    assert torch.allclose(torch.stack(weights).sum(0), torch.ones(2), atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "interval", "warm_up", "expected"),
    [
        (6, 1, 1, "FFFFFF"),
        (6, 2, 1, "FsFsFs"),
        (6, 3, 1, "FssFss"),
        (6, 3, 2, "FFssFs"),
        (6, 3, 3, "FFFssF"),
        (4, 3, 3, "FFFs"),
        (5, 100, 9, "FFFFF"),
    ],
)
def test_pattern(steps, interval, warm_up, expected):
    assert pattern(steps, interval, warm_up) == expected


def test_urgent_tokens_moved_most_or_waited_longest():
    change = torch.tensor([[1.0, 5.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    age = torch.tensor([[0.0, 0.0, 3.0, 0.0], [0.0, 1.0, 2.0, 9.0]])
    chosen = urgent_tokens(change, age, 3, 2)
    assert [set(row.tolist()) for row in chosen] == [{1, 2}, {2, 3}]


def test_urgent_tokens_of_a_still_picture_are_the_oldest():
    chosen = urgent_tokens(torch.zeros(1, 3), torch.tensor([[0.0, 2.0, 1.0]]), 3, 1)
    assert chosen.tolist() == [[1]]
