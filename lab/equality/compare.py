"""Two processes' results beside each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from safetensors import safe_open

REFUSED, ERROR = "refused/", "error"


@dataclass
class Comparison:
    """One ComfyUI version.

    equal    names of cases whose outputs are all equal to the byte.
    sampled  how many of them end in a latent; latents, how many do in all.
    wrong    a line for every case that differs, lacks on one side, or stops where it should not.
    """

    version: str
    equal: list[str] = field(default_factory=list)
    sampled: int = 0
    latents: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return bool(self.equal) and not self.wrong

    def lines(self) -> list[str]:
        head = (
            f"ComfyUI {self.version}: {len(self.equal)} of {len(self.equal) + len(self.wrong)} "
            f"cases are equal to the byte; latents: {self.sampled} of {self.latents}"
        )
        return [head, *(f"  {line}" for line in self.wrong)]


def compare(version: str, base: Path, head: Path) -> Comparison:
    """Of two folders that the worker filled."""
    before, after = (
        json.loads((side / "results.json").read_text("utf-8")) for side in (base, head)
    )
    found = Comparison(version)
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            found.wrong.append(f"{name}: only in the {'base' if name in before else 'new'} tree")
            continue
        one, other = before[name], after[name]
        ends_in_latents = any(key in one for key in ("LATENT", "output"))
        found.latents += ends_in_latents
        if one != other:
            keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            found.wrong.extend(_difference(name, key, one, other, base, head) for key in keys)
        elif (ERROR in one) != (REFUSED in name):
            stops = (
                f"stops on both sides: {one[ERROR]['text']}" if ERROR in one else "does not stop"
            )
            found.wrong.append(f"{name}: {stops}")
        else:
            found.equal.append(name)
            found.sampled += ends_in_latents
    return found


def _difference(name: str, key: str, one: dict, other: dict, base: Path, head: Path) -> str:
    """What differs in one output, in a line."""
    left, right = one.get(key), other.get(key)
    if left is None or right is None:
        side, there = ("base", left) if right is None else ("new", right)
        return f"{name}: {key} only in the {side} tree {(there or {}).get('text', '')}".rstrip()
    if "text" in left or "text" in right:
        return f"{name}: {key} {_apart(str(left.get('text')), str(right.get('text')))}"
    if (left["dtype"], left["shape"]) != (right["dtype"], right["shape"]):
        was, now = (f"{side['dtype']} {side['shape']}" for side in (left, right))
        return f"{name}: {key} was {was}, is {now}"
    return f"{name}: {key} differs by up to {_largest(f'{name} | {key}', base, head)}"


def _apart(one: str, other: str) -> str:
    """Two texts from shortly before the place where they part."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    common = sum(1 for _ in same)
    start = max(0, common - 30)
    return f"{one[start : common + 60]!r} became {other[start : common + 60]!r}"


def _largest(name: str, base: Path, head: Path) -> str:
    values = []
    for side in (base, head):
        with safe_open(str(side / "tensors.safetensors"), "pt") as file:
            if name not in file.keys():  # noqa: SIM118 -- no mapping
                return "an amount that is not kept for tensors so large"
            values.append(file.get_tensor(name).double())
    return f"{(values[0] - values[1]).abs().max():.3g}"
