"""The Pareto report compares at no fewer FLOPs, says how hard its model is, and draws it all."""

from __future__ import annotations

import shlex
from xml.etree import ElementTree

import pytest
import torch

from lab.quality import pareto, pareto_report
from lab.quality.__main__ import command, parse
from lab.quality.bench import figure_names
from lab.quality.judge import FEATURES
from lab.quality.measures import ARTIFACTS, BLUR
from lab.quality.methods import Cost, Method
from lab.quality.pareto_line import LINE, Line
from lab.quality.report import Row
from lab.quality.splits import OTHERS, REFERENCES, SPLITS, first_of, pairs_of
from lab.quality.statistics import Drawn


def row(name: str, giga: float, group: str = LINE, spread: float = 0.1, **changed: float) -> Row:
    """All figures at 1 but those named, with draws around them; `_` stands for a space."""
    changed = {key.replace("_", " "): value for key, value in changed.items()}
    draws = torch.linspace(-spread, spread, 101)
    figures = {
        one: Drawn(changed.get(one, 1.0), changed.get(one, 1.0) + draws) for one in figure_names()
    }
    method = Method(group, name, lambda batch: batch.latent["samples"])
    return Row(method, Cost(giga, 4), figures)


PLAIN = [row("4 steps", 11.8), row("6 steps", 17.7, KID_judge=0.5), row("10 steps", 29.4)]


@pytest.mark.parametrize("giga, name", [(11.7, "4 steps"), (12.5, "6 steps"), (50.0, "10 steps")])
def test_the_line_to_beat_has_no_fewer_flops(giga, name):
    assert pareto_report.nearest(PLAIN, giga).method.name == name


def test_a_difference_told_from_zero_is_bold():
    other = row("4-3", 12.4, "own", KID_judge=0.2)
    other.figures["KID judge"].draws.copy_(PLAIN[1].figures["KID judge"].draws - 0.3)
    measured = [(Line(LINE, ()), PLAIN), (Line("own", ()), [other])]
    text = pareto_report.differences(measured, PLAIN, LINE)
    assert f"minus {LINE}" in text
    (line,) = [line for line in text.splitlines() if "4-3" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2] == "6 steps" and cells[3] == "-30 %"
    assert cells[4] == "**-0.30 [-0.30, -0.30]**" and "**" not in cells[5]


def test_many_steps_are_not_compared_by_their_likeness_to_themselves():
    many = row("plain, 50 steps", 147.0, "reference", PSNR=100.0)
    text = pareto_report.differences([(Line("reference", ()), [many])], PLAIN, LINE)
    *_, recognised, likeness = text.splitlines()[-1].strip("|").split("|")
    assert recognised.strip() and not likeness.strip()


def test_the_dials_plans_are_told_from_each_rival_at_no_fewer_flops():
    mine = [row("6 steps", 23.5, "early", KID_judge=0.2), row("7 steps", 27.4, "early")]
    rivals = [
        (Line("a", (), True), [row("4-5", 23.4, "a"), row("6-6", 29.2, "a")]),
        (Line("b", (), True), [row("11 steps", 27.3, "b", PSNR=3.0)]),
    ]
    measured = [(Line(LINE, ()), PLAIN), (Line("early", ()), mine), *rivals]
    text = pareto_report.against_rivals(measured, "early")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert [line[1:4] for line in cells[2:]] == [
        ["6 steps", "a, 4-5", "+0 %"],
        ["6 steps", "b, 11 steps", "-14 %"],
        ["7 steps", "a, 6-6", "-6 %"],
        ["7 steps", "b, 11 steps", "+0 %"],
    ]
    assert cells[2][4].startswith("**-0.80 [") and cells[3][-1].startswith("**-2.0 [")
    assert not pareto_report.against_rivals(measured[:2], "early")
    assert not pareto_report.against_rivals(measured, "late")


@pytest.mark.parametrize("gap, hard", [(1.0, True), (0.0, False)])
def test_hardness_is_said_in_words(gap, hard):
    reference = row("plain, 50 steps", 147.0)
    few = [
        row(f"{n} steps", 2.9 * n, spread=0.2, KID_judge=1 + gap, Frechet_judge=1 + gap)
        for n in (6, 10)
    ]
    text = pareto_report.hardness(few, reference, (6, 10))
    assert ("it is hard enough" in text) is hard
    assert ("of those measured, none" in text) is not hard
    alone = pareto_report.hardness(few[:1], reference, (6, 10))
    assert ("of those measured, 6 (" in alone) is hard
    assert ("not told, without 10 plain second-order steps" in alone) is hard
    assert ("not hard enough" in alone) is not hard


def test_artifacts_are_told_beside_those_of_what_is_aimed_at():
    aimed = row("any", 1.0, aliasing=0.25).figures
    measured = [(Line(LINE, ()), PLAIN), (Line("own", ()), [row("4-3", 12.4, "own", copies=7.0)])]
    text = pareto_report.artifact_table(measured, row("50", 147.0), aimed, "real pictures")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    head, _, *rows = lines
    assert head[2:] == [*ARTIFACTS, BLUR] and len(rows) == len(PLAIN) + 3
    assert rows[-1][0] == "real pictures" and rows[-1][2].startswith("0.250 [")
    own = dict(zip(head, rows[len(PLAIN)], strict=True))
    assert own["line"] == "own" and own["copies"].startswith("7.000 [")


