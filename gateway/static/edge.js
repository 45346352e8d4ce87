// @ts-check
/** Where a guest is in a live stream: at its edge or behind, how far, and the way to the edge. */

import { make } from "./dom.js";
import { span } from "./language.js";

const SLACK = 6; // seconds behind the newest that can be had which still count as live
const WIDE = 20; // seconds one can go back from which there is a bar for it …
const NARROW = 10; // … until there are no more than these: a window that breathes must not make the bar blink

/**
 * @param {HTMLVideoElement} video
 * @param {import("./source.js").Media} media
 * @param {import("./words.js").Words} words
 * @param {(text: string) => void} say for those who don't see it
 */
export function watchEdge(video, media, words, say) {
  const badge = make("button", { type: "button", class: "live", hidden: "" }, words("live"));
  let wide = false;

  // The very end of a live stream is not there yet; a little before it is.
  const newest = () => media.liveEdge ?? Math.max(media.range.start, media.range.end - SLACK);
  const there = () => video.readyState === 0 || video.currentTime > newest() - SLACK;

  function go() {
    if (!there()) video.currentTime = newest();
    media.play();
    say(words("live"));
  }
  badge.addEventListener("click", go);
  // The page may have been open for long: what is live begins with what is now.
  video.addEventListener("play", () => {
    if (media.live && video.played.length === 0 && !there()) video.currentTime = newest();
  });

  return {
    badge,
    /** Where one can be now. @returns {import("./engine.js").Range} */
    reach() {
      const { start, end } = media.range;
      return media.live ? { start, end: Math.max(start, newest()) } : { start, end };
    },
    /** Whether there is enough to go back in. */
    wide() {
      wide = media.rewinds && newest() - media.range.start >= (wide ? NARROW : WIDE);
      return wide;
    },
    /** @returns {string} how far behind this is; "" where nobody knows */
    draw() {
      badge.hidden = !media.live;
      if (!media.live) return "";
      const here = there();
      badge.classList.toggle("edge", here);
      badge.disabled = !media.rewinds && media.liveEdge === null;
      const label = words(here ? "live" : "live.go");
      if (badge.title !== label) {
        badge.title = label;
        badge.setAttribute("aria-label", label);
      }
      const { behind } = media;
      return behind === null || video.readyState === 0 ? "" : words("live.behind", { time: span(behind) });
    },
  };
}
