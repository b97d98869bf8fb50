// What the last run did, on a sampler: stages, calls, seconds, how it compares, and its regions.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { runMarkup } from "./markup.js";
import { ROW, addElement, also, fitHeight } from "./widget.js";

const HEIGHT = 100; // without the stages' rows
const PICTURE_HEIGHT = 200;

export function addRunPanel(node) {
  // Added at once, since Nodes 2.0 of older frontends shows no widget that comes after the wires.
  const panel = addElement(node, "ralu_run", 0);
  also(node, "onExecuted", (output) => {
    const run = output?.ralu_run?.[0];
    if (!run) return;
    panel.root.innerHTML = runMarkup(run);
    // Without live previews the regions are the last picture sent, which stays on the node.
    const seen = !run.live_previews && app.nodePreviewImages?.[node.id]?.length;
    const regions = seen ? [] : run.regions;
    if (regions.length) panel.root.append(pictures(regions));
    panel.setHeight(HEIGHT + ROW * run.stages.length + (regions.length && PICTURE_HEIGHT));
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
