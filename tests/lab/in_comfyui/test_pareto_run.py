"""A whole page of the Pareto curve, small: what it draws, and that each figure is what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lab.models.miniature.pictures import list_emoji
from lab.quality import pareto, rivals
from lab.quality.__main__ import parse
from lab.quality.bench import REFERENCE, Bench, kept_in
from lab.quality.distances import Reference, kernel_distance
from lab.quality.judge import load_judge
from lab.quality.rivals import Batch
from lab.quality.splits import OTHERS, first_of
from lab.quality.store import Store, as_bytes, as_pictures
from lab.quality.subject import SIDE, list_pairs, load_subject

PAIRS, REFERENCES, STEPS = 8, 66, 3
ASKED = f"""pareto --model sd3 --guidance 1 --split new --pairs {PAIRS} --references {REFERENCES}
--many {STEPS} --methods {STEPS} --threads 1 --only""".split()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder of a page of both kinds of three steps, and what it wrote, by their references.

    Noise is kept as the held-out pictures: no test here looks at those.
    """
    out, told = tmp_path_factory.mktemp("page"), {}
    noise = torch.randint(256, (REFERENCES, 3, SIDE, SIDE), dtype=torch.uint8)
    Store(kept_in(out, "sd3")).rows("samples/held-out_reference", REFERENCES, lambda a, b: noise)
    write = pareto.write

    def kept(part, against, reference, measured, *rest):
        told[against] = reference, measured
        write(part, against, reference, measured, *rest)

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(pareto, "write", kept)
        pareto.run(parse([*ASKED, "plain, Euler", "--out", str(out)]), "the command")
    return out, told


@pytest.fixture(scope="module")
def pictures(page):
    """What the page keeps: by the folder's first word and the key, as numbers in [0, 1]."""
    kept = {}
    for path in kept_in(page[0], "sd3").glob("*-at-1/samples/*.npy"):
        kept[path.parts[-3].split("-")[0], path.stem] = as_pictures(torch.from_numpy(np.load(path)))
    return kept


MANY, BEATEN = "reference_plain_3_steps", "plain_second_order_3_steps"


@pytest.mark.parametrize("split", ["new", OTHERS])
def test_the_pictures_are_of_the_splits_own_pairs(pictures, split):
    first = first_of(split)
    with torch.inference_mode():
        subject = replace(load_subject("sd3"), guidance=1.0)
        batch = Batch(subject, list_pairs(first + PAIRS)[first:])
        assert [pair.number for pair in batch.pairs] == list(range(first, first + PAIRS))
        drawn = as_pictures(as_bytes(subject.vae.decode(rivals.plain(batch, STEPS))))
    assert torch.equal(pictures[split, MANY][:PAIRS], drawn)


def test_it_says_what_it_is_measured_to_and_counts_one_call_a_step(page):
    out, _ = page
    text = (out / "pareto_sd3_at_1_new_model.md").read_text("utf-8")
    assert '8 prompt-seed pairs (216 to 223, split "new")' in text
    assert '66 pictures of 3 plain Euler steps of other seeds ("others", 324 to 389)' in text
    assert "66 held-out" in (out / "pareto_sd3_at_1_new_real.md").read_text("utf-8")
    data = json.loads((out / "pareto_sd3_at_1_new_model.json").read_text("utf-8"))
    assert [row["calls"] for row in (*data["rows"], data["reference"])] == [STEPS] * 3


def test_likeness_is_to_the_many_steps_alone(page):
    reference, ((_, (beaten,)), (_, (euler,))) = page[1]["model"]
    assert reference.figures["PSNR"].value == euler.figures["PSNR"].value == 100
    assert reference.figures["SSIM"].value == pytest.approx(1, abs=1e-4)
    assert beaten.figures["PSNR"].value < 60 and beaten.figures["SSIM"].value < 0.99


def test_a_method_minus_itself_is_nothing_in_every_draw(page):
    """Euler's steps are the reference under another name."""
    for reference, (_, (_, (euler,))) in page[1].values():
        for name, figure in euler.figures.items():
            gap = figure.minus(reference.figures[name])
            assert gap.value == gap.low == gap.high == 0, name
            assert figure.low < figure.high or name in ("recognised", "PSNR", "SSIM")


def test_recognised_is_what_the_judge_names(page, pictures):
    names = [emoji.name for emoji in list_emoji()]
    with torch.inference_mode():
        said = load_judge()(pictures["new", BEATEN])[0].argmax(1)
    asked = [pair.prompt.split(" on ")[0] for pair in list_pairs(216 + PAIRS)[216:]]
    share = sum(names[i] == one for i, one in zip(said.tolist(), asked, strict=True)) / PAIRS
    assert share > 0.5  # which tells hits from misses
    for _, ((_, (beaten,)), _) in page[1].values():
        assert beaten.figures["recognised"].value == pytest.approx(share)


def test_the_judges_distance_is_of_its_features(page, pictures):
    judge, numbers = load_judge(), torch.arange(REFERENCES) % 36
    with torch.inference_mode():
        ours, others = (judge.features(pictures[key]) for key in (("new", BEATEN), (OTHERS, MANY)))
    reference = Reference(others, None, numbers)
    found = kernel_distance(ours, reference, torch.ones(1, PAIRS), numbers[:PAIRS])
    _, ((_, (beaten,)), _) = page[1]["model"]
    assert beaten.figures["KID judge"].value == pytest.approx(found.item(), rel=1e-3, abs=1e-3)


def test_held_out_pictures_do_not_depend_on_how_many_were_asked_for_before(tmp_path):
    with torch.inference_mode():
        subject = load_subject("sd3")
        bench, at_once = (Bench(subject, [], Store(tmp_path / name)) for name in ("a", "b"))
        bench.reference_count, at_once.reference_count = 5, 10
        few, whole = bench.held_out(REFERENCE), at_once.held_out(REFERENCE)
        bench.reference_count = 10
        more = bench.held_out(REFERENCE)
    assert torch.equal(more, whole) and torch.equal(more[:5], few)
    assert not torch.equal(whole[8], whole[0])
