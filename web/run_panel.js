// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { keep, kept } from "./kept.js";
import { runMarkup } from "./markup.js";
import { addElement, also, fromMarkup } from "./widget.js";
import { nodeBefore } from "./wires.js";

const STATUS = "$$node-text-preview"; // the frontend's own widget for a node's status
const DRAWN = ["seed", "noise_seed", "control_after_generate"]; // no plan follows them

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run");
  let shown = false;
  const show = (run, regions) => {
    shown = true;
    panel.show(fromMarkup(runMarkup(run)), ...(regions.length ? [pictures(regions)] : []));
  };
  also(node, "onExecuted", (output) => {
    const run = output?.ralu_run?.at(-1);
    if (!run) return;
    keep(node, "run", { run, settings: settings(node) });
    if (run.live_previews) removePreview(node);
    removeStatus(node);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const seen = !run.live_previews && app.nodePreviewImages?.[previewKey(node)]?.length;
    show(run, seen ? [] : run.regions);
  });
  panel.watch(() => {
    if (shown) return;
    const last = kept(node, "run");
    if (last?.settings === settings(node)) show(last.run, last.run.regions);
  });
}

// What a plan follows: the widgets of the sampler and of its schedule. An older file of the same
// workflow may have others than the last run.
function settings(node) {
  const nodes = [node, nodeBefore(node, "schedule")];
  const followed = ({ name, serialize }) =>
    serialize !== false && !String(name).startsWith("$$") && !DRAWN.includes(name);
  const values = (one) => (one?.widgets ?? []).filter(followed).map(({ name, value }) => [name, value]);
  return JSON.stringify(nodes.map(values));
}

// Ids of nodes are counted anew in each subgraph.
const previewKey = ({ graph, id }) => (graph.isRootGraph ? id : `${graph.id}:${id}`);

// The last step's preview would stay beside the regions in the classic renderer.
function removePreview(node) {
  delete app.nodePreviewImages?.[previewKey(node)];
  if (LiteGraph.vueNodesMode) return;
  node.preview = [];
  node.imgs = undefined;
  app.canvas.setDirty(true, true);
}

// What the node's status says of the run stands in the panel.
function removeStatus(node) {
  const at = (node.widgets ?? []).findIndex(({ name }) => name === STATUS);
  if (at < 0) return;
  node.widgets[at].onRemove?.();
  node.widgets.splice(at, 1);
}

function pictures(files) {
  const row = document.createElement("div");
  row.className = "pictures";
  for (const file of files) {
    const picture = document.createElement("img");
    picture.src = api.apiURL(`/view?${new URLSearchParams(file)}`);
    picture.alt = "regions that grew early";
    picture.addEventListener("error", () => picture.remove()); // the server keeps it until it ends
    row.append(picture);
  }
  return row;
}
