// What the pack says on the canvas beyond its locale files, in the language of the frontend.
import { app } from "../../scripts/app.js";
import { en } from "./words/en.js";
import { ja } from "./words/ja.js";
import { ko } from "./words/ko.js";
import { zh } from "./words/zh.js";

const LANGUAGES = { en, ja, ko, zh };

export function language() {
  const locale = app.extensionManager?.setting?.get("Comfy.Locale");
  return locale in LANGUAGES ? locale : "en"; // zh-TW, too: its nodes have English names
}

export const words = () => LANGUAGES[language()];
