// @ts-check
/**
 * Brings a stream into the video element: hls.js where it works, else the browser's own HLS, else the
 * plain file. What goes wrong is told as one of a few words.
 *
 * Why hls.js first: Chromium has native HLS, which was broken for some streams in several versions.
 * Why no worker: it would need `worker-src blob:` in the page's policy, and transmuxing a guest's one
 * stream on the main thread costs next to nothing.
 */

/** @typedef {"ended" | "gone" | "busy" | "network" | "broken" | "unsupported"} Trouble */
/** @typedef {{src: string, as: string, file: string}} MediaPlace */
/** @typedef {{id: number, height: number}} Quality */
/** @typedef {{id: number, name: string}} Sound */
/** @typedef {(trouble: Trouble | null) => void} Report */

const HLS_TYPE = "application/vnd.apple.mpegurl";
const AUTO = -1;

/** @typedef {"hls.js" | "native" | "file"} Way */

/**
 * @param {HTMLVideoElement} video
 * @param {MediaPlace} place
 * @param {Report} report
 */
export function openMedia(video, place, report) {
  return new Media(video, place, report);
}

export class Media extends EventTarget {
  /**
   * Sends `change` when qualities or sound tracks are other than before.
   * @param {HTMLVideoElement} video
   * @param {MediaPlace} place
   * @param {Report} report
   */
  constructor(video, place, report) {
    super();
    this.video = video;
    this.place = place;
    this.report = report;
    /** @type {any} hls.js, which is a script of its own and brings no types */
    this.hls = null;
    this.recovered = 0;
    this.stopped = false;
    /** @type {Way[]} */
    this.ways = waysFor(video, place);
    for (const source of video.querySelectorAll("source")) source.remove();
    video.addEventListener("error", () => this.nativeFailed());
    this.open(0, false);
  }

  /** From the start of the list of ways, at the place where it stopped. */
  retry() {
    this.ways = waysFor(this.video, this.place);
    this.recovered = 0;
    this.open(this.video.currentTime, true);
  }

