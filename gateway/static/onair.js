// @ts-check
/**
 * A live item that is not there any more may be over or pause. Whether it is, the gateway knows better than a player:
 * the page is loaded anew, and is then the one that waits, the one that says why not, or this one with the stream.
 */

const LEAST = 10_000; // ms that a page stays: a stream that stops at once must not become a page that blinks
const SPREAD = 2000; // ms over which those come who have seen the same end

/**
 * @param {boolean} begins the gateway knows of a beginning: what is not there may come back
 * @returns {(trouble: import("./engine.js").Trouble) => import("./engine.js").Trouble} what to say of a trouble
 */
export function goOnByItself(begins) {
  let going = false;
  return (trouble) => {
    if (trouble !== "paused" && !(begins && trouble === "gone")) return trouble;
    if (!going) setTimeout(() => location.reload(), Math.max(1000, LEAST - performance.now()) + Math.random() * SPREAD);
    going = true;
    return "paused";
  };
}
