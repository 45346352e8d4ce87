// @ts-check
/** The look of what has no picture: its cover or a note in place of a black box. */

import { icon, make } from "./dom.js";

/**
 * The page says `sound` beforehand where the policy tells it; what the media turns out to be decides.
 * @param {HTMLElement} root
 * @param {HTMLVideoElement} video
 * @param {import("./words.js").Words} words
 */
export function lookLikeSound(root, video, words) {
  const poster = video.poster;
  const cover = make("div", { class: "cover", "aria-hidden": "true" }, icon("note"));
  if (poster) {
    const picture = make("img", { alt: "" });
    picture.addEventListener("load", () => cover.replaceChildren(picture));
    picture.src = poster;
  }
  root.prepend(cover);

  /** @param {boolean} sound */
  function draw(sound) {
    root.classList.toggle("sound", sound);
    root.setAttribute("aria-label", words(sound ? "region.sound" : "region"));
    if (sound) video.removeAttribute("poster");
    else if (poster) video.poster = poster;
  }
  draw(root.classList.contains("sound"));
  for (const name of ["loadedmetadata", "resize"]) {
    video.addEventListener(name, () => draw(video.videoWidth === 0));
  }
}
