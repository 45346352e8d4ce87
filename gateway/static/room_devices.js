// @ts-check
/** The guest's own microphone and camera. Both are off until somebody presses a button. */

import { face, iconButton } from "./dom.js";

/**
 * @param {HTMLElement} root
 * @param {any} room of the library
 * @param {any} library
 * @param {import("./words.js").Words} words
 */
export function bringDevices(root, room, library, words) {
  const place = /** @type {HTMLElement} */ (root.querySelector(".own"));
  const refused = /** @type {HTMLElement} */ (root.querySelector(".refused"));
  const me = room.localParticipant;
  const able = Boolean(navigator.mediaDevices); // browsers give devices to https alone

  /** @param {"microphone" | "camera"} what @param {"mic" | "camera"} on @param {"mute" | "dark"} off */
  function device(what, on, off) {
    const has = () => (what === "camera" ? me.isCameraEnabled : me.isMicrophoneEnabled);
    const button = iconButton(off, words(`${what}.on`), async () => {
      button.disabled = true;
      refused.hidden = true;
      try {
        await (what === "camera" ? me.setCameraEnabled(!has()) : me.setMicrophoneEnabled(!has()));
      } catch {
        refused.hidden = false;
      }
      button.disabled = false;
      show();
      button.focus(); // a button that was switched off for a moment has lost it
    });
    button.classList.add(what);
    const show = () => {
      face(button, has() ? on : off, words(has() ? `${what}.off` : `${what}.on`));
      button.classList.toggle("sends", has());
    };
    return { button, show };
  }

  const devices = [device("microphone", "mic", "mute"), device("camera", "camera", "dark")];
  const event = library.RoomEvent;
  for (const name of [event.LocalTrackPublished, event.LocalTrackUnpublished, event.TrackMuted, event.TrackUnmuted])
    room.on(name, () => devices.forEach((one) => one.show()));
  place.replaceChildren(...devices.map((one) => one.button));
  place.hidden = true;
  return {
    on: () => (place.hidden = !able || !(me.permissions?.canPublish ?? true)),
    off: () => (place.hidden = refused.hidden = true),
  };
}
