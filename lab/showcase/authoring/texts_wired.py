"""Prompts and notes of the workflows that compare RALU or wire it among other nodes."""

from __future__ import annotations

from lab.showcase.authoring.texts import EXPERT, HOW, REGION_MASK, SCHEDULE, cost

_COST = cost("15 steps in three stages (4 + 5 + 6)", "9", 50)

COMPARE = f"""## What RALU gives for its compute
{HOW}

All three samplers get the same model, prompt, size and seed.

- **50 plain steps**: what the paper compares FLUX 5x with.
- **9 plain steps**: as much model compute as FLUX 5x. RALU would have to be better than these to
  be worth it, so look at both, with several seeds.
- **RALU FLUX 5x**: it adds noise of its own between stages, so composition and colours often
  differ. The last picture, below on the right, is bright where RALU grew early."""

COMPARE_SLIDER = """## Plain or RALU? Drag the line
The same model, prompt and seed twice: 20 plain steps on the left, RALU in front of the same
KSampler on the right, which takes 7 steps at *balanced*. Move the pointer over the upper picture.

*Compare Images* came with ComfyUI 0.9.2 and moves in **Nodes 2.0** (main menu) only; both pictures
are below it, too. *flux_dev_compare* runs everywhere and stitches its pictures."""

CONTROLNET_LORA = f"""## FLUX.1-dev with a LoRA and a ControlNet, RALU 5x
{HOW} LoRA and ControlNet are wired as for a KSampler.

{_COST} The ControlNet comes on top: it runs at every step, on as many tokens as the stage has or,
in stage 2, on the full picture and on half its size."""

KNOBS_LORA = """Any LoRA of FLUX.1-dev works, and so does a chain of them. Bypass the node (Ctrl+B)
to run without."""

KNOBS_CONTROL = """- **strength** 0.7 and **end_percent** 0.8 are what this ControlNet's authors
  advise for edges; percents count noise levels, as with a KSampler.
- It follows depth, poses and soft edges too: load such a picture and bypass *Edges*.
- An older union ControlNet, which has modes, needs *SetUnionControlNetType* behind its loader."""

INPAINT_PROMPT = "A ginger cat curled up asleep, soft daylight, photograph"

INPAINT = f"""## FLUX.1 Fill, RALU 5x
{HOW}

The painted part is sampled anew from noise alone (denoise 1), so all three stages run. It is also
the **region_mask**: the painted part grows early, whether it has edges or not, on top of the
regions with edges. A large mask so makes stage 2 slower.

{_COST}"""

PAINT = """Load a picture, right-click it, choose *Open in MaskEditor*, and paint what shall be new.
Without a mask the picture comes out as it is. Its longer side becomes 1024 pixels; the other one
follows."""

DENOISE = """FLUX.1-dev and its fine-tunes inpaint with the same wiring: choose the model's file and
set Guidance to 3.5. They see the surroundings only through the noise, so a **denoise** below 1,
which keeps something of what was there, often fits better.

No stage may add more noise than was asked for, so RALU saves less the lower denoise is. FLUX 5x
runs

- all three stages from 1 down to 0.89,
- stages 2 and 3 from 0.88 down to 0.8,
- below that only full-size steps: all 6 of stage 3 at 0.79, 4 at 0.4.

Fill is made for denoise 1."""

KNOBS_FILL = f"""{SCHEDULE}
- **Guidance** 30 is what Fill is used with. **cfg** stays 1: Flux has no negative prompt.
{EXPERT}"""

TWO_PASS = f"""## FLUX.1-dev in two passes (hires fix), RALU 5x
{HOW} A second pass then samples the enlarged picture with the same schedule.

First pass: {_COST[0].lower()}{_COST[1:]}

Second pass: with **denoise** 0.4 no stage may add more noise than that, so only stage 3 runs, 4 of
its 6 full-size steps. At 1.5 times the width each costs as much as 2.7 steps of the first
size."""

ENLARGE = """FLUX tends to draw a grid on latents that were enlarged themselves, so the picture is
enlarged and encoded anew.

Less **denoise** in the second pass keeps more of the first one; from 0.8 on stage 2 runs too, and
the picture changes a lot."""

ADVANCED = f"""## FLUX.1-dev with RALU Sampler (Advanced)
{HOW} This node has the sockets of SamplerCustomAdvanced; the schedule stands for its SIGMAS.

{_COST}"""

KNOBS_ADVANCED = f"""{SCHEDULE}
- **Guidance** 3.5 is the paper's.
- **denoised_output** is the clean estimate of the last step.
{REGION_MASK}
{EXPERT}"""

GUIDERS = """- **BasicGuider** suits Flux, which has no negative prompt. CFGGuider,
  DualCFGGuider and PerpNegGuider fit too, for SD3 and SD3.5.
- **Noise**: one seed, one picture. RALU's own noise comes from it as well.
- **Sampler**: *euler* is best. Nine others are refused in three stages, by name, *dpm_adaptive*
  among them. Samplers with options, such as SamplerEulerAncestral, connect here."""