def test_the_curve_draws_every_method_and_names_every_line():
    measured = [
        (Line(LINE, ()), PLAIN),
        (Line("a & b", (), True), [row("4-3", 12.4, KID_judge=-0.1)]),
    ]
    drawing = ElementTree.fromstring(pareto_report.curve(measured, row("50", 147.0)))
    space = "{http://www.w3.org/2000/svg}"
    points = drawing.findall(f".//{space}circle")
    assert len(points) == len(pareto_report.PANELS) * 4
    assert all(float(p.get("cx", "nan")) >= 0 and float(p.get("cy", "nan")) >= 0 for p in points)
    texts = {text.text for text in drawing.findall(f".//{space}text")}
    assert {LINE, "a & b", *pareto_report.PANELS} <= texts


def test_no_pair_serves_two_uses():
    used = [range(first_of(name), first_of(name) + pairs_of(name)) for name in (OTHERS, *SPLITS)]
    numbers = [number for some in used for number in some]
    assert len(numbers) == len(set(numbers))
    options = parse(["pareto", "--split", "wide"])
    assert options.pairs == pairs_of("wide") and options.references <= REFERENCES


def test_too_few_pictures_are_refused_before_any_is_drawn():
    options = parse(["pareto", "--split", "wide", "--references", str(FEATURES)])
    with pytest.raises(ValueError, match=f"features, {FEATURES}, got {FEATURES}: set --ref"):
        pareto.run(options, "")


def test_too_many_pictures_would_be_of_a_split():
    options = parse(["pareto", "--split", "wide", "--references", str(REFERENCES + 1)])
    with pytest.raises(ValueError, match=f"at most {REFERENCES} pictures, as those after them are"):
        pareto.run(options, "")
    options = parse(["pareto", "--split", "new", "--pairs", "109"])
    with pytest.raises(ValueError, match="The split new has 8 to 108 pairs to measure, got 109"):
        pareto.run(options, "")


@pytest.mark.parametrize(
    "asked", ["wide", "others:577", "repeated:0", "nothing"], ids=["own", "many", "none", "unknown"]
)
def test_references_are_of_other_pairs_and_of_no_more_than_there_are(asked):
    options = parse(["pareto", "--split", "wide", "--others", "confirming:80", asked])
    told = f"others:576, .*repeated:864, .* at most, got {asked}: set"
    with pytest.raises(ValueError, match=told):
        pareto.run(options, "")


def test_few_of_other_pairs_are_refused_as_well():
    options = parse(["pareto", "--split", "wide", "--others", "repeated:32", "others:32"])
    with pytest.raises(ValueError, match=f"features, {FEATURES}, got {FEATURES}: set --others"):
        pareto.run(options, "")


@pytest.mark.parametrize("denoise", ["0", "-1", "1.5"])
def test_denoise_is_a_share(denoise):
    with pytest.raises(ValueError, match=rf"lies in \(0, 1\], got {denoise}"):
        pareto.run(parse(["pareto", "--denoise", denoise]), "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--guidance 7", "--guidance: not of tables"),
        ("tables --split new --only RALU", "--split, --only: not of tables"),
        ("pareto --ablation-pairs 8", "--ablation-pairs: not of pareto"),
        ("--model flux_turbo", "of so few steps there is a curve alone, pareto"),
    ],
)
def test_what_a_bench_does_not_read_is_refused(asked, said, capsys):
    with pytest.raises(SystemExit):
        parse(asked.split())
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("guidance", ["0", "-1"])
def test_no_guidance_is_not_taken_for_the_models_own(guidance):
    with pytest.raises(ValueError, match=f"above 0, got {guidance}: leave --guidance out"):
        pareto.run(parse(["pareto", "--guidance", guidance]), "")


@pytest.mark.parametrize("word", ["Euler", "of steps", "../x"])
def test_what_a_page_is_called_goes_into_names_of_files(word):
    with pytest.raises(ValueError, match=f"small letters and digits, got '{word}'"):
        pareto.run(parse(["pareto", "--called", word]), "")


def test_a_page_says_what_makes_it_again_without_private_folders():
    asked = "pareto --split new --pairs 36 --others wide 'repeated:80' --only 'RALU, views' RALU"
    words = shlex.split(f"{asked} --guidance 4.0 --masked --out /home/me/kept --commit")
    told = command(parse(words))
    assert "--only 'RALU, views' RALU" in told and "--guidance 4 --masked" in told
    assert "/home/me" not in told and "--commit" not in told
    again, first = vars(parse(shlex.split(told)[3:])), vars(parse(words))
    assert all(again[name] == first[name] for name in first if name not in ("out", "commit"))
