// @ts-check
/**
 * Live streams by WebRTC: one offer by POST, the server's answer, and sound and picture come by UDP (WHEP). Nothing is
 * loaded for it, since browsers can do this.
 *
 * Why all addresses stand in the offer: servers differ in how they take them later, and a page waits a moment for
 * its own at most. No helper is asked for addresses: what is not in this page's policy is not asked.
 */

import { troubleOf } from "./engine.js";

const GATHERING = 1500; // ms that an offer waits for this browser's own addresses
const AWAY = 3000; // ms in which a connection that was lost may come back by itself
const FIRST = 15_000; // ms until sound or picture must have come

/**
 * @param {HTMLVideoElement} video
 * @param {string} from
 * @param {number} _at what is live has no beginning
 * @param {import("./engine.js").Tell} tell
 * @returns {import("./engine.js").Engine}
 */
export function playWhep(video, from, _at, tell) {
  const line = new RTCPeerConnection();
  const stream = new MediaStream();
  /** @type {string | null} */
  let session = null;
  let over = false;
  let came = false;
  let timer = 0;

  /** Nothing comes any more. Whether the guest may still be here, the answer to their good-bye tells. */
  async function lost() {
    if (over) return;
    const status = await bye();
    if (over) return;
    const trouble = status >= 200 && status < 300 ? "gone" : troubleOf(status);
    // What never came is more likely a network without UDP than a stream that is gone.
    tell.stop(trouble === "gone" && !came ? "network" : trouble);
  }

  /** @param {number} wait */
  function lostAfter(wait) {
    clearTimeout(timer);
    timer = setTimeout(lost, wait);
  }

  line.ontrack = ({ track }) => {
    stream.addTrack(track);
    if (video.srcObject !== stream) video.srcObject = stream;
  };
  line.onconnectionstatechange = () => {
    if (over) return;
    if (line.connectionState === "connected") {
      came = true;
      clearTimeout(timer);
      tell.changed();
    } else if (line.connectionState === "disconnected") lostAfter(AWAY);
    else if (line.connectionState === "failed" || line.connectionState === "closed") lost();
  };

  async function begin() {
    for (const kind of ["video", "audio"]) line.addTransceiver(kind, { direction: "recvonly" });
    await line.setLocalDescription();
    await gathered(line);
    const answer = await fetch(from, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: line.localDescription?.sdp ?? "",
      cache: "no-store",
    }).catch(() => null);
    session = answer?.headers.get("Location") ?? null;
    if (over) return void bye();
    if (!answer || answer.status !== 201) return tell.stop(troubleOf(answer?.status ?? 0));
    lostAfter(FIRST);
    await line.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  /**
   * The server is told that nobody looks any more; also by a page that is being closed.
   * @returns {Promise<number>} what it answers, 0 for nothing
   */
  async function bye() {
    const ours = session;
    session = null;
    return ours ? fetch(ours, { method: "DELETE", keepalive: true }).then((answer) => answer.status, () => 0) : 0;
  }

  function halt() {
    over = true;
    clearTimeout(timer);
    removeEventListener("pagehide", halt);
    line.close();
    bye();
  }

  addEventListener("pagehide", halt);
  const begun = begin().catch(() => {
    if (!over) tell.next("unsupported");
  });

  return {
    begun,
    qualities: [],
    quality: -1,
    get height() {
      return video.videoHeight;
    },
    sounds: [],
    sound: -1,
    live: true,
    range: null,
    edge: null,
    behind: null,
    rewinds: false,
    halt,
    end: async () => {
      halt();
      video.srcObject = null;
    },
  };
}

/** @param {RTCPeerConnection} line */
async function gathered(line) {
  if (line.iceGatheringState === "complete") return;
  await new Promise((done) => {
    setTimeout(done, GATHERING);
    line.addEventListener("icegatheringstatechange", () => line.iceGatheringState === "complete" && done(undefined));
  });
}
