// The classic renderer puts elements above the canvas, where they would swallow what is meant for it:
// zooming, moving by the middle button, and the node's menu.
import { app } from "../../scripts/app.js";

const MIDDLE = 1;
const RIGHT = 2;
const MIDDLE_IS_DOWN = 4; // among `buttons`

export function passToCanvas(root) {
  const pass = (type, isMeant, act) => {
    const listen = (event) => !LiteGraph.vueNodesMode && isMeant(event) && act(event);
    root.addEventListener(type, listen, { passive: false });
  };
  const isOther = ({ button }) => button === MIDDLE || button === RIGHT;
  pass("wheel", () => true, (event) => {
    event.preventDefault();
    app.canvas.processMouseWheel(event);
  });
  pass("pointerdown", isOther, (event) => app.canvas.processMouseDown(event));
  pass("pointermove", ({ buttons }) => buttons & MIDDLE_IS_DOWN, (event) => app.canvas.processMouseMove(event));
  pass("pointerup", isOther, (event) => app.canvas.processMouseUp(event));
  pass("contextmenu", () => true, (event) => event.preventDefault());
}
