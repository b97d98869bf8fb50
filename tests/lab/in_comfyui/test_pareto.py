"""The lines of the Pareto curve run on the pack's code, at the FLOPs that the curve spans."""

from __future__ import annotations

import pytest
import torch

from lab.models.architectures import MINIATURES
from lab.quality import methods, pareto, pareto_methods, rivals
from lab.quality.bench import REFERENCE, Bench
from lab.quality.pareto_methods import LINE
from lab.quality.rivals import Batch
from lab.quality.store import Store
from lab.quality.subject import list_pairs, load_subject, meta_subject


@pytest.mark.parametrize("kind", MINIATURES)
def test_every_method_costs_what_the_curve_spans(kind):
    counting = meta_subject(kind)
    lines = pareto_methods.lines(counting)
    keys = [method.key for line in lines for method in line.methods]
    assert len(set(keys)) == len(keys)  # kept pictures go by them
    cheapest = [methods.cost(line.methods[0], counting).giga for line in lines]
    assert all(8 < giga < 60 for giga in cheapest), cheapest
    plain = {m.name: methods.cost(m, counting) for m in lines[0].methods}
    assert plain["6 steps"].giga == pytest.approx(2 * plain["3 steps"].giga)


def test_the_seeds_picture_survives_on_its_own_noise_alone():
    with torch.inference_mode():
        batch = Batch(load_subject("flux"), list_pairs(2))
        lines = {line.name: line for line in pareto_methods.lines(batch.subject)}
        many = rivals.plain(batch, 20)

        def distance(line: str, name: str) -> float:
            (run,) = (m.run for m in lines[line].methods if m.name == name)
            return (run(batch) - many).square().mean().item()

        kept = distance("own noise", "4-5, switch 0.8")
        fresh = distance("Haar, new noise (SPEED-like)", "4-5, switch 0.8")
        assert kept < fresh / 2
        assert distance(LINE, "6 steps") < distance("plain, Euler", "6 steps")


def test_lines_are_chosen_by_how_they_begin():
    lines = pareto_methods.lines(meta_subject("flux"))
    assert [line.name for line in pareto.chosen_lines(lines, ["RALU,"])] == [
        LINE,
        "RALU, views",
        "RALU, second order",
    ]
    with pytest.raises(ValueError, match="No line of the curve begins with nothing"):
        pareto.chosen_lines(lines, ["nothing"])


def test_parts_share_the_held_out_pictures_alone(tmp_path):
    bench = Bench(meta_subject("flux"), [], Store(tmp_path / "a"), held=Store(tmp_path))
    assert bench._store_of(REFERENCE).folder == tmp_path
    assert bench._store_of("RALU").folder == tmp_path / "a"
