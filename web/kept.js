// What a node showed last, for as long as the browser's tab is open: a page that is reloaded, and a step
// undone, show it again. Not in the workflow's file, which others read.
import { app } from "../../scripts/app.js";
import { nodeBefore } from "./wires.js";

const NO_ID = "00000000-0000-0000-0000-000000000000"; // of all graphs in the API's format

// null where nothing tells one workflow from another.
const place = ({ graph, id }, what) => {
  const root = app.rootGraph.id;
  return graph && root !== NO_ID ? `ralu ${what} ${root} ${graph.id} ${id}` : null;
};

const DRAWN = ["seed", "noise_seed", "control_after_generate"]; // no plan follows them

// What a plan follows: the widgets of a node and of its schedule. An older file of the same workflow may
// have others than the last run.
export function settings(node) {
  const nodes = [node, nodeBefore(node, "schedule")];
  const followed = ({ name, serialize }) =>
    serialize !== false && !String(name).startsWith("$$") && !DRAWN.includes(name);
  const values = (one) => (one?.widgets ?? []).filter(followed).map(({ name, value }) => [name, value]);
  return JSON.stringify(nodes.map(values));
}

export function keep(node, what, values) {
  const key = place(node, what);
  if (!key) return;
  try {
    sessionStorage.setItem(key, JSON.stringify(values));
  } catch {
    // Full, or forbidden: it is then shown until the page is reloaded.
  }
}

export function kept(node, what) {
  const key = place(node, what);
  if (!key) return undefined;
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? undefined;
  } catch {
    return undefined;
  }
}
