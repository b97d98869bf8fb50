// What a node showed last, for as long as the browser's tab is open: a page that is reloaded, and a step
// undone, show it again. Not in the workflow's file, which others read.
import { app } from "../../scripts/app.js";

const place = ({ graph, id }, what) => {
  const root = (app.rootGraph ?? app.graph).id;
  return graph && id >= 0 ? `ralu ${what} ${root} ${graph.id} ${id}` : null;
};

export function keep(node, what, values) {
  try {
    sessionStorage.setItem(place(node, what), JSON.stringify(values));
  } catch {
    // Full, or forbidden: it is then shown until the page is reloaded.
  }
}

export function kept(node, what) {
  try {
    return JSON.parse(sessionStorage.getItem(place(node, what))) ?? undefined;
  } catch {
    return undefined;
  }
}
