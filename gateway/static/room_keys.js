// @ts-check
/** Keys of the room page: they press its buttons. */

/** @param {HTMLElement} root */
export function watchRoomKeys(root) {
  const full = /** @type {HTMLButtonElement} */ (root.querySelector(".full"));
  const enlarge = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()).catch(() => undefined);
  full.hidden = !document.fullscreenEnabled;
  full.addEventListener("click", enlarge);
  document.addEventListener("keydown", (event) => {
    const at = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || at.closest("input, textarea, select, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    if (key === "m" || key === "v") {
      const button = /** @type {HTMLButtonElement | null} */ (root.querySelector(key === "m" ? ".microphone" : ".camera"));
      if (button && !button.closest("[hidden]")) button.click();
    } else if (key === "c") {
      const typed = /** @type {HTMLInputElement | null} */ (document.querySelector(".talk input"));
      if (!typed || typed.disabled) return;
      if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
      typed.focus();
    } else if (key === "f" && !full.hidden) enlarge();
    else return;
    event.preventDefault();
  });
}
