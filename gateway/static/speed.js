// @ts-check
/** How fast it plays. The element forgets its rate with each new source, but not its default rate. */

import { number } from "./language.js";

const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * @param {HTMLVideoElement} video
 * @param {import("./words.js").Words} words
 * @param {(text: string) => void} say for those who don't see the menu
 */
export function watchSpeed(video, words, say) {
  /** @param {number} rate */
  function set(rate) {
    video.defaultPlaybackRate = rate;
    video.playbackRate = rate;
  }
  return {
    choices: () =>
      RATES.map((rate) => ({
        label: rate === 1 ? words("speed.normal") : words("speed.rate", { rate: number(rate) }),
        checked: rate === video.playbackRate,
        choose: () => set(rate),
      })),
    /** @param {number} steps up or down the list */
    by(steps) {
      const now = RATES.indexOf(video.playbackRate);
      const rate = RATES[Math.min(Math.max(now + steps, 0), RATES.length - 1)];
      set(rate);
      say(words("speed.rate", { rate: number(rate) }));
    },
  };
}
