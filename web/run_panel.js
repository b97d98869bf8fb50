// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { keep, kept, settings } from "./kept.js";
import { runMarkup } from "./markup.js";
import { addElement, also, fitHeight, fittedHeight, fromMarkup } from "./widget.js";
import { isForeign, nodeAt } from "./prompts.js";
import { words } from "./words.js";

// The frontend's own widgets for a node's status and, in the classic renderer, its preview.
const STATUS = "$$node-text-preview";
const PREVIEW = "$$canvas-image-preview";
const STOPPED = ["execution_interrupted", "execution_error"];

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run");
  let ran; // settings of the run that is shown
  let queued; // settings of the last prompt
  panel.widget.beforeQueued = () => {
    queued = settings(node);
  };
  let over; // the last step's preview, in whose place the panel shows the regions
  const show = (run, settings) => {
    ran = settings;
    over = run.live_previews ? previewOf(node) : undefined;
    if (run.live_previews) removePreview(node);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const isSeen = !run.live_previews && previewOf(node)?.length;
    const shown = isSeen || !run.regions.length ? [] : [pictures(run.regions)];
    panel.show(fromMarkup(runMarkup(run)), ...shown);
  };
  also(node, "onExecuted", (output) => {
    const run = output?.ralu_run?.at(-1);
    if (!run || isForeign(node, run.workflow, queued !== undefined)) return;
    const now = settings(node);
    if (now === (queued ?? now)) keep(node, "run", { run, settings: now }); // not if changed meanwhile
    removeWidget(node, STATUS);
    show(run, queued ?? now);
  });
  panel.watch(() => {
    if (over && over === previewOf(node) && node.imgs) removePreview(node); // it was loaded late
    const now = settings(node);
    if (ran) return panel.dim(ran !== now);
    const last = kept(node, "run");
    if (last?.settings === now) show(last.run, now);
  });
}

// Ids of nodes are counted anew in each subgraph.
const previewOf = ({ graph, id }) => app.nodePreviewImages?.[graph.isRootGraph ? id : `${graph.id}:${id}`];

// The last step's preview would stay beside the regions in the classic renderer. The frontend keeps it,
// and its address, until the next one.
function removePreview(node) {
  if (LiteGraph.vueNodesMode) return;
  node.preview = previewOf(node); // which is no new one then
  node.imgs = undefined;
  removeWidget(node, PREVIEW);
}

// What the node's status says of a run stands in the panel; of one that was stopped it is not true.
function removeWidget(node, name) {
  const at = (node.widgets ?? []).findIndex((widget) => widget.name === name);
  if (at < 0) return;
  const fitted = fittedHeight(node);
  node.widgets[at].onRemove?.();
  node.widgets.splice(at, 1);
  fitHeight(node, fitted);
}

for (const event of STOPPED) {
  api.addEventListener(event, ({ detail }) => {
    const node = nodeAt(detail.node_id);
    if (node?.comfyClass?.startsWith("RALU_Sampler")) removeWidget(node, STATUS);
  });
}

function pictures(files) {
  const row = document.createElement("div");
  row.className = "pictures";
  for (const file of files) {
    const picture = document.createElement("img");
    picture.src = api.apiURL(`/view?${new URLSearchParams(file)}`);
    picture.alt = words().regions;
    picture.addEventListener("error", () => picture.remove()); // the server keeps it until it ends
    row.append(picture);
  }
  return row;
}
