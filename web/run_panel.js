// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { runMarkup } from "./markup.js";
import { nodeAt, whenStopped } from "./prompts.js";
import { telling, whenRan, whetherAsked } from "./told.js";
import { addElement, fitHeight, fittedHeight, fromMarkup } from "./widget.js";
import { words } from "./words.js";

// The frontend's own widgets for a node's status and, in the classic renderer, its preview.
const STATUS = "$$node-text-preview";
const PREVIEW = "$$canvas-image-preview";

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run");
  let over; // the last step's preview, in whose place the panel shows the regions
  const show = (run) => {
    over = run.live_previews ? previewOf(node) : undefined;
    if (run.live_previews) removePreview(node);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const isSeen = !run.live_previews && previewOf(node)?.length;
    const shown = isSeen || !run.regions.length ? [] : [pictures(run.regions)];
    panel.show(fromMarkup(runMarkup(run)), ...shown);
  };
  const isAsked = whetherAsked(panel);
  const { tell } = telling(node, "ralu_run", panel, isAsked, show);
  whenRan(node, "ralu_run", isAsked, (run) => {
    removeWidget(node, STATUS);
    tell(run);
  });
  panel.watch(() => {
    if (over && over === previewOf(node) && node.imgs) removePreview(node); // it was loaded late
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

whenStopped(({ node_id }) => {
  const node = nodeAt(node_id);
  if (node?.comfyClass?.startsWith("RALU_Sampler")) removeWidget(node, STATUS);
});

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
