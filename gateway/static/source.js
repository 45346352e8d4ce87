// @ts-check
/**
 * Brings a stream into the video element: a library where it works (hls.js, Shaka Player for DASH, mpegts.js for FLV),
 * WebRTC by WHEP, else the browser's own HLS, else the plain file. What goes wrong is told as one of a few words.
 *
 * Why hls.js first: Chromium has native HLS, which was broken for some streams in several versions.
 */

import { troubleOf } from "./engine.js";
import { playFlv } from "./with_flv.js";
import { playHls } from "./with_hls.js";
import { playDash } from "./with_shaka.js";
import { playWhep } from "./with_whep.js";

/** @typedef {import("./engine.js").Trouble} Trouble */
/** @typedef {import("./engine.js").Engine} Engine */
/** @typedef {import("./engine.js").Range} Range */
/** @typedef {import("./engine.js").Sound} Sound */
/** @typedef {{src: string, as: string, file: string}} MediaPlace */
/** @typedef {(trouble: Trouble | null) => void} Report */

const HLS_TYPE = "application/vnd.apple.mpegurl";
const AUTO = -1;

/** @typedef {{by: "hls.js" | "shaka" | "mpegts" | "whep" | "browser", from: string}} Way */

/**
 * @param {HTMLVideoElement} video
 * @param {MediaPlace} place
 * @param {Report} report
 * @param {number} at seconds, where to begin
 */
export function openMedia(video, place, report, at = 0) {
  return new Media(video, place, report, at);
}

export class Media extends EventTarget {
  /**
   * Sends `change` when qualities or sound tracks are other than before.
   * @param {HTMLVideoElement} video
   * @param {MediaPlace} place
   * @param {Report} report
   * @param {number} at
   */
  constructor(video, place, report, at) {
    super();
    this.video = video;
    this.place = place;
    this.report = report;
    /** @type {Engine | null} */
    this.engine = null;
    this.stopped = false;
    this.opened = 0;
    /** @type {Promise<unknown>} */
    this.closing = Promise.resolve();
    this.at = at;
    /** @type {Way[]} */
    this.ways = waysFor(video, place);
    for (const source of video.querySelectorAll("source")) source.remove();
    video.addEventListener("error", () => this.browserFailed());
    /** @type {Promise<unknown>} */
    this.begin = this.open(at, false);
  }

  /** From the start of the list of ways, at the place where it stopped. */
  retry() {
    this.ways = waysFor(this.video, this.place);
    this.open(this.at, true);
  }

  /** Start or go on. Browsers refuse to start by themselves with sound; then the big button stays. */
  async play() {
    const turn = this.opened;
    await this.begin;
    await this.engine?.begun;
    if (turn === this.opened && !this.stopped) await this.video.play().catch(() => undefined);
  }

  /**
   * To the start. Until something was played, a library may still be on its way to where it was told to begin, and
   * goes there in spite of a seek: then it begins anew.
   */
  toStart() {
    if (this.engine && this.video.played.length === 0) this.open(0, false);
    else this.video.currentTime = 0;
  }

  /**
   * @param {number} at seconds
   * @param {boolean} play
   */
  async open(at, play) {
    const turn = ++this.opened;
    this.at = at;
    this.stopped = false;
    this.report(null);
    await this.close();
    if (turn !== this.opened) return;
    const way = this.ways[0];
    if (way === undefined) {
      this.stop("unsupported");
      return;
    }
    if (way.by === "browser") {
      this.video.preload = "metadata";
      this.video.src = way.from;
      if (at > 0) this.video.addEventListener("loadedmetadata", () => (this.video.currentTime = at), { once: true });
    } else {
      // What a library says after its turn is about something that is over.
      const mine = () => turn === this.opened;
      this.engine = { shaka: playDash, mpegts: playFlv, whep: playWhep, "hls.js": playHls }[way.by](this.video, way.from, at, {
        changed: () => mine() && this.dispatchEvent(new Event("change")),
        stop: (trouble) => mine() && this.stop(trouble),
        next: (trouble) => mine() && this.nextWay(trouble),
      });
    }
    if (play) this.play();
    this.dispatchEvent(new Event("change"));
  }

