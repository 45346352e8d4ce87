// @ts-check
/**
 * HLS by hls.js, which is a script of its own and brings no types.
 *
 * Why no worker: it would need `worker-src blob:` in the page's policy, and transmuxing a guest's one
 * stream on the main thread costs next to nothing.
 */

import { elsewhere, troubleOf } from "./engine.js";

const CATCH_UP = 1.1;
const SILENCE = 15_000; // ms in which a live playlist tells of nothing new, after which we ask how things are

/**
 * @param {HTMLVideoElement} video
 * @param {string} from
 * @param {number} at
 * @param {import("./engine.js").Tell} tell
 * @returns {import("./engine.js").Engine}
 */
export function playHls(video, from, at, tell) {
  const { Hls } = /** @type {any} */ (window);
  const hls = new Hls({
    enableWorker: false,
    liveDurationInfinity: true,
    capLevelToPlayerSize: true,
    startPosition: at > 0 ? at : -1,
    backBufferLength: 60,
    lowLatencyMode: true, // where the playlist has parts
  });
  let recovered = 0;
  let newest = 0;
  let since = performance.now();

  /** @param {any} data */
  function failed(data) {
    const status = data.response?.code ?? 0;
    const captions = data.frag?.type === "subtitle" || String(data.details).startsWith("subtitle");
    if (troubleOf(status) === "ended" && !captions) {
      // Known at the first refused piece; trying the other qualities would only be refused again.
      tell.stop("ended");
      return;
    }
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && data.details !== Hls.ErrorDetails.MANIFEST_PARSING_ERROR) {
      if (elsewhere(data.frag?.url ?? data.url)) tell.next("unsupported");
      else tell.stop(troubleOf(status));
      return;
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && data.details !== Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      if (recovered < 2) {
        recovered += 1;
        hls.recoverMediaError();
        return;
      }
      tell.next("broken");
      return;
    }
    tell.next("unsupported");
  }

  /**
   * Some servers give out the last playlist for as long as it is asked for. Asked at each of its answers and not by a
   * clock: who comes back to a machine that slept hears first what there is.
   * @param {any} details
   */
  function silent({ live, edge, targetduration }) {
    if (live && Math.abs(edge - newest) < 0.001) {
      if (performance.now() - since > Math.max(SILENCE, 3000 * targetduration)) tell.stop("paused");
      return;
    }
    newest = edge;
    since = performance.now();
  }

  const { MANIFEST_PARSED, LEVEL_SWITCHED, AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHED, LEVEL_UPDATED, ERROR } = Hls.Events;
  for (const name of [MANIFEST_PARSED, LEVEL_SWITCHED, AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHED]) hls.on(name, tell.changed);
  // A stream of parts is for being close to what happens: who fell behind by a stutter catches up, a little faster. All
  // others keep their pace, and whoever has gone back does too.
  hls.on(LEVEL_UPDATED, (/** @type {string} */ _, /** @type {any} */ { details }) => {
    hls.config.maxLiveSyncPlaybackRate = details.partTarget ? CATCH_UP : 1;
    silent(details);
  });
  hls.on(ERROR, (/** @type {string} */ _, /** @type {any} */ data) => failed(data));
  hls.loadSource(from);
  hls.attachMedia(video);

  return {
    begun: Promise.resolve(),
    get qualities() {
      /** The best level of each height @type {Map<number, import("./engine.js").Quality & {bitrate: number}>} */
      const best = new Map();
      for (const [id, { height, bitrate }] of (hls.levels ?? []).entries()) {
        const known = best.get(height);
        if (height && (!known || known.bitrate < bitrate)) best.set(height, { id, height, bitrate });
      }
      return [...best.values()].sort((one, other) => other.height - one.height);
    },
    get quality() {
      return hls.manualLevel;
    },
    set quality(id) {
      hls.nextLevel = id;
    },
    get height() {
      return hls.levels?.[hls.currentLevel]?.height ?? 0;
    },
    get sounds() {
      return (hls.audioTracks ?? []).map((/** @type {any} */ track, /** @type {number} */ id) => ({ id, name: track.name || track.lang || "" }));
    },
    get sound() {
      return hls.audioTrack;
    },
    set sound(id) {
      hls.audioTrack = id;
    },
    live: null,
    range: null,
    get edge() {
      return hls.liveSyncPosition;
    },
    get behind() {
      const { live, edge, age } = hls.latestLevelDetails ?? { live: false, edge: 0, age: 0 };
      return live ? Math.max(0, edge + age - video.currentTime) : null;
    },
    rewinds: true,
    halt: () => hls.stopLoad(),
    end: async () => hls.destroy(),
  };
}
