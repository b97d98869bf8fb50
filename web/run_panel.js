// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { keep, kept } from "./kept.js";
import { runMarkup } from "./markup.js";
import { addElement, also, fromMarkup } from "./widget.js";

const STATUS = "$$node-text-preview"; // the frontend's own widget for a node's status

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run");
  let shown = false;
  const show = (run, regions) => {
    shown = true;
    panel.show(fromMarkup(runMarkup(run)), ...(regions.length ? [pictures(regions)] : []));
  };
  also(node, "onExecuted", (output) => {
    const run = output?.ralu_run?.[0];
    if (!run) return;
    keep(node, "run", run);
    if (run.live_previews) removePreview(node);
    removeStatus(node);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const seen = !run.live_previews && app.nodePreviewImages?.[node.id]?.length;
    show(run, seen ? [] : run.regions);
  });
  panel.watch(() => {
    if (shown) return;
    const run = kept(node, "run");
    if (run) show(run, run.regions);
  });
}

// The last step's preview would stay beside the regions in the classic renderer.
function removePreview(node) {
  delete app.nodePreviewImages?.[node.id];
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
