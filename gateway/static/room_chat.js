// @ts-check
/** Writing to everybody in the room. What is said before somebody comes they do not get: the server keeps nothing. */

import { make } from "./dom.js";

const TOPIC = "lk.chat"; // where LiveKit's own pages write and read
const LONGEST = 4000; // characters of one message that are shown
const KEPT = 300; // messages

/**
 * @param {any} room of the library
 * @param {any} library
 * @param {import("./words.js").Words} words
 */
export function bringChat(room, library, words) {
  const place = /** @type {HTMLElement} */ (document.querySelector(".talk"));
  const said = /** @type {HTMLElement} */ (place.querySelector(".said"));
  const form = /** @type {HTMLFormElement} */ (place.querySelector("form"));
  const typed = /** @type {HTMLInputElement} */ (form.querySelector("input"));
  const send = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  const failed = /** @type {HTMLElement} */ (place.querySelector(".failed"));
  const clock = new Intl.DateTimeFormat(document.documentElement.dataset.intl || document.documentElement.lang, {
    timeStyle: "short",
  });

  /** @param {string} who @param {string} text @param {boolean} mine */
  function show(who, text, mine) {
    const below = said.scrollHeight - said.scrollTop - said.clientHeight < 60;
    place.querySelector(".empty")?.remove();
    const head = make("p", { class: "who" }, make("bdi", {}, who), make("time", {}, clock.format(new Date())));
    said.append(make("div", { class: mine ? "one mine" : "one" }, head, make("p", { class: "text", dir: "auto" }, text)));
    while (said.children.length > KEPT) said.firstElementChild?.remove();
    if (below || mine) said.scrollTop = said.scrollHeight;
  }

  /** @param {any} person */
  const nameOf = (person) => person?.name || words("unnamed");

  room.registerTextStreamHandler(TOPIC, async (/** @type {any} */ stream, /** @type {{identity: string}} */ from) => {
    let text = "";
    for await (const piece of stream) {
      if (text.length < LONGEST) text += piece;
    }
    const person = room.remoteParticipants.get(from.identity);
    if (person && text) show(nameOf(person), text.slice(0, LONGEST), false);
  });
  room.on(library.RoomEvent.ChatMessage, (/** @type {{message: string}} */ one, /** @type {any} */ person) => {
    if (person && person !== room.localParticipant) show(nameOf(person), String(one.message).slice(0, LONGEST), false);
  });

  form.onsubmit = async (event) => {
    event.preventDefault();
    const text = typed.value.trim();
    if (!text) return;
    send.disabled = true;
    failed.hidden = true;
    try {
      await room.localParticipant.sendText(text, { topic: TOPIC });
      show(nameOf(room.localParticipant), text, true);
      typed.value = "";
    } catch {
      failed.hidden = false;
    }
    send.disabled = false;
  };

  /** @param {boolean} can */
  const open = (can) => {
    typed.disabled = send.disabled = !can;
  };
  open(false);
  return { on: () => open(room.localParticipant.permissions?.canPublishData ?? true), off: () => open(false) };
}
