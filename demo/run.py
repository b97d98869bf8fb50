"""`make demo`: plain sampling beside RALU, from the workflow files, on a real ComfyUI server."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo import workflow
from demo.contact_sheet import contact_sheet, outline
from demo.host import HostError
from demo.host.locate import REPOSITORY
from demo.stand_ins import STAND_INS, StandIn
from demo.watched import Bench, Run, bench_server

OUT = REPOSITORY / "out" / "demo"
FULL_SIZE = 1024  # pixels a side of the picture whose FLOPs are predicted
RANDOM = (
    "THE WEIGHTS OF {titles} ARE RANDOM: these pictures mean nothing. They show that every stage "
    "runs in ComfyUI, on how many tokens and how long."
)


@dataclass(frozen=True)
class Shown:
    """One model: the file it stands in for, plain steps, the workflows to run, a prompt.

    prompt  for the trained miniature, which knows a few things only.
    """

    file: str
    plain_steps: int
    workflows: tuple[str, ...]
    prompt: str = ""

    @property
    def stand_in(self) -> StandIn:
        return STAND_INS[self.file]


SHOWN = (
    Shown("flux1-dev.safetensors", 50, ("flux_dev_5x", "flux_dev_7x"), "fox face"),
    Shown("flux1-schnell.safetensors", 4, ("flux_schnell_4_steps",)),
    Shown("sd3_medium_incl_clips_t5xxlfp8.safetensors", 28, ("sd3_medium_2x",), "red apple"),
)


@dataclass(frozen=True)
class Result:
    """A picture, the regions that grew early (None for plain sampling), and how it was made."""

    title: str
    picture: Image.Image
    early: Image.Image | None
    run: Run
    seconds: float


def make_pictures(bench: Bench, shown: Shown, size: int) -> list[Result]:
    """Plain sampling first, then every workflow of a model."""
    kind = "" if shown.stand_in.is_trained else " (random weights)"
    results = []
    for name in shown.workflows:
        prompt = _prompt(bench, shown, name, size)
        if not results:
            bench.run(workflow.as_plain(workflow.with_number(prompt, 1), steps=1))  # warm up
            plain = workflow.as_plain(prompt, shown.plain_steps)
            title = f"{shown.stand_in.title}, {shown.plain_steps} plain steps{kind}"
            results.append(_make(bench, plain, title, "KSampler"))
        preset = prompt[workflow.nodes_of(prompt, "RALU_Schedule")[0]]["inputs"]["preset"]
        title = f"{shown.stand_in.title}, RALU {preset}{kind}"
        results.append(_make(bench, prompt, title, "RALU_Sampler"))
    return results


def _prompt(bench: Bench, shown: Shown, name: str, size: int) -> workflow.Prompt:
    trained = shown.stand_in.is_trained
    prompt = workflow.to_prompt(workflow.read_workflow(name), bench.object_info)
    prompt = workflow.with_stand_ins(workflow.with_size(prompt, size, size), trained)
    if trained:
        prompt[workflow.titled(prompt, "Prompt")]["inputs"]["text"] = shown.prompt
    return prompt


def _make(bench: Bench, prompt: workflow.Prompt, title: str, sampler: str) -> Result:
    run = bench.run(prompt)
    (node,) = workflow.nodes_of(prompt, sampler)
    early = None
    if sampler == "RALU_Sampler":
        early = _image(bench, run, workflow.titled(prompt, "Early regions (white)"))
    picture = _image(bench, run, workflow.titled(prompt, "Picture"))
    return Result(title, picture, early, run, run.seconds[node])


def _image(bench: Bench, run: Run, node: str) -> Image.Image:
    return Image.open(io.BytesIO(bench.picture(run, node))).convert("RGB")


def table(shown: Shown, results: list[Result], size: int) -> Iterator[str]:
    """Markdown rows of a model's results; the first result is plain sampling."""
    baseline = _full_size_flops(shown, results[0].run, size)
    for result in results:
        tokens = ", ".join(f"{calls} x {n}" for calls, n in result.run.tokens_per_stage())
        fewer = baseline / _full_size_flops(shown, result.run, size)
        faster = results[0].seconds / result.seconds
        yield (
            f"| {result.title} | {len(result.run.calls)} | {tokens} | {fewer:.2f}x | "
            f"{result.seconds:.2f} s | {faster:.2f}x |"
        )


def _full_size_flops(shown: Shown, run: Run, size: int) -> float:
    """FLOPs of the calls that were counted, had the full-size model made a full-size picture."""
    scale = (FULL_SIZE / size) ** 2
    cost = shown.stand_in.size
    return sum(call.pictures * cost.flops(round(scale * call.tokens)) for call in run.calls)


HEADER = (
    f"| run | network calls | calls x tokens | fewer FLOPs, full-size model at "
    f"{FULL_SIZE}x{FULL_SIZE} | sampling, this small model | faster |",
    "|---|---|---|---|---|---|",
)


def run_demo(out: Path, size: int | None) -> str:
    """Write pictures, contact sheet and table below `out`; returns the table."""
    out.mkdir(parents=True, exist_ok=True)
    lines, rows = [], []
    with bench_server() as bench:
        print(f"ComfyUI {bench.server.host.version} is up after {bench.server.boot_seconds:.0f} s.")
        for shown in SHOWN:
            side = size or shown.stand_in.side
            print(f"Sampling {shown.stand_in.title} at {side}x{side} ...", flush=True)
            plain, *accelerated = results = make_pictures(bench, shown, side)
            lines += table(shown, results, side)
            _save(plain.picture, out, f"{shown.workflows[0].rsplit('_', 1)[0]}_plain")
            for name, result in zip(shown.workflows, accelerated, strict=True):
                assert result.early is not None
                overlay = outline(result.picture, result.early)
                _save(result.picture, out, name)
                _save(overlay, out, f"{name}_edges")
                rows.append((result.title, plain.picture, result.picture, overlay))
    contact_sheet(rows).save(out / "contact_sheet.png")
    text = "\n".join((*_warning(), *HEADER, *lines))
    (out / "table.md").write_text(f"{text}\n", encoding="utf-8")
    return text


def _save(picture: Image.Image, out: Path, name: str) -> None:
    picture.save(out / f"{name}.png")


def _warning() -> list[str]:
    titles = [shown.stand_in.title for shown in SHOWN if not shown.stand_in.is_trained]
    return [RANDOM.format(titles=" and ".join(titles)), ""] if titles else []


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the pictures")
    parser.add_argument("--size", type=int, help="pixels a side, a multiple of 32")
    options = parser.parse_args()
    try:
        if options.size is not None and (options.size < 64 or options.size % 32):
            raise HostError(f"--size must be a multiple of 32 from 64, got {options.size}.")
        print(run_demo(options.out, options.size))
    except (HostError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nPictures: {options.out}/contact_sheet.png and the files beside it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
