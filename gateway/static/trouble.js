// @ts-check
/** What went wrong, in words, over the picture. */

import { make } from "./dom.js";

// Trying again can't help where access has ended or the media is gone; what pauses goes on by itself.
const FINAL = new Set(["ended", "gone", "paused", "unsupported", "removed", "closed"]);

/**
 * @param {HTMLElement} root
 * @param {import("./words.js").Words} words
 * @param {string | null} trouble null: all is well again
 * @param {() => void} retry
 */
export function showTrouble(root, words, trouble, retry) {
  root.querySelector(".trouble")?.remove();
  root.classList.toggle("stopped", trouble !== null);
  if (trouble === null) return;
  const panel = make(
    "div",
    { class: "trouble", role: "alert" },
    make("p", { class: "what" }, words(`error.${trouble}.title`)),
    make("p", {}, words(`error.${trouble}.text`)),
  );
  if (!FINAL.has(trouble)) {
    const again = make("button", { type: "button", class: "button" }, words("retry"));
    again.addEventListener("click", () => {
      root.focus(); // the button goes; the focus must not fall to the top of the page
      retry();
    });
    panel.append(again);
  }
  if (document.fullscreenElement === root && FINAL.has(trouble)) document.exitFullscreen().catch(() => undefined);
  root.append(panel);
}