  /**
   * @param {number} at seconds
   * @param {boolean} play
   */
  open(at, play) {
    this.close();
    this.stopped = false;
    this.report(null);
    const way = this.ways[0];
    if (way === undefined) {
      this.stop("unsupported");
      return;
    }
    if (way === "hls.js") this.openHls(at);
    else {
      this.video.preload = "metadata";
      this.video.src = way === "file" && this.place.file ? this.place.file : this.place.src;
      if (at > 0) this.video.addEventListener("loadedmetadata", () => (this.video.currentTime = at), { once: true });
    }
    // Browsers refuse to start by themselves with sound; then the big button stays.
    if (play) this.video.play().catch(() => undefined);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} at */
  openHls(at) {
    const Hls = hlsJs();
    const hls = new Hls({
      enableWorker: false,
      liveDurationInfinity: true,
      capLevelToPlayerSize: true,
      startPosition: at > 0 ? at : -1,
      backBufferLength: 60,
    });
    this.hls = hls;
    const changed = () => this.dispatchEvent(new Event("change"));
    hls.on(Hls.Events.MANIFEST_PARSED, changed);
    hls.on(Hls.Events.LEVEL_SWITCHED, changed);
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, changed);
    hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, changed);
    hls.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {any} */ data) => this.hlsFailed(Hls, data));
    hls.loadSource(this.place.src);
    hls.attachMedia(this.video);
  }

  /**
   * @param {any} Hls
   * @param {any} data
   */
  hlsFailed(Hls, data) {
    const status = data.response?.code ?? 0;
    const captions = data.frag?.type === "subtitle" || String(data.details).startsWith("subtitle");
    if (refused(status) && !captions) {
      // Known at the first refused piece; trying the other qualities would only be refused again.
      this.stop("ended");
      return;
    }
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && data.details !== Hls.ErrorDetails.MANIFEST_PARSING_ERROR) {
      this.stop(troubleOf(status));
      return;
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && data.details !== Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      if (this.recovered < 2) {
        this.recovered += 1;
        this.hls.recoverMediaError();
        return;
      }
      this.nextWay("broken");
      return;
    }
    this.nextWay("unsupported");
  }

  async nativeFailed() {
    if (this.hls || this.stopped || !this.video.getAttribute("src")) return;
    const code = this.video.error?.code ?? 0;
    if (code === MediaError.MEDIA_ERR_ABORTED) return;
    // The element does not say what was answered, so ask once more and look.
    const address = this.video.currentSrc || this.video.src;
    const status = await fetch(address, { method: "HEAD", cache: "no-store" }).then((answer) => answer.status, () => 0);
    if (status < 200 || status >= 400) this.stop(refused(status) ? "ended" : troubleOf(status));
    else if (code === MediaError.MEDIA_ERR_NETWORK) this.stop("network");
    else this.nextWay(code === MediaError.MEDIA_ERR_DECODE ? "broken" : "unsupported");
  }

  /** @param {Trouble} trouble what to say when there is no other way */
  nextWay(trouble) {
    this.ways.shift();
    if (this.ways.length === 0) this.stop(trouble);
    else this.open(this.video.currentTime, !this.video.paused);
  }

  /** @param {Trouble} trouble */
  stop(trouble) {
    if (this.stopped) return;
    this.stopped = true;
    this.video.pause();
    this.hls?.stopLoad();
    this.report(trouble);
  }

  close() {
    this.hls?.destroy();
    this.hls = null;
    if (this.video.getAttribute("src")) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  /** The best level of each height, the highest first. @returns {Quality[]} */
  get qualities() {
    /** @type {Map<number, Quality & {bitrate: number}>} */
    const best = new Map();
    for (const [id, level] of (this.hls?.levels ?? []).entries()) {
      const known = best.get(level.height);
      if (level.height && (!known || known.bitrate < level.bitrate)) {
        best.set(level.height, { id, height: level.height, bitrate: level.bitrate });
      }
    }
    return [...best.values()].sort((one, other) => other.height - one.height);
  }

  /** The chosen quality; -1 is automatic. */
  get quality() {
    return this.hls?.manualLevel ?? AUTO;
  }

  set quality(id) {
    if (this.hls) this.hls.nextLevel = id;
    this.dispatchEvent(new Event("change"));
  }

  /** Height of what is on the screen, 0 when unknown. */
  get height() {
    return this.hls?.levels?.[this.hls.currentLevel]?.height ?? 0;
  }

  /** Where a live stream is best joined, in seconds; null when nobody knows. @returns {number | null} */
  get liveEdge() {
    return this.hls?.liveSyncPosition ?? null;
  }

  /** @returns {Sound[]} */
  get sounds() {
    return (this.hls?.audioTracks ?? []).map((/** @type {any} */ track, /** @type {number} */ id) => ({
      id,
      name: track.name || track.lang || "",
    }));
  }

  get sound() {
    return this.hls?.audioTrack ?? AUTO;
  }

  set sound(id) {
    if (this.hls) this.hls.audioTrack = id;
  }
}

/** @returns {any} */
function hlsJs() {
  return /** @type {any} */ (window).Hls;
}

/**
 * @param {HTMLVideoElement} video
 * @param {MediaPlace} place
 * @returns {Way[]}
 */
function waysFor(video, place) {
  /** @type {Way[]} */
  const ways = [];
  if (place.as === "hls") {
    if (hlsJs()?.isSupported()) ways.push("hls.js");
    else if (video.canPlayType(HLS_TYPE)) ways.push("native");
  }
  if (place.file || place.as === "file") ways.push("file");
  return ways;
}

/** @param {number} status */
const refused = (status) => status === 401 || status === 403;

/**
 * @param {number} status 0 when there was no answer
 * @returns {Trouble}
 */
function troubleOf(status) {
  if (status === 404 || status === 410) return "gone";
  return status === 0 ? "network" : "busy";
}
