// @ts-check
/**
 * HTTP-FLV, live, by mpegts.js, which is a script of its own and brings no types.
 *
 * Why no worker: as with hls.js, the page's policy would have to allow `blob:`.
 */

import { troubleOf } from "./engine.js";

const SILENCE = 15_000; // ms without a new picture after which we ask how things are: some servers keep silent for ever
const BEHIND = 8; // seconds that a guest may be behind by the network's doing

/**
 * @param {HTMLVideoElement} video
 * @param {string} from
 * @param {number} _ a live stream has no place where to begin
 * @param {import("./engine.js").Tell} tell
 * @returns {import("./engine.js").Engine}
 */
export function playFlv(video, from, _, tell) {
  const { mpegts } = /** @type {any} */ (window);
  mpegts.LoggingControl.enableAll = false;
  const player = mpegts.createPlayer(
    { type: "flv", isLive: true, url: new URL(from, location.href).href },
    { enableWorker: false, lazyLoad: false, autoCleanupSourceBuffer: true, autoCleanupMaxBackwardDuration: 120, autoCleanupMinBackwardDuration: 60 },
  );
  let newest = 0;
  let since = performance.now();
  let over = false;

  /** What has come so far ends here. */
  const end = () => (video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) : 0);
  const watch = setInterval(() => {
    const now = end();
    if (now > newest) {
      newest = now;
      since = performance.now();
    } else if (performance.now() - since > SILENCE && !over) tell.stop("paused");
  }, 1000);

  /** @param {string} type @param {string} detail @param {any} info */
  function failed(type, detail, info) {
    if (over) return;
    if (type === mpegts.ErrorTypes.NETWORK_ERROR) {
      // A stream without an end that breaks off: whether it is over, the next look tells.
      if (detail === mpegts.ErrorDetails.NETWORK_STATUS_CODE_INVALID) tell.stop(troubleOf(info?.code ?? 0));
      else if (newest > 0) ask();
      else tell.stop("network");
    } else if (detail === mpegts.ErrorDetails.MEDIA_CODEC_UNSUPPORTED) tell.next("unsupported");
    else tell.next(newest > 0 ? "broken" : "unsupported");
  }

  /** The network says only that it broke; the gateway says why. */
  async function ask() {
    const enough = new AbortController();
    const status = await fetch(from, { cache: "no-store", signal: enough.signal }).then((answer) => answer.status, () => 0);
    enough.abort();
    if (!over) tell.stop(status >= 200 && status < 400 ? "paused" : troubleOf(status));
  }

  player.on(mpegts.Events.ERROR, failed);
  player.on(mpegts.Events.LOADING_COMPLETE, ask);
  player.on(mpegts.Events.MEDIA_INFO, tell.changed);
  player.attachMediaElement(video);
  player.load();
  const join = () => {
    if (end() - video.currentTime > BEHIND && !video.paused && video.played.length === 0) video.currentTime = end() - 1;
  };
  video.addEventListener("playing", join);

  return {
    begun: Promise.resolve(),
    qualities: [],
    quality: -1,
    get height() {
      return video.videoHeight;
    },
    sounds: [],
    sound: -1,
    live: true,
    get range() {
      return video.buffered.length > 0 ? { start: video.buffered.start(0), end: end() } : null;
    },
    get edge() {
      return newest > 0 ? Math.max(0, end() - 1) : null;
    },
    behind: null, // how old the newest was when it came, nothing in it says
    rewinds: false,
    // What stops has ended, or is silent. Unloading here would let the library fail at what it still has to say.
    halt: () => clearInterval(watch),
    end: async () => {
      over = true;
      clearInterval(watch);
      video.removeEventListener("playing", join);
      player.destroy();
    },
  };
}
