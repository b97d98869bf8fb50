import { app } from "../../scripts/app.js";

export const ROW = 14; // pixels of a table's row

// An element on a node, in both renderers; height 0 hides it. Neither saved nor sent to the server.
export function addElement(node, name, height) {
  const root = document.createElement("div");
  root.className = `ralu ${name}`;
  const widget = node.addDOMWidget(name, name, root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height,
    getMaxHeight: () => height,
    getValue: () => "",
    setValue() {},
  });
  widget.serialize = false;
  root.addEventListener("wheel", zoomCanvas, { passive: false });
  const setHeight = (pixels) => {
    height = pixels;
    widget.hidden = !pixels; // for the classic renderer; Nodes 2.0 looks at the element
    root.style.display = pixels ? "" : "none";
    root.style.height = `${pixels}px`;
  };
  setHeight(height);
  return { root, setHeight };
}

// The classic renderer puts the element above the canvas, where it would swallow zooming.
function zoomCanvas(event) {
  if (LiteGraph.vueNodesMode) return;
  event.preventDefault();
  app.canvas.processMouseWheel(event);
}

// Call `added` after whatever the node does at this event already.
export function also(node, event, added) {
  const before = node[event];
  node[event] = function (...args) {
    before?.apply(this, args);
    added(...args);
  };
}

export function fitHeight(node) {
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  app.canvas.setDirty(true, true);
}
