// @ts-check
/** The keyboard of the player, as the page's list of keys says. */

/**
 * @param {HTMLElement} root
 * @param {HTMLVideoElement} video
 * @param {import("./controls.js").Controls} controls
 */
export function watchKeys(root, video, controls) {
  /** @type {Record<string, () => void>} */
  const actions = {
    " ": controls.playOrPause,
    k: controls.playOrPause,
    ArrowLeft: () => controls.seekBy(-5),
    ArrowRight: () => controls.seekBy(5),
    j: () => controls.seekBy(-10),
    l: () => controls.seekBy(10),
    ArrowUp: () => controls.louderBy(0.1),
    ArrowDown: () => controls.louderBy(-0.1),
    m: controls.muteOrNot,
    c: controls.captionsOnOrOff,
    "<": () => controls.fasterBy(-1),
    ">": () => controls.fasterBy(1),
    p: controls.insetOrNot,
    f: controls.fullscreenOrNot,
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const target = /** @type {Element} */ (event.target);
    if (!action || keepsKey(root, target, event.key)) return;
    event.preventDefault();
    controls.wake();
    action();
  });
}

/**
 * Whether the element in focus needs this key itself.
 * @param {HTMLElement} root
 * @param {Element} target
 * @param {string} key
 */
function keepsKey(root, target, key) {
  if (target.matches("input[type=range]")) return key.startsWith("Arrow");
  if (target.matches("input, textarea, select, [contenteditable]")) return true;
  if (key === " " && target.matches("button, summary, a")) return true;
  // Up and down scroll the page unless the player is what is being used.
  return (key === "ArrowUp" || key === "ArrowDown") && !root.contains(target);
}
