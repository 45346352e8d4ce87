// @ts-check
/** The address for another player, below the picture: copied by a button, or by hand. */

import { copy } from "./copy.js";

const DONE = 2500; // ms the button says that it was done

/** @param {HTMLElement | null} part */
export function offerAddress(part) {
  const field = /** @type {HTMLInputElement | null} */ (part?.querySelector("input") ?? null);
  const button = /** @type {HTMLButtonElement | null} */ (part?.querySelector("button") ?? null);
  if (!field || !button) return;
  const face = button.textContent ?? "";
  /** @type {number | undefined} */
  let timer;
  field.addEventListener("focus", () => field.select());
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copy(field.value);
    } catch {
      field.focus();
      return;
    }
    button.textContent = button.dataset.done ?? face;
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = face), DONE);
  });
}
