// The offers for a sampler: in its menu, and as commands, which may have a key of their own.
import { app } from "../../scripts/app.js";
import { offers } from "./rewire.js";
import { note } from "./tell.js";
import { words } from "./words.js";

const ICONS = { replace: "pi pi-sync", in_front: "pi pi-bolt" };
const MENU_SINCE = 40; // minor version of the frontend; before, the menu of Nodes 2.0 showed no extension's

export const menu = {
  getNodeMenuItems(node) {
    return Object.values(offers(node)).map(([label, callback]) => ({ content: words()[label], callback }));
  },
  commands: Object.entries(ICONS).map(([name, icon]) => ({
    id: `ralu.${name}`,
    label: words()[name],
    icon,
    function() {
      const [, act] = offers(selected() ?? {})[name] ?? [];
      return act ? act() : note(words()[`nothing_${name}`]);
    },
  })),
  getSelectionToolboxCommands(item) {
    const version = window.__COMFYUI_FRONTEND_VERSION__ ?? "1.999";
    const [major, minor] = version.split(".").map(Number);
    const isInMenu = major > 1 || minor >= MENU_SINCE;
    if (!LiteGraph.vueNodesMode || isInMenu || !item.comfyClass) return [];
    return Object.keys(offers(item)).map((name) => `ralu.${name}`);
  },
};

function selected() {
  const isNode = (item) => item instanceof LiteGraph.LGraphNode;
  const [node, ...others] = [...app.canvas.selectedItems].filter(isNode);
  return others.length ? undefined : node;
}
