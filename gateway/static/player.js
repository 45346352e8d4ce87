// @ts-check
/**
 * The player page: takes what the page says in its data attributes and puts the parts together.
 * If anything here fails to load, the browser's own controls stay, since they are taken away last.
 */

import { buildControls } from "./controls.js";
import { watchKeys } from "./keys.js";
import { openMedia } from "./source.js";
import { showTrouble } from "./trouble.js";

const root = /** @type {HTMLElement} */ (document.getElementById("player"));
const video = /** @type {HTMLVideoElement} */ (root.querySelector("video"));

/** @type {Record<string, string>} */
const texts = JSON.parse(root.dataset.words ?? "{}");

/** @type {import("./words.js").Words} */
const words = (key, values = {}) =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));

const media = openMedia(
  video,
  { src: root.dataset.src ?? "", as: root.dataset.as ?? "hls", file: root.dataset.file ?? "" },
  (trouble) => showTrouble(root, words, trouble, () => media.retry()),
);

const controls = buildControls(root, video, media, words);
watchKeys(root, video, controls);
video.controls = false;
video.removeAttribute("aria-label"); // the region and its buttons speak for it
