"""What queries see where attention is split by the size of tokens, against it written out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from comfy.ldm.flux.layers import EmbedND
from comfy.ldm.flux.math import apply_rope1
from comfy.ops import disable_weight_init

from lab.models.networks import toy_network
from ralu_pack.nodes.host.families.anima import Anima
from ralu_pack.nodes.host.families.qwen_image import QwenImage
from ralu_pack.nodes.host.families.views import (
    OVERRIDE,
    Apart,
    Captioned,
    Rotary,
    repeat_text,
)
from ralu_pack.nodes.host.families.views.halves import _turned
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.packing import Packing
from ralu_pack.ralu_core.latents.views import ONE_TEXT, VIEWS

TEXT, OTHERS, HEADS, WIDTH = 3, 2, 2, 16
NETWORK = SimpleNamespace(pe_embedder=EmbedND(WIDTH, 100, [4, 6, 6]))
FINE = torch.tensor([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]]).bool()


def host_attention(q, k, v, heads, mask=None, skip_reshape=False, **_):
    """As the host's: (n, heads, L, d) or (n, L, heads * d) -> (n, L, heads * d)."""
    if not skip_reshape:
        q, k, v = (one.unflatten(2, (heads, -1)).movedim(2, 1) for one in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, mask if mask is None else mask[:, None])
    return out.movedim(1, 2).flatten(2)


def rotated(keys, rows, columns):
    ids = torch.zeros(keys.shape[0], keys.shape[2], 3)
    ids[..., 1], ids[..., 2] = rows, columns
    return apply_rope1(keys, NETWORK.pe_embedder(ids))


def drawn(tokens: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, HEADS, tokens, WIDTH, generator=generator) for _ in range(3)]


def seen(q, keys, values, biases):
    """One attention over parts, each (rotated keys, values, bias of the queries on them)."""
    return host_attention(
        q, torch.cat(keys, 2), torch.cat(values, 2), HEADS, torch.cat(biases, 2), skip_reshape=True
    )


@pytest.mark.parametrize(
    ("rule", "text", "told"),
    [
        (Apart, 12, "over the picture by its 12 tokens, and the text has as many: change"),
        (Captioned, 10, "the picture by its 16 tokens, and the caption has as many: change"),
    ],
)
def test_a_text_of_as_many_tokens_as_the_picture_is_refused(rule, text, told):
    """Nothing tells its own attention from the picture's; both are padded in the latter."""
    network = SimpleNamespace(pad_tokens_multiple=8, **vars(NETWORK))
    (packing,) = Packing.parts(Layout(FINE, views=VIEWS))
    with pytest.raises(ValueError, match=told):
        split = rule("pe_embedder").attention(network, packing, [], text, {})
        split(host_attention, *drawn(32), HEADS, skip_reshape=True)


@pytest.mark.parametrize("views", [VIEWS, ONE_TEXT])
@pytest.mark.parametrize("is_apart", [True, False])
def test_each_size_sees_the_other_in_its_own_units(views, is_apart):
    layout = Layout(FINE, views=views)
    (packing,) = Packing.parts(layout)
    copies, kept, grown = layout.view.texts, 4, 8
    tokens = copies * TEXT + packing.tokens + OTHERS
    q, k, v = drawn(tokens)
    mask = torch.randn(2, tokens, tokens, generator=torch.Generator().manual_seed(1))
    sizes = [TEXT, TEXT * (copies - 1), kept, grown, OTHERS]
    (t1, t2, c, f, o), (v1, v2, vc, vf, vo) = k.split(sizes, 2), v.split(sizes, 2)
    queries, biases = q.split(sizes, 2), mask.split(sizes, 1)
    place, fine, coarse = layout.positions, packing.fine_positions, packing.coarse_positions

    # Rotated where they lie in the call, as the network would.
    native = torch.cat([t1, t2, rotated(torch.cat([c, f], 2), *place.unbind(-1)), o], 2)
    split = Rotary().attention(NETWORK, packing, [packing.tokens, OTHERS], TEXT, {})
    given = (q, native, v)
    if not is_apart:
        given = tuple(one.movedim(1, 2).flatten(2) for one in given)
    out = split(host_attention, *given, HEADS, mask=mask, skip_reshape=is_apart)

    def bias(rows, texts, columns):
        first, second, near, four, others = torch.cat(rows, 1).split(sizes, 2)
        return [second if texts == 2 else first, *columns(near, four), others]

    def mean(x, axis=2):
        return x.unflatten(axis, (-1, 4)).mean(axis + 1)

    far = mean(rotated(f, *coarse[:, kept:].unbind(-1)))
    half = [t1, rotated(c, *place[:, :kept].unbind(-1)), far]
    ours = seen(
        torch.cat([queries[0], queries[2]], 2),
        [*half, o],
        [v1, vc, mean(vf), vo],
        bias([biases[0], biases[2]], 1, lambda near, four: [near, mean(four)]),
    )
    keys = [rotated(c, *fine[:, :kept].unbind(-1))] * layout.view.near
    theirs = seen(
        torch.cat([queries[1], queries[3], queries[4]], 2),
        [t2 if copies == 2 else t1, *keys, rotated(f, *fine[:, kept:].unbind(-1)), o],
        [v2 if copies == 2 else v1, *[vc] * len(keys), vf, vo],
        bias([*biases[1::2], biases[4]], copies, lambda near, four: [near] * len(keys) + [four]),
    )
    second = TEXT * (copies - 1)
    expected = [ours[:, :TEXT], theirs[:, :second], ours[:, TEXT:], theirs[:, second:]]
    torch.testing.assert_close(out, torch.cat(expected, 1), atol=1e-5, rtol=0)
    assert split.calls == 1


