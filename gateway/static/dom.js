// @ts-check
/** Making elements without markup in strings: the page's policy allows no inline script or style. */

/** Paths on a 24 × 24 grid. */
const ICONS = {
  play: "M8 5.2v13.6a.8.8 0 0 0 1.2.7l11-6.8a.8.8 0 0 0 0-1.4l-11-6.8A.8.8 0 0 0 8 5.2z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  replay: "M12 5V1.5L6.5 6.5 12 11.5V7.8a5.6 5.6 0 1 1-5.6 5.6H3.6A8.4 8.4 0 1 0 12 5z",
  sound: "M4 9v6h4l5 4.5v-15L8 9zM16 8.2v7.6a4.2 4.2 0 0 0 0-7.6zM16 4.1v2.1a6.2 6.2 0 0 1 0 11.6v2.1a8.2 8.2 0 0 0 0-15.8z",
  silent: "M4 9v6h4l5 4.5v-15L8 9zM21.5 9.4l-1.4-1.4-2.1 2.1L15.9 8l-1.4 1.4 2.1 2.1-2.1 2.1 1.4 1.4 2.1-2.1 2.1 2.1 1.4-1.4-2.1-2.1z",
  captions: "M4 5h16a1.5 1.5 0 0 1 1.5 1.5v11A1.5 1.5 0 0 1 20 19H4a1.5 1.5 0 0 1-1.5-1.5v-11A1.5 1.5 0 0 1 4 5zm7 5.6V10a1 1 0 0 0-1-1H7a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h3a1 1 0 0 0 1-1v-.6H9.4v.2H7.6v-3.2h1.8v.2zm7 0V10a1 1 0 0 0-1-1h-3a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h3a1 1 0 0 0 1-1v-.6h-1.6v.2h-1.8v-3.2h1.8v.2z",
  quality: "M19.4 13a7.6 7.6 0 0 0 0-2l2-1.6-2-3.4-2.4 1a7.4 7.4 0 0 0-1.7-1L15 3.5h-4L10.6 6a7.4 7.4 0 0 0-1.7 1l-2.4-1-2 3.4 2 1.6a7.6 7.6 0 0 0 0 2l-2 1.6 2 3.4 2.4-1a7.4 7.4 0 0 0 1.7 1l.4 2.5h4l.4-2.5a7.4 7.4 0 0 0 1.7-1l2.4 1 2-3.4zM13 15.2a3.2 3.2 0 1 1 0-6.4 3.2 3.2 0 0 1 0 6.4z",
  audio: "M12 3a7 7 0 0 0-7 7v7.5A2.5 2.5 0 0 0 7.5 20H9v-7H6.8v-3a5.2 5.2 0 0 1 10.4 0v3H15v7h1.5a2.5 2.5 0 0 0 2.5-2.5V10a7 7 0 0 0-7-7z",
  speed: "M12 4a9 9 0 0 0-7.4 14.2l1.7-1.2A7 7 0 1 1 17.7 17l1.7 1.2A9 9 0 0 0 12 4zm4.4 4.6-5.3 3.5a1.7 1.7 0 1 0 2.2 2.3z",
  inset: "M3 5h18v14H3zM5 7v10h14V7zM11.5 11.5H17.5V15.5H11.5z",
  note: "M9 4.6 20 2.5v13.3a3.2 3.2 0 1 1-2-3V7.3L11 8.7v9.6a3.2 3.2 0 1 1-2-3z",
  enlarge: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  mic: "M12 3a3 3 0 0 1 3 3v5.5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11.5h2a4.5 4.5 0 0 0 9 0h2a6.5 6.5 0 0 1-5.5 6.4V21h-2v-3.1a6.5 6.5 0 0 1-5.5-6.4z",
  mute: "M12 3a3 3 0 0 1 3 3v5.2L9.2 5.4A3 3 0 0 1 12 3zM4.4 3 21 19.6 19.6 21l-3.9-3.9a6.4 6.4 0 0 1-2.7.8V21h-2v-3.1a6.5 6.5 0 0 1-5.5-6.4h2a4.5 4.5 0 0 0 6.7 3.9l-1.5-1.5A3 3 0 0 1 9 11.5v-1.1L3 4.4zM18.5 11.5a6.4 6.4 0 0 1-.9 3.3l-1.5-1.5a4.4 4.4 0 0 0 .4-1.8z",
  camera: "M4.5 6h9A1.5 1.5 0 0 1 15 7.5v2.4l4.8-2.8a.8.8 0 0 1 1.2.7v8.4a.8.8 0 0 1-1.2.7L15 14.1v2.4a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6z",
  dark: "M3.4 2 22 20.6 20.6 22l-5.7-5.7a1.5 1.5 0 0 1-1.4 1.7h-9A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.2 6L2 3.4zM9 6h4.5A1.5 1.5 0 0 1 15 7.5v2.4l4.8-2.8a.8.8 0 0 1 1.2.7v8.4a.8.8 0 0 1-.5.7z",
  shrink: "M8 4h2v6H4V8h4zM14 4h2v4h4v2h-6zM4 14h6v6H8v-4H4zM14 14h6v2h-4v4h-2z",
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {IconName} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/**
 * A round button with an icon. `face` changes both later.
 * @param {IconName} name
 * @param {string} label
 * @param {() => void} press
 */
export function iconButton(name, label, press) {
  const button = make("button", { type: "button", class: "tool" });
  button.addEventListener("click", press);
  face(button, name, label);
  return button;
}

/**
 * @param {HTMLButtonElement} button
 * @param {IconName} name
 * @param {string} label
 */
export function face(button, name, label) {
  if (button.dataset.icon === name && button.title === label) return;
  button.dataset.icon = name;
  button.title = label;
  button.setAttribute("aria-label", label);
  button.replaceChildren(icon(name));
}
