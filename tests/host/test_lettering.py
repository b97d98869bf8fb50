"""Words in quotes: found in a prompt, marked in its CONDITIONING, and grown early in a run."""

from __future__ import annotations

from dataclasses import replace

import comfy.hooks
import nodes as host_nodes
import pytest
import torch
from applying import ksampler, quickly, sampler_node
from node_helpers import conditioning_set_values
from small_clips import ENCODERS, small_clip

from driving import advanced, guider_for, quick_schedule, ralu, schedule_for, short_plan
from lab.models import tiny
from lab.models.guiders import dual
from lab.models.stand_ins import TextEncoder
from ralu_pack.nodes import encode_lettering
from ralu_pack.nodes.encode_lettering import EncodeLettering
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.lettering.marks import LETTERING, lettering_of
from ralu_pack.nodes.host.lettering.quotes import quoted, without_quoted

BEFORE, BEHIND = "a shop with the sign", "beside a red door"


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ('a sign "OPEN"', ['"OPEN"']),
        ('"ONE" and "TWO words"', ['"ONE"', '"TWO words"']),
        ("a neon “Grüße” and «привет»", ["“Grüße”", "«привет»"]),
        ("Schild „Bäcker“", ["„Bäcker“"]),
        ("招牌「営業中」と『本』", ["「営業中」", "『本』"]),
        ("a mug that says 'hello there'", ["'hello there'"]),
        ("the dog's bowl, the dogs' bowls, rock'n'roll", []),
        ('a 5" tall and 6" wide toy', []),
        ('a 5" plate that says "7" and "24"', ['"7"', '"24"']),
        ('an empty "" and one left open " here', []),
        ("nothing", []),
        ("", []),
    ],
)
def test_words_in_quotes(prompt, found):
    assert quoted(prompt) == found
    left = without_quoted(prompt)
    assert not quoted(left) and all(one[1:-1] not in left for one in found)
    assert (left == prompt) == (not found)


def encoded(clip, prompt) -> tuple[torch.Tensor, dict]:
    (conditioning,) = EncodeLettering.execute(clip, prompt).args
    ((text, options),) = conditioning
    return text, options


def marked(clip, prompt) -> list[int]:
    text, options = encoded(clip, prompt)
    marks = options[LETTERING]
    assert marks.dtype == torch.bool and marks.shape == (text.shape[1],)
    return marks.nonzero().flatten().tolist()


@pytest.mark.parametrize("family", ENCODERS)
def test_the_numbers_are_those_of_clip_text_encode(family):
    clip = small_clip(family)
    for prompt in (f'{BEFORE} "OPEN" {BEHIND}', BEFORE, ""):
        ((theirs, their_options),) = host_nodes.CLIPTextEncode().encode(clip, prompt)[0]
        ours, options = encoded(clip, prompt)
        assert torch.equal(ours, theirs)
        assert (LETTERING in options) == ('"' in prompt)
        assert options.keys() - {LETTERING} == their_options.keys()


@pytest.mark.parametrize("family", [one for one in ENCODERS if one not in ("Flux.1", "Chroma")])
def test_marks_lie_where_the_words_are_by_what_each_vector_knows(family):
    """These encoders read forwards: the first vector that another word changes is that word's."""
    clip = small_clip(family)
    prompt = f'{BEFORE} "OPEN" {BEHIND}'
    marks, text = marked(clip, prompt), encoded(clip, prompt)[0]

    def first_changed(other: str) -> int:
        theirs = encoded(clip, other)[0][0]
        ours, theirs = text[0, : len(theirs)], theirs[: text.shape[1]]
        changed = (theirs - ours).norm(dim=-1) > 1e-3 * ours.norm(dim=-1)
        return int(changed.nonzero()[0])

    first, after = (
        first_changed(prompt.replace("OPEN", "SHUT")),
        first_changed(prompt.replace("beside", "under")),
    )
    assert marks == list(range(marks[0], marks[-1] + 1))
    assert first - 1 <= marks[0] <= first < after  # a quote may be a token of its own
    assert first <= marks[-1] < after <= marks[-1] + 3


@pytest.mark.parametrize("family", ["Flux.1", "Chroma"])
def test_marks_lie_where_the_words_are_by_their_tokens(family):
    clip = small_clip(family)
    for words in ("OPEN", "OPEN late", "ZZYZX 1999!"):
        prompt = f'{BEFORE} "{words}" {BEHIND}'
        marks, tokens = marked(clip, prompt), clip.tokenizer
        tokenizer = tokens.t5xxl if family == "Flux.1" else getattr(tokens, tokens.clip)
        (section,) = clip.tokenize(prompt)["t5xxl"]
        spelt = "".join(tokenizer.inv_vocab[section[place][0]] for place in marks)
        assert spelt.replace("▁", " ").strip(' "') == words


