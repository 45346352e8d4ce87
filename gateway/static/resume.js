// @ts-check
/** A small notice over the picture: that it goes on where the guest was, and the way to the start. */

import { make } from "./dom.js";
import { clock } from "./language.js";

const SHOWN = 12; // seconds of playing until it goes

/**
 * @param {HTMLElement} root
 * @param {HTMLVideoElement} video
 * @param {import("./source.js").Media} media
 * @param {import("./words.js").Words} words
 * @param {number} at seconds
 */
export function offerStart(root, video, media, words, at) {
  const again = make("button", { type: "button", class: "button" }, words("resume.start"));
  const notice = make("div", { class: "resumed" }, make("p", { role: "status" }, words("resume", { position: clock(at) })), again);
  const gone = () => {
    if (notice.contains(document.activeElement)) root.focus();
    notice.remove();
    video.removeEventListener("timeupdate", late);
  };
  const late = () => {
    const away = video.currentTime < at - 1 || video.currentTime > at + SHOWN;
    if (away && !notice.contains(document.activeElement)) gone();
  };
  again.addEventListener("click", () => {
    media.toStart();
    gone();
  });
  video.addEventListener(
    "loadedmetadata",
    () => {
      // Another, shorter one than before, or one that has no start: there is no going on.
      if (video.duration === Infinity || video.duration > at + 1) return;
      video.currentTime = 0;
      gone();
    },
    { once: true },
  );
  video.addEventListener("timeupdate", late);
  root.append(notice);
}
