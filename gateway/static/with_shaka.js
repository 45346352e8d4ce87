// @ts-check
/**
 * DASH by Shaka Player, which is a script of its own and brings no types.
 *
 * Its captions are tracks of the video element, as all others of this page: it follows their modes.
 */

import { elsewhere, troubleOf } from "./engine.js";
import { languageName } from "./language.js";

const DASH_TYPE = "application/dash+xml";
const AUTO = -1;

/**
 * @param {HTMLVideoElement} video
 * @param {string} from
 * @param {number} at
 * @param {import("./engine.js").Tell} tell
 * @returns {import("./engine.js").Engine}
 */
export function playDash(video, from, at, tell) {
  const { shaka } = /** @type {any} */ (window);
  const { Code, Category, Severity } = shaka.util.Error;
  const player = new shaka.Player();
  let over = false;
  /** The height that was chosen; a choice outlives a change of the sound track. */
  let chosen = AUTO;

  player.configure({
    abr: { restrictToElementSize: true },
    streaming: { bufferBehind: 60, ignoreTextStreamFailures: true },
  });

  /** @param {any} error */
  function failed(error) {
    if (over || error.code === Code.LOAD_INTERRUPTED || error.code === Code.OPERATION_ABORTED) return;
    if (error.severity !== Severity.CRITICAL) return;
    if (error.category === Category.NETWORK) {
      const status = error.code === Code.BAD_HTTP_STATUS ? error.data[1] : 0;
      if (elsewhere(error.data?.[0])) tell.next("unsupported");
      else tell.stop(troubleOf(status));
      return;
    }
    // TEXT: the manifest is no text, since captions that fail are left out.
    const unknown = [Category.MANIFEST, Category.DRM, Category.TEXT].includes(error.category);
    tell.next(unknown ? "unsupported" : "broken");
  }

  player.addEventListener("error", (/** @type {any} */ event) => failed(event.detail));
  // Known at the first refused piece; it would try the other qualities first, only to be refused again.
  player.addEventListener("downloadfailed", (/** @type {any} */ event) => {
    const captions = event.context?.stream?.type === "text";
    if (!captions && troubleOf(event.httpResponseCode ?? 0) === "ended") tell.stop("ended");
  });
  for (const name of ["trackschanged", "audiotrackschanged", "adaptation", "variantchanged", "audiotrackchanged"]) {
    player.addEventListener(name, tell.changed);
  }

  const begun = player
    .attach(video)
    .then(() => player.load(from, at > 0 ? at : null, DASH_TYPE))
    .then(tell.changed, failed);

  /** The best of each height, the highest first. @returns {any[]} */
  function pictures() {
    /** @type {Map<number, any>} */
    const best = new Map();
    for (const track of player.getVideoTracks()) {
      const known = best.get(track.height);
      if (track.height && (!known || known.bandwidth < track.bandwidth)) best.set(track.height, track);
    }
    return [...best.values()].sort((one, other) => other.height - one.height);
  }

  function keepChoice() {
    const track = pictures().find(({ height }) => height === chosen);
    player.configure({ abr: { enabled: !track } });
    if (track) player.selectVideoTrack(track, true, 2);
  }

  return {
    begun,
    get qualities() {
      return pictures().map(({ height }) => ({ id: height, height }));
    },
    get quality() {
      return chosen;
    },
    set quality(height) {
      chosen = height;
      keepChoice();
    },
    get height() {
      return video.videoHeight;
    },
    get sounds() {
      return player.getAudioTracks().map((/** @type {any} */ track, /** @type {number} */ id) => ({
        id,
        name: track.label || languageName(track.language),
      }));
    },
    get sound() {
      return player.getAudioTracks().findIndex((/** @type {any} */ track) => track.active);
    },
    set sound(id) {
      const track = player.getAudioTracks()[id];
      if (!track) return;
      player.selectAudioTrack(track);
      if (chosen !== AUTO) keepChoice();
    },
    get live() {
      return player.isLive();
    },
    get range() {
      return player.isLive() ? player.seekRange() : null;
    },
    get edge() {
      return player.isLive() ? player.seekRange().end : null;
    },
    get behind() {
      return player.isLive() ? Math.max(0, player.seekRange().end - video.currentTime) : null;
    },
    rewinds: true,
    halt: () => void player.unload().catch(() => undefined),
    end: () => {
      over = true;
      return player.destroy().catch(() => undefined);
    },
  };
}