def test_weights_embeddings_and_several_words_are_told_apart():
    clip = small_clip("Flux.1")
    plain = marked(clip, 'a "cat" and a (red "dog":1.3) here')
    assert len(plain) >= 2 and plain != list(range(plain[0], plain[-1] + 1))
    assert marked(clip, 'a "(cat:1.4)" here') == marked(clip, 'a "(cat:0.5)" here') != []
    twice = marked(clip, 'the word OPEN and the sign "OPEN"')
    assert len(twice) == len(marked(clip, 'the sign "OPEN"'))
    many = marked(clip, f'"ONE" {"shops " * 50}' * 5)  # of nothing that is there but once
    assert 5 <= len(many) < 30


def test_a_prompt_of_several_sections():
    clip = small_clip("SD3")
    prompt = ", ".join(["a very long street of shops"] * 20) + ', a sign "OPEN"'
    text, _ = encoded(clip, prompt)
    assert text.shape[1] == 154
    assert all(place > 77 for place in marked(clip, prompt))


def test_a_scheduled_text_encoder_is_marked_in_each_of_its_parts():
    clip = small_clip("Flux.1").clone()
    clip.use_clip_schedule = True
    clip.patcher.forced_hooks = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
    (conditioning,) = EncodeLettering.execute(clip, 'a sign "OPEN"').args
    assert conditioning and all(options[LETTERING].any() for _, options in conditioning)


@pytest.mark.parametrize(
    ("prompt", "told"),
    [('"ONE" and “two”', 'Lettering: "ONE" “two”'), ("a sign", "Lettering: nothing is in quotes")],
)
def test_the_node_shows_what_it_found(monkeypatch, prompt, told):
    shown = []
    monkeypatch.setattr(encode_lettering, "show_status", shown.append)
    EncodeLettering.execute(small_clip("Chroma"), prompt)
    assert shown == [told]


class Unweighed:
    """A CLIP of another pack that tokenizes for two encoders and weighs no token."""

    def tokenize(self, prompt):
        words = [[(word, 1.0) for word in prompt.split()]]
        return {"one": words, "two": words}

    def encode_from_tokens_scheduled(self, tokens):
        return [[torch.ones(1, 8, 4), {}]]


def test_a_clip_that_weighs_no_token_is_refused():
    with pytest.raises(
        ValueError, match="this CLIP weighs none: encode with CLIP Text Encode, and"
    ):
        EncodeLettering.execute(Unweighed(), 'a sign "OPEN"')
    assert LETTERING not in encoded(Unweighed(), "a sign")[1]


@pytest.mark.parametrize("family", ["Flux.1", "Chroma"])
def test_words_that_an_encoder_has_no_token_for_are_refused(family):
    """T5 takes the quotes and what is between them for one unknown token."""
    with pytest.raises(ValueError, match="in the CLIP, and its t5xxl has none for these: encode"):
        EncodeLettering.execute(small_clip(family), "招牌上写着「营业中」")


def test_a_clip_with_tokens_of_its_own_kind_is_refused():
    clip = TextEncoder(trained=False)
    assert LETTERING not in encoded(clip, "a sign")[1]
    with pytest.raises(ValueError, match="this CLIP weighs none: encode with CLIP Text Encode"):
        EncodeLettering.execute(clip, 'a sign "OPEN"')


def lettered(*places: int, seed: int = 5, batch: int = 1) -> list:
    """The stand-in conditioning with some of its vectors marked."""
    ((text, options),) = tiny.conditioning(seed, batch)
    marks = torch.zeros(text.shape[1], dtype=torch.bool)
    marks[list(places)] = True
    return [[text, {**options, LETTERING: marks}]]


@pytest.mark.parametrize("cfg", [1.0, 4.0])
@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_what_attends_to_the_words_grows_in_the_same_number_of_regions(request, name, cfg):
    model = request.getfixturevalue(name)
    options = {"schedule": schedule_for(model), "edge_detector": "latent_gradient", "cfg": cfg}
    plainly = ralu(model, None, **options)[1]
    regions = [ralu(model, None, positive=lettered(k), **options)[1] for k in (0, 3)]
    for mask in regions:
        assert mask.sum() == plainly.sum() and not torch.equal(mask, plainly)
    assert not torch.equal(*regions)
    none = ralu(model, None, positive=lettered(), **options)[1]
    assert torch.equal(none, plainly)
    assert not model.wrappers


