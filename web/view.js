// What the canvas shows of its graph.
import { app } from "../../scripts/app.js";

const EDGE = 80; // pixels of the window that the frontend's bars may cover

// Pan to two nodes if the first is not seen whole, and zoom out only where they would not fit.
export function bringIntoView(node, other) {
  const { canvas } = app;
  const { scale, offset } = canvas.ds;
  const { width, height } = canvas.canvas.getBoundingClientRect();
  const [left, top, right, bottom] = edges([node]).map((edge, k) => (edge + offset[k % 2]) * scale);
  if (left >= EDGE && top >= EDGE && right <= width - EDGE && bottom <= height - EDGE) return;
  const [x, y, toX, toY] = edges([node, other]);
  const fits = (toX - x) * scale <= width - 2 * EDGE && (toY - y) * scale <= height - 2 * EDGE;
  canvas.animateToBounds([x, y, toX - x, toY - y], fits ? { zoom: 0 } : {});
}

function edges(nodes) {
  const all = nodes.map(({ pos: [x, y], size: [width, height] }) => {
    return [x, y - LiteGraph.NODE_TITLE_HEIGHT, x + width, y + height];
  });
  return [Math.min, Math.min, Math.max, Math.max].map((pick, k) => pick(...all.map((one) => one[k])));
}
