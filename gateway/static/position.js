// @ts-check
/**
 * Where a guest was in each item, kept in this browser alone and for a while. Nothing is kept for a device that is not
 * the guest's, and all of it goes when they leave.
 *
 * Scripts of the media server share this storage with us, so what stands in it may be anything: it is read as numbers.
 * Items stand there under a name that the page gives them, which tells nothing to whoever finds it.
 */

const PLACE = "gateway.positions";
const MOST = 50; // items
const KEPT = 90 * 24 * 3600; // seconds
const LEAST = 5; // seconds at the start and at the end that count as not begun and as finished

/** @returns {Map<string, [number, number]>} seconds into the item, and when that was noted */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    const since = Date.now() / 1000 - KEPT;
    return new Map(
      kept
        .filter((/** @type {any} */ one) => typeof one[0] === "string" && Number.isFinite(one[1]) && one[2] > since)
        .slice(-MOST)
        .map((/** @type {any} */ [item, seconds, noted]) => [item, [seconds, noted]]),
    );
  } catch {
    return new Map(); // no storage here, or something else in its place
  }
}

/** @param {Map<string, [number, number]>} positions the latest last */
function write(positions) {
  try {
    const kept = [...positions].slice(-MOST).map(([item, [seconds, noted]]) => [item, seconds, noted]);
    if (kept.length > 0) localStorage.setItem(PLACE, JSON.stringify(kept));
    else localStorage.removeItem(PLACE);
  } catch {
    // No room, or no storage: then it begins at the start next time.
  }
}

export function forgetPositions() {
  write(new Map());
}

/**
 * @param {string} item "" where nothing may be kept
 * @returns {number} seconds; 0 where nothing is known
 */
export function positionOf(item) {
  return Math.max(0, (item && read().get(item)?.[0]) || 0);
}

/**
 * Note where the guest is, now and then and when they go.
 * @param {string} item
 * @param {HTMLVideoElement} video
 * @param {() => boolean} live whose position means nothing tomorrow
 * @returns {() => void} forgets this item, and ends it
 */
export function keepPosition(item, video, live) {
  let last = -Infinity;
  let on = item !== "";

  function note() {
    const { currentTime, duration } = video;
    if (!on || live() || !Number.isFinite(duration) || video.readyState === 0) return;
    last = currentTime;
    const positions = read();
    positions.delete(item);
    const end = Math.min(LEAST, duration / 10);
    if (currentTime >= end && currentTime < duration - end && !video.ended) {
      positions.set(item, [Math.floor(currentTime), Math.floor(Date.now() / 1000)]);
    }
    write(positions);
  }
  video.addEventListener("timeupdate", () => {
    if (Math.abs(video.currentTime - last) >= LEAST && !video.paused) note();
  });
  for (const name of ["pause", "ended"]) video.addEventListener(name, note);
  addEventListener("pagehide", () => {
    if (video.played.length > 0) note();
  });
  return () => {
    on = false;
  };
}
