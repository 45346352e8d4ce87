// @ts-check
/** What the system shows on its lock screen and its media keys: the title alone, no picture and no address. */

/**
 * @param {HTMLVideoElement} video
 * @param {string} title
 * @param {import("./controls.js").Controls} controls
 * @param {() => void} play
 */
export function tellSystem(video, title, controls, play) {
  const { mediaSession } = navigator;
  if (!mediaSession || typeof MediaMetadata === "undefined") return;
  mediaSession.metadata = new MediaMetadata({ title });
  /** @type {Record<string, (details: MediaSessionActionDetails) => void>} */
  const actions = {
    play,
    pause: () => video.pause(),
    seekbackward: ({ seekOffset }) => controls.seekBy(-(seekOffset ?? 10)),
    seekforward: ({ seekOffset }) => controls.seekBy(seekOffset ?? 10),
    seekto: ({ seekTime }) => controls.seekBy((seekTime ?? video.currentTime) - video.currentTime),
  };
  for (const [name, action] of Object.entries(actions)) {
    try {
      mediaSession.setActionHandler(/** @type {MediaSessionAction} */ (name), action);
    } catch {
      // A browser that does not know this one.
    }
  }
}