  async browserFailed() {
    if (this.engine || this.stopped || !this.video.getAttribute("src")) return;
    const code = this.video.error?.code ?? 0;
    if (code === MediaError.MEDIA_ERR_ABORTED) return;
    const turn = this.opened;
    const status = await statusOf(this.video.currentSrc || this.video.src);
    if (turn !== this.opened) return;
    if (status < 200 || status >= 400) this.stop(troubleOf(status));
    else if (code === MediaError.MEDIA_ERR_NETWORK) this.stop("network");
    else this.nextWay(code === MediaError.MEDIA_ERR_DECODE ? "broken" : "unsupported");
  }

  /** @param {Trouble} trouble what to say when there is no other way */
  nextWay(trouble) {
    if (this.stopped) return;
    this.ways.shift();
    if (this.ways.length === 0) this.stop(trouble);
    else this.open(this.video.currentTime, !this.video.paused);
  }

  /** @param {Trouble} trouble */
  stop(trouble) {
    if (this.stopped) return;
    this.stopped = true;
    this.at = this.video.currentTime || this.at;
    this.video.pause();
    this.engine?.halt();
    this.report(trouble);
  }

  async close() {
    const engine = this.engine;
    this.engine = null;
    // One that ends takes its time, and the next must not have the element before.
    this.closing = Promise.all([this.closing, engine?.end()]);
    await this.closing;
    if (this.video.getAttribute("src")) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  get qualities() {
    return this.engine?.qualities ?? [];
  }

  /** The chosen quality; -1 is automatic. */
  get quality() {
    return this.engine?.quality ?? AUTO;
  }

  set quality(id) {
    if (this.engine) this.engine.quality = id;
    this.dispatchEvent(new Event("change"));
  }

  /** Height of what is on the screen, 0 when unknown. */
  get height() {
    return this.engine?.height ?? 0;
  }

  get live() {
    return this.engine?.live ?? this.video.duration === Infinity;
  }

  /** Where one can be: a live stream has a moving window, all else runs from 0 to its length. @returns {Range} */
  get range() {
    const { seekable, duration } = this.video;
    if (this.engine?.range) return this.engine.range;
    if (this.live && seekable.length > 0) return { start: seekable.start(0), end: seekable.end(seekable.length - 1) };
    return { start: 0, end: Number.isFinite(duration) ? duration : 0 };
  }

  /** Where a live stream is best joined, in seconds; null when nobody knows. @returns {number | null} */
  get liveEdge() {
    return this.engine?.edge ?? null;
  }

  /** How far what is shown is behind the newest there is, in seconds; null when nobody knows. @returns {number | null} */
  get behind() {
    if (!this.live) return null;
    return this.engine ? this.engine.behind : Math.max(0, this.range.end - this.video.currentTime);
  }

  /** Whether what was on the air before can be gone back to. */
  get rewinds() {
    return this.engine?.rewinds ?? true;
  }

  /** @returns {Sound[]} */
  get sounds() {
    return this.engine?.sounds ?? [];
  }

  get sound() {
    return this.engine?.sound ?? AUTO;
  }

  set sound(id) {
    if (this.engine) this.engine.sound = id;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The element does not say what was answered, so ask once more and look. With GET, since what sends without end often
 * takes nothing else, and no more than the head of the answer.
 * @param {string} address
 */
async function statusOf(address) {
  const enough = new AbortController();
  const options = { headers: { Range: "bytes=0-0" }, cache: /** @type {const} */ ("no-store"), signal: enough.signal };
  const status = await fetch(address, options).then((answer) => answer.status, () => 0);
  enough.abort();
  return status;
}

/**
 * @param {HTMLVideoElement} video
 * @param {MediaPlace} place
 * @returns {Way[]}
 */
function waysFor(video, { src, as, file }) {
  /** @type {Way[]} */
  const ways = [];
  const { Hls, shaka, mpegts } = /** @type {any} */ (window);
  if (as === "hls") {
    if (Hls?.isSupported()) ways.push({ by: "hls.js", from: src });
    else if (video.canPlayType(HLS_TYPE)) ways.push({ by: "browser", from: src });
  } else if (as === "dash") {
    if (shaka?.Player.isBrowserSupported()) ways.push({ by: "shaka", from: src });
  } else if (as === "whep") {
    if (typeof RTCPeerConnection === "function") ways.push({ by: "whep", from: src });
  } else if (as === "flv") {
    if (mpegts?.isSupported()) ways.push({ by: "mpegts", from: src });
  } else ways.push({ by: "browser", from: src });
  if (file) ways.push({ by: "browser", from: file });
  return ways;
}
