// A sentence in a corner of the window.
import { app } from "../../scripts/app.js";

const NOTE_MS = 6000;
const WARNING_MS = 12000;

const add = (severity, detail, life) =>
  app.extensionManager.toast.add({ severity, summary: "RALU", detail, life });

export const note = (sentence) => add("info", sentence, NOTE_MS);
export const warn = (sentence) => add("warn", sentence, WARNING_MS);
