"""The lines of the Pareto curve run on the pack's code, at the FLOPs that the curve spans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import comfy.samplers
import pytest
import torch

from lab.comfy import ralu_pack
from lab.models.architectures import MINIATURES
from lab.models.blueprint import FEW
from lab.quality import few_methods, jit, methods, pareto, pareto_methods, rivals
from lab.quality.bench import REFERENCE, Bench, Measured, figure_names
from lab.quality.pareto_line import EULER, LINE, RALU, Line
from lab.quality.report import Row
from lab.quality.rivals import Batch
from lab.quality.statistics import Drawn
from lab.quality.store import Store
from lab.quality.subject import list_pairs, load_subject, meta_subject


@pytest.mark.parametrize("kind", MINIATURES)
def test_every_method_costs_what_the_curve_spans(kind):
    counting = meta_subject(kind)
    lines = pareto_methods.lines(counting)
    keys = [method.key for line in lines for method in line.methods]
    assert len(set(keys)) == len(keys)  # kept pictures go by them
    cheapest = [methods.cost(line.methods[0], counting).giga for line in lines]
    least = 1 if MINIATURES[kind].preset == FEW else 8
    assert all(least < giga < 60 for giga in cheapest), cheapest
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


@pytest.mark.parametrize(
    ("kind", "guidance"), [("flux", None), ("sd3", None), ("sd3", 7.0), ("flux_guided", 7.0)]
)
def test_just_in_time_with_all_tokens_is_plain_sampling_on_its_levels(kind, guidance):
    with torch.inference_mode():
        subject = replace(load_subject(kind, torch.float32), guidance=guidance)
        batch, levels = Batch(subject, list_pairs(2)), jit.levels(4)
        whole = jit.sample(batch, 4, (1.0, 1.0, 1.0))
        euler, latent = comfy.samplers.sampler_object("euler"), batch.latent
        plain = batch.guider.sample(
            batch.noise(latent), latent["samples"], euler, torch.tensor(levels), seed=1
        )
        torch.testing.assert_close(whole, plain, atol=1e-3, rtol=1e-3)
        assert (jit.sample(batch, 4, jit.SHARES[18]) - plain).abs().max() > 0.5


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_just_in_time_reads_each_anchors_own_place(kind, monkeypatch):
    """With all tokens as anchors, but given as a strip: the network sees the whole picture."""
    with torch.inference_mode():
        batch = Batch(load_subject(kind, torch.float32), list_pairs(2))
        whole = jit.sample(batch, 2, (1.0, 1.0, 1.0))
        monkeypatch.setattr(jit.Field, "is_whole", False)
        torch.testing.assert_close(jit.sample(batch, 2, (1.0, 1.0, 1.0)), whole, atol=1e-3, rtol=0)


def test_just_in_times_anchors_keep_what_they_have():
    noise, values = torch.randn(2, 2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    field = jit.Field(noise, 0.25)
    before, tokens = field.is_anchor.clone(), ralu_pack.tokens.patchify
    assert before.sum(1).tolist() == [16, 16]
    level = torch.full_like(values, 3.0)
    torch.testing.assert_close(field.filled(level), level)
    filled = field.filled(values)
    assert torch.equal(tokens(filled)[before], tokens(values)[before])
    assert not torch.equal(filled, values)
    grown = field.grow(noise, 1.0, values, 0.5)
    assert field.is_anchor.sum(1).tolist() == [32, 32] and field.is_anchor[before].all()
    torch.testing.assert_close(grown, noise)  # at noise level 1 there is nothing but noise
    half = field.grow(values, 0.5, noise, 1.0)
    assert field.is_whole
    assert torch.equal(tokens(half)[before], tokens(values)[before])
    assert not torch.equal(tokens(half)[~before], tokens(values)[~before])


def test_lines_are_chosen_by_name_or_by_how_they_begin():
    lines = pareto_methods.lines(meta_subject("flux"))
    assert [line.name for line in pareto.chosen_lines(lines, ["RALU,"])] == [
        LINE,
        "RALU, views",
        "RALU, views, step variance",
        "RALU, views, AViTS's scores",
        "RALU, no early regions",
        "RALU, second order",
    ]
    assert [line.name for line in pareto.chosen_lines(lines, ["RALU", "two"])] == [
        LINE,
        "RALU",
        "two sizes, fresh noise",
        "two sizes, fresh noise, second order",
    ]
    with pytest.raises(ValueError, match="No line of the curve begins with nothing"):
        pareto.chosen_lines(lines, ["nothing"])
    some = pareto.chosen_lines(lines, ["RALU", "Haar"], ["6 steps", "4-", "FLUX 7"])
    assert [(line.name, [method.name for method in line.methods]) for line in some] == [
        (LINE, ["6 steps"]),
        ("RALU", ["FLUX 7x"]),
        (
            "Haar, new noise (SPEED-like)",
            ["4-2, switch 0.65", "4-3, switch 0.8", "4-5, switch 0.8"],
        ),
    ]
    for wrong, lost in ((["FLUX"], LINE), (["6 steps"], "RALU"), (["6 steps", "FLUX", "66"], "66")):
        with pytest.raises(ValueError, match=f"got none for {lost}: there are 3 steps"):
            pareto.chosen_lines(lines, ["RALU"], wrong)


def test_parts_share_the_held_out_pictures_alone(tmp_path):
    bench = Bench(meta_subject("flux"), [], Store(tmp_path / "a"), held=Store(tmp_path))
    assert bench._store_of(REFERENCE).folder == tmp_path
    assert bench._store_of("RALU").folder == tmp_path / "a"


def test_distances_are_taken_to_what_the_bench_is_given(tmp_path):
    generator = torch.Generator().manual_seed(2)
    one, other = (
        Measured(
            *(torch.rand(80, size, generator=generator) + k for size in (64, 36, 44, 9)),
            torch.zeros(80, dtype=torch.long),
        )
        for k in range(2)
    )
    bench = Bench(meta_subject("flux"), [], Store(tmp_path), reference=one)
    same, apart = (bench._distances(found) for found in (one, other))
    for space in ("judge", "texture"):
        assert abs(same[f"Frechet {space}"].value) < 1e-6 < apart[f"Frechet {space}"].value
        assert same[f"KID {space}"].value < apart[f"KID {space}"].value


@pytest.mark.parametrize(("kind", "cfg", "told"), [("sd3", 7.0, 7.0), ("flux_guided", 1.0, 7.0)])
def test_stronger_guidance_reaches_the_model(kind, cfg, told):
    guider = replace(meta_subject(kind), guidance=7.0).guider(["owl"])
    assert guider.cfg == cfg
    assert guider.original_conds["positive"][0]["guidance"] == told
    part = pareto.Part(kind, "new", 8, 80, Path("out"), torch.float32, 7.0, 30)
    assert part.name == f"{kind}_at_7_new" and part.many.name == "plain, 30 steps"
    assert replace(part, called="euler").name == f"{kind}_at_7_new_euler"


def test_what_is_kept_is_listed_with_how_hard_a_judge_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(pareto, "HERE", tmp_path)
    monkeypatch.setattr(pareto, "CURVES", tmp_path / "curves")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a", "b"):
        text = f"## Pareto, {name}\n\n{pareto.HARD}not hard enough.\n"
        (out / f"pareto_{name}.md").write_text(text)
        (out / f"pareto_{name}.svg").write_text("<svg/>")
    pareto.commit(out)
    kept = {path.name for path in (tmp_path / "curves").iterdir()}
    assert kept == {"pareto_a.md", "pareto_b.md", "pareto_a.svg", "pareto_b.svg"}
    lines = (tmp_path / "PARETO.md").read_text().splitlines()
    assert lines[-2:] == [
        f"- [{name}](curves/pareto_{name}.md). As a judge: not hard enough." for name in ("a", "b")
    ]


def test_the_page_lists_what_the_repository_keeps():
    assert pareto.index(pareto.CURVES) == (pareto.HERE / "PARETO.md").read_text("utf-8")


def told(group: str, name: str, giga: float) -> Row:
    """A row whose figures all are 1."""
    figures = {one: Drawn(1.0, torch.ones(101)) for one in figure_names()}
    method = methods.Method(group, name, lambda batch: batch.latent["samples"])
    return Row(method, methods.Cost(giga, 4), figures)


@pytest.mark.parametrize("name", [EULER, RALU])
def test_a_page_with_euler_steps_or_ralu_tells_differences_to_them(tmp_path, name):
    part = pareto.Part("flux", "new", 8, 80, tmp_path, torch.float32, None, 50)
    plain = [told(LINE, "4 steps", 11.8), told(LINE, "10 steps", 29.4)]
    many = told("reference", "plain, 50 steps", 147.0)
    other = (Line(name, ()), [told(name, "FLUX 7x", 18.9)])

    def page(*measured) -> str:
        pareto.write(part, "real", many, list(measured), many.figures, "command")
        return (tmp_path / "pareto_flux_new_real.md").read_text("utf-8")

    assert f"minus {name}" not in page((Line(LINE, ()), plain))
    table = page((Line(LINE, ()), plain), other).split(f"minus {name}")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [row[1:4] for row in rows[2:]] == [
        ["4 steps", "FLUX 7x", "-38 %"],
        ["10 steps", "FLUX 7x", "+56 %"],
        ["plain, 50 steps", "FLUX 7x", "+678 %"],
    ]


def test_a_page_with_a_rival_tells_the_dials_plans_from_it(tmp_path):
    part = pareto.Part("flux", "new", 8, 80, tmp_path, torch.float32, None, 50)
    dialled, rival = pareto_methods.dialled("flux"), "Just-in-Time"
    measured = [
        (Line(LINE, ()), [told(LINE, "4 steps", 11.8)]),
        (Line(dialled, ()), [told(dialled, "6 steps", 17.7)]),
        (Line(rival, (), True), [told(rival, "11 steps", 20.5)]),
    ]
    many = told("reference", "plain, 50 steps", 147.0)
    for lines, said in ((measured[:2], False), (measured, True)):
        pareto.write(part, "real", many, lines, many.figures, "command")
        page = (tmp_path / "pareto_flux_new_real.md").read_text("utf-8")
        assert (f"{rival}, 11 steps | -14 %" in page) is said


@pytest.mark.parametrize("kind", MINIATURES)
def test_the_dials_line_is_on_the_curve(kind):
    """And runs what the dial names for such a model, where that is no part of its own steps."""
    subject = meta_subject(kind)
    lines = {line.name: line for line in pareto_methods.lines(subject)}
    methods_of = {m.name: m for m in lines[pareto_methods.dialled(kind)].methods}
    early = lines["early second order"].methods
    assert all(len(method.run.keywords["plan"].stages) == 1 for method in early)  # as the dial's
    if MINIATURES[kind].preset != FEW:
        named = subject.facts.dialled_name("balanced")
        assert methods_of["7 steps"].run.keywords["plan"].name == named


@pytest.mark.parametrize("kind", ["flux_turbo", "sd3_lightning"])
def test_plans_of_few_steps_are_measured_at_as_many_flops(kind):
    """The presets for distilled models, the same without early regions, two sizes, own levels."""
    counting = meta_subject(kind)
    costs = {
        (line.name, method.name): methods.cost(method, counting).giga
        for line in pareto_methods.lines(counting)
        for method in line.methods
    }
    step = costs[EULER, "1 steps"]
    for preset, plain in (("4-step distilled", 2.7), ("8-step distilled", 5.4)):
        assert costs[RALU, preset] / step == pytest.approx(plain, rel=0.03)
        waiting = costs["RALU, no early regions", preset]
        assert waiting == pytest.approx(costs[RALU, preset], rel=0.05)
    assert costs["two sizes, fresh noise", "2-2"] / step == pytest.approx(2.5, rel=0.02)
    for name, steps in (("4 without 2", 3), ("8 without 3 and 6", 6)):
        assert costs["plain, Euler, some own levels", name] / step == pytest.approx(steps)


def test_levels_left_out_are_of_a_models_own_steps():
    plans = dict(few_methods.sparing(3.0))
    assert plans["4 without 2"].stages[0].sigmas == pytest.approx((1, 0.9, 0.5, 0))
    assert [plan.total_steps for plan in plans.values()] == [3, 3, 3, 6]