def test_guidance_and_batches_look_at_the_prompt_of_each_picture(sd3):
    options = {"schedule": schedule_for(sd3), "edge_detector": "latent_gradient"}
    alone, guided = (
        ralu(sd3, None, positive=lettered(2), cfg=cfg, **options)[1] for cfg in (1.0, 1.0001)
    )
    assert torch.equal(alone, guided)
    both = ralu(sd3, None, positive=lettered(2), batch=2, **options)[1]
    assert torch.equal(both[:1], alone) and not torch.equal(both[0], both[1])


@pytest.mark.parametrize("detector", ["text_attention", "avits", "random", "even"])
def test_beside_every_detector(flux, detector):
    options = {"schedule": schedule_for(flux), "edge_detector": detector}
    plainly, marked = (
        ralu(flux, None, positive=positive, **options)[1] for positive in (None, lettered(0))
    )
    assert marked.sum() == plainly.sum() and not torch.equal(marked, plainly)


def test_a_threshold_takes_the_words_on_top(flux, vae):
    options = {"edge_detector": "canny_gpu", "edge_threshold": 0.3}
    options["schedule"] = schedule_for(flux)
    plainly, marked = (
        ralu(flux, vae, positive=positive, **options)[1] for positive in (None, lettered(0))
    )
    assert (marked >= plainly).all() and marked.sum() > plainly.sum()


def test_what_other_nodes_add_behind_the_text_is_no_lettering(flux):
    options = {"schedule": schedule_for(flux), "edge_detector": "latent_gradient"}
    joined = host_nodes.ConditioningConcat().concat(lettered(0), tiny.conditioning(6))[0]
    assert joined[0][0].shape[1] > joined[0][1][LETTERING].shape[0]
    assert 0 < ralu(flux, None, positive=joined, **options)[1].mean() < 1


def test_a_plan_without_early_regions_says_so(flux, caplog):
    with caplog.at_level("INFO"):
        plainly, marked = (
            ralu(flux, None, positive=p, schedule=None, quality="balanced")[0]
            for p in (None, lettered(0))
        )
    assert torch.equal(plainly, marked)
    assert "so that it leaves words in quotes out" in caplog.text


def test_two_prompts_with_other_words_are_refused(flux):
    options = {"schedule": schedule_for(flux), "edge_detector": "latent_gradient"}
    alike = host_nodes.ConditioningCombine().combine(lettered(0), lettered(0, seed=9))[0]
    assert ralu(flux, None, positive=alike, **options)[1].mean() > 0
    both = host_nodes.ConditioningCombine().combine(lettered(0), lettered(1))[0]
    with pytest.raises(ValueError, match="positive input has 2 with other words in quotes: write"):
        ralu(flux, None, positive=both, **options)


def test_a_prompt_without_text_beside_a_marked_one_is_refused(flux):
    guider = guider_for(flux)
    guider.original_conds["positive"] += [{"cross_attn": None}]
    guider.original_conds["positive"][0][LETTERING] = torch.ones(1, dtype=torch.bool)
    with pytest.raises(ValueError, match="positive input has 2 with other words in quotes"):
        lettering_of(guider.original_conds, guider, inspect_model(flux).family)


def test_a_guider_with_a_way_of_its_own_is_refused(flux):
    guider = dual(flux)
    guider.original_conds["positive"][0][LETTERING] = torch.ones(1, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"the GUIDER \w+ has a way of its own: use a CFGGuider"):
        advanced(flux, guider=guider, schedule=quick_schedule())


@pytest.mark.parametrize("name", ["z_image", "wan", "anima", "kandinsky5", "ernie"])
def test_families_of_another_layout_are_refused(name):
    family = family_named(name)
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family)
    whole = short_plan(model)
    for plan in (whole, replace(whole, stages=whole.stages[1:], crossings=whole.crossings[1:])):
        with pytest.raises(ValueError, match=r"Lettering watches .* none: encode with CLIP Text E"):
            ralu(model, None, schedule=plan, positive=lettered(0))


def test_a_step_to_watch_is_asked_for(flux):
    with pytest.raises(ValueError, match=r"Lettering needs 1 step of the stage .* takes 0"):
        ralu(flux, None, schedule=schedule_for(flux), positive=lettered(0), denoise=0.68)


def test_it_goes_through_the_node_in_front_and_through_other_nodes(model):
    detector = {"edge_detector": "latent_gradient"}
    ((text, options),) = lettered(0)
    behind = conditioning_set_values([[text, options]], {"guidance": 3.5, "start_percent": 0.0})
    marked, sampled = (
        ksampler(quickly(model, **detector), positive=behind),
        sampler_node(model, positive=behind, **detector),
    )
    assert torch.equal(marked, sampled)
    assert not torch.equal(marked, ksampler(quickly(model, **detector)))
