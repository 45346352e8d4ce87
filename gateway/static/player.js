// @ts-check
/**
 * The player page: takes what the page says in its data attributes and puts the parts together.
 * If anything here fails to load, the browser's own controls stay, since they are taken away last.
 */

import { forgetChat, showChat } from "./chat.js";
import { buildControls } from "./controls.js";
import { offerAddress } from "./elsewhere.js";
import { goOnByItself } from "./onair.js";
import { watchKeys } from "./keys.js";
import { forgetPositions, keepPosition, positionOf } from "./position.js";
import { offerStart } from "./resume.js";
import { tellSystem } from "./session.js";
import { lookLikeSound } from "./sound.js";
import { openMedia } from "./source.js";
import { showTrouble } from "./trouble.js";

const root = /** @type {HTMLElement} */ (document.getElementById("player"));
const video = /** @type {HTMLVideoElement} */ (root.querySelector("video"));
const { src = "", as = "hls", file = "", item = "", title = "", begins = "" } = root.dataset;

/** @type {Record<string, string>} */
const texts = JSON.parse(root.dataset.words ?? "{}");

/** @type {import("./words.js").Words} */
const words = (key, values = {}) =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));

if (!item) {
  // Not this guest's device
  forgetPositions();
  forgetChat();
}
const endChat = showChat(
  document.querySelector(".beside"),
  item !== "",
  () => video.paused || media.stopped,
  () => media.stop("ended"),
);
const at = positionOf(item);

const stopped = goOnByItself(begins !== "");
const media = openMedia(
  video,
  { src, as, file },
  (trouble) => {
    if (trouble === "ended") endChat(); // what stands in it is not theirs to read any more
    showTrouble(root, words, trouble && stopped(trouble), () => media.retry());
  },
  at,
);
// A body without end that ends is a stream that stops, and so is one whose playlist was live and says now that it is
// complete. What was complete when the page began is a recording, and over when it is over.
let onAir = as === "file";
video.addEventListener("durationchange", () => (onAir ||= media.live));
video.addEventListener("ended", () => {
  if (begins && onAir) media.stop("gone");
});

lookLikeSound(root, video, words);
const controls = buildControls(root, video, media, words);
watchKeys(root, video, controls);
offerAddress(document.querySelector(".elsewhere"));
tellSystem(video, title, controls, () => media.play());
if (begins) media.play(); // who has waited for it should not have to ask for it; browsers may refuse
if (at > 0) offerStart(root, video, media, words, at);
const keepNoLonger = keepPosition(item, video, () => media.live);
document.querySelector("form.leave")?.addEventListener("submit", keepNoLonger);
video.controls = false;
video.removeAttribute("aria-label"); // the region and its buttons speak for it