def test_another_node_s_attention_runs_under_it():
    (packing,) = Packing.parts(Layout(FINE, views=VIEWS))
    lengths = []

    def other(function, q, k, v, *args, **kwargs):
        lengths.append((q.shape[2], k.shape[2]))
        return function(q, k, v, *args, **kwargs)

    split = Rotary().attention(NETWORK, packing, [packing.tokens], TEXT, {OVERRIDE: other})
    tokens = 2 * TEXT + packing.tokens
    split(host_attention, *drawn(tokens), HEADS, skip_reshape=True)
    assert lengths == [(TEXT + 4, TEXT + 6), (TEXT + 8, TEXT + 2 * 4 + 8)]
    split(host_attention, *drawn(tokens - 1), HEADS, skip_reshape=True)
    assert split.calls == 1 and lengths[-1] == (tokens - 1, tokens - 1)


@pytest.mark.parametrize("views", [VIEWS, ONE_TEXT])
def test_grids_counted_from_their_middle_move_with_their_text(views):
    """Qwen-Image: the middle of either grid is 0, and text begins at half of its longer side."""
    (packing,) = Packing.parts(Layout(FINE, views=views))
    near, far = QwenImage().views.moves(packing)
    layout, kept = packing.layout, packing.layout.kept
    (h, w), (high, wide) = (1, 1), (2, 3)  # middles of 2 x 3 and of 4 x 6
    coarse = layout.positions[:, :kept] - torch.tensor([h, w])
    assert torch.equal(coarse + near, packing.fine_positions[:, :kept] - torch.tensor([high, wide]))
    fine = layout.positions[:, kept:] - torch.tensor([high, wide])
    assert torch.equal(fine + far, packing.coarse_positions[:, kept:] - torch.tensor([h, w]))
    text = QwenImage().views.turns(NETWORK, packing, TEXT, {})[2]
    keys = drawn(TEXT)[1]
    ids = torch.full((2, TEXT, 3), 2.0)  # from 1 to 3
    torch.testing.assert_close(text(keys), apply_rope1(keys, NETWORK.pe_embedder(ids)))


def test_scaled_positions_move_by_as_much():
    (packing,) = Packing.parts(Layout(FINE, views=VIEWS))
    options = {"rope_options": {"scale_y": 0.5, "scale_x": 2.0}}
    near, _, _ = Rotary().turns(NETWORK, packing, TEXT, options)
    plain, _ = Rotary().moves(packing)
    assert torch.equal(near.moves, plain * torch.tensor([0.5, 2.0]))


def test_masks_are_repeated_for_a_second_text():
    text = torch.tensor([[0.0, 1.0]])
    assert repeat_text(text, 2).tolist() == [[0, 1, 0, 1]]
    both = torch.arange(9.0).reshape(1, 3, 3)
    rows = [[0, 0, 1, 2], [0, 0, 1, 2], [3, 3, 4, 5], [6, 6, 7, 8]]
    assert repeat_text(both, 1)[0].tolist() == rows
    with pytest.raises(ValueError, match=r"of shape \(1, 5\) for a second copy of 2 text tokens"):
        repeat_text(torch.zeros(1, 5), 2)


def test_halves_of_a_head_are_rotated_on():
    """Anima: from a place of its table by some rows and columns is at another place of it."""
    if not Anima().is_known:
        pytest.skip("this ComfyUI has no Anima")
    network = toy_network(
        Anima(), dtype=torch.float32, device="cpu", operations=disable_weight_init
    )
    table = network.pos_embedder(torch.empty(1, 1, 4, 6, 1), fps=None)

    def at(keys, place: int):
        halves = torch.einsum("pab,nhmbp->nhmap", table[place], keys.unflatten(-1, (2, -1)))
        return halves.flatten(-2)

    keys = torch.randn(1, 2, 1, 2 * table.shape[1])
    turned = _turned(network.pos_embedder, at(keys, 1 * 6 + 2), torch.tensor([[2.0, -1.0]]))
    torch.testing.assert_close(turned, at(keys, 3 * 6 + 1), atol=1e-5, rtol=0)
