// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addElement, also, fitHeight, fixed } from "./widget.js";

const HEIGHT = 142;
const PICTURE_HEIGHT = 200;

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run", 0);
  also(node, "onExecuted", (output) => {
    const run = output?.ralu_run?.[0];
    if (!run) return;
    panel.root.innerHTML = numbers(run);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const seen = !run.live_previews && app.nodePreviewImages?.[node.id]?.length;
    const regions = seen ? [] : run.regions;
    if (regions.length) panel.root.append(pictures(regions));
    panel.setHeight(HEIGHT + (regions.length && PICTURE_HEIGHT));
    fitHeight(node);
  });
}

function pictures(files) {
  const row = document.createElement("div");
  row.className = "pictures";
  for (const file of files) {
    const picture = document.createElement("img");
    picture.src = api.apiURL(`/view?${new URLSearchParams(file)}`);
    picture.alt = "regions that grew early";
    row.append(picture);
  }
  return row;
}

// Numbers only, so that nothing in it needs escaping.
function numbers(run) {
  const rows = run.stages.map(
    (stage) => `<tr class="stage${stage.number}"><td>stage ${stage.number}</td>
      <td>${stage.steps}</td><td>${calls(stage)}</td><td>${tokens(stage.tokens)}</td>
      <td>${fixed(stage.seconds, 2)}</td></tr>`,
  );
  return `<table class="run"><tr><th></th><th>steps</th><th>calls</th><th>tokens</th><th>seconds</th>
    </tr>${rows.join("")}</table><p>${fixed(run.seconds, 2)} s in all, of which
    ${fixed(run.loading, 2)} s until the model was loaded.</p><p>${comparison(run)}</p>`;
}

// RALU Temporal Acceleration skips some of the work in these calls.
function calls(stage) {
  return stage.share < 1 ? `${stage.calls} (${fixed(100 * stage.share, 0)} %)` : `${stage.calls}`;
}

// Pictures of a batch may differ in how many regions they grow.
function tokens(counts) {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least} to ${most}`;
}

function comparison(run) {
  if (run.is_cold) {
    return `Predicted: the model compute of ${fixed(run.predicted_equivalents, 1)} plain steps.
      Not measured: weights were still being loaded. Queue once more; if this stays, the MODEL and
      the VAE do not fit into memory together.`;
  }
  const each = `of ${fixed(run.seconds_per_full_step, 2)} s, as measured in stage 3`;
  if (run.plain_steps == null) {
    return `As long as ${fixed(run.measured_equivalents, 1)} plain steps ${each}; predicted
      ${fixed(run.predicted_equivalents, 1)}.`;
  }
  const measured = run.plain_steps / run.measured_equivalents;
  const predicted = run.plain_steps / run.predicted_equivalents;
  return `<b>${fixed(measured, 2)}x</b> as fast as ${run.plain_steps} plain steps ${each};
    predicted ${fixed(predicted, 2)}x.`;
}
