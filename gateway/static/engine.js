// @ts-check
/** What source.js and the libraries behind it say to each other. */

/** @typedef {"ended" | "gone" | "paused" | "busy" | "network" | "broken" | "unsupported"} Trouble */
/** @typedef {{id: number, height: number}} Quality */
/** @typedef {{id: number, name: string}} Sound */
/** @typedef {{start: number, end: number}} Range */

/**
 * What a library does for us. `begun`: from then on the element may be told to play; it never fails. `quality` -1 is
 * automatic; `height` is that on the screen, 0 when unknown. `live`, `range`, `edge` (where a live stream is best
 * joined): null where the element says it itself. `behind`: seconds from what is shown to the newest there is; null where
 * nobody knows. `rewinds`: whether what was on the air before can be gone back to.
 * @typedef {object} Engine
 * @property {Promise<void>} begun
 * @property {Quality[]} qualities the highest first, one of each height
 * @property {number} quality
 * @property {number} height
 * @property {Sound[]} sounds
 * @property {number} sound
 * @property {boolean | null} live
 * @property {Range | null} range
 * @property {number | null} edge
 * @property {number | null} behind
 * @property {boolean} rewinds
 * @property {() => void} halt load nothing more
 * @property {() => Promise<void>} end give the element back
 */

/**
 * How a library tells us. `next`: this way is none, with what to say when there is no other.
 * @typedef {object} Tell
 * @property {() => void} changed qualities, sounds or the choice among them
 * @property {(trouble: Trouble) => void} stop
 * @property {(trouble: Trouble) => void} next
 */

/**
 * @param {number} status 0 when there was no answer
 * @returns {Trouble}
 */
export function troubleOf(status) {
  if (status === 401 || status === 403) return "ended";
  if (status === 404 || status === 410) return "gone";
  return status === 0 ? "network" : "busy";
}

/**
 * Whether this address is of another origin, where the page's policy lets nothing load from; to the libraries that is
 * a network that failed.
 * @param {unknown} address
 */
export function elsewhere(address) {
  return typeof address === "string" && URL.canParse(address, location.href) && new URL(address, location.href).origin !== location.origin;
}
