// @ts-check
/** A button that opens a small list of choices (the menu button pattern of the ARIA practices). */

import { iconButton, make } from "./dom.js";

/** @typedef {{label: string, checked: boolean, choose: () => void}} Choice */

let serial = 0;

/**
 * @param {import("./dom.js").IconName} name
 * @param {string} label
 * @param {() => Choice[]} choices asked for each time the menu opens
 */
export function menu(name, label, choices) {
  const id = `menu-${++serial}`;
  const list = make("div", { class: "choices", role: "menu", id, "aria-label": label, hidden: "" });
  const button = iconButton(name, label, () => (list.hidden ? open() : close(true)));
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", id);
  const whole = make("div", { class: "menu" }, button, list);

  function open() {
    list.replaceChildren(
      ...choices().map((choice) => {
        const row = make("button", {
          type: "button",
          role: "menuitemradio",
          tabindex: "-1",
          dir: "auto",
          "aria-checked": String(choice.checked),
        }, choice.label);
        row.addEventListener("click", () => {
          choice.choose();
          close(true);
        });
        return row;
      }),
    );
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    const rows = /** @type {HTMLElement[]} */ ([...list.children]);
    (rows.find((row) => row.getAttribute("aria-checked") === "true") ?? rows[0])?.focus();
  }

  /** @param {boolean} giveFocus */
  function close(giveFocus) {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (giveFocus) button.focus();
  }

  whole.addEventListener("keydown", (event) => {
    if (list.hidden) {
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        event.preventDefault();
        event.stopPropagation();
        open();
      }
      return;
    }
    event.stopPropagation(); // the player's own keys rest while a menu is open
    const rows = /** @type {HTMLElement[]} */ ([...list.children]);
    const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      rows.at(next % rows.length)?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close(true);
    } else if (event.key === "Tab") close(false);
  });
  whole.addEventListener("focusout", (event) => {
    if (!whole.contains(/** @type {Node | null} */ (event.relatedTarget))) close(false);
  });
  return whole;
}
