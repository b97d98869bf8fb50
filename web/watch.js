// One timer for all nodes that show what nobody tells them of: widgets that a program has set, the
// colours of the theme.
const CHECK_MS = 150;
const LIGHT = 0.4; // of a node's ground; below, text on it is light
const looks = new Map();
let timer;

// Call `look` now and then, until the node is removed.
export function watch(node, look) {
  looks.set(node, [...(looks.get(node) ?? []), look]);
  timer ??= setInterval(lookAtAll, CHECK_MS);
}

export function forget(node) {
  looks.delete(node);
  if (looks.size) return;
  clearInterval(timer);
  timer = undefined;
}

function lookAtAll() {
  const light = lightness(LiteGraph.NODE_DEFAULT_BGCOLOR) > LIGHT;
  document.documentElement.classList.toggle("ralu-on-light", light);
  for (const all of looks.values()) all.forEach((look) => look());
}

function lightness(colour) {
  const [, digits] = /^#([0-9a-f]+)$/i.exec(colour) ?? [];
  if (!digits) return 0;
  const wide = digits.length < 6 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const parts = [0, 2, 4].map((at) => parseInt(wide.slice(at, at + 2), 16));
  return parts.reduce((sum, part) => sum + part, 0) / (3 * 255);
}
