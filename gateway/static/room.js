// @ts-check
/**
 * The room page: joins a LiveKit room by way of the gateway and shows who is there.
 *
 * What this page holds opens nothing: the token that it joins with is a word, and the gateway puts the real one into
 * a header. Whether somebody may send or write, that real one says; the buttons are only there where it does.
 */

import { goOnByItself } from "./onair.js";
import { bringChat } from "./room_chat.js";
import { bringDevices } from "./room_devices.js";
import { watchRoomKeys } from "./room_keys.js";
import { People } from "./room_people.js";
import { showTrouble } from "./trouble.js";

const root = /** @type {HTMLElement} */ (document.getElementById("room"));
const { src = "/rtc", may = "" } = root.dataset;
const groups = new Set(may.split(" ").filter(Boolean));

/** @type {Record<string, string>} */
const texts = JSON.parse(root.dataset.words ?? "{}");

/** @type {import("./words.js").Words} */
const words = (key, values = {}) =>
  (texts[key] ?? key).replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));

const { LivekitClient } = /** @type {any} */ (window);
const state = /** @type {HTMLElement} */ (root.querySelector(".state"));
const loud = /** @type {HTMLButtonElement} */ (root.querySelector(".loud"));
const closing = goOnByItself(true);

const WORD = "guest"; // the library wants something to stand where a token would
// The library puts its own path and query behind and beside those of the server's address.
const server = new URL(src, location.href);
server.pathname = server.pathname.replace(/\/rtc$/, "/");
// The question that the page may ask without a websocket: whether this guest could join now.
const ask = new URL(src, location.href);
ask.pathname += "/validate";
for (const [name, value] of Object.entries({ auto_subscribe: "1", sdk: "js", version: "0", protocol: "1" }))
  ask.searchParams.set(name, value);

/** @param {string} trouble @param {() => void} again */
function tell(trouble, again) {
  state.hidden = true;
  loud.hidden = true;
  const said = trouble === "elsewhere" ? (/** @type {string} */ key) => words(key === "retry" ? "here_instead" : key) : words;
  showTrouble(root, said, trouble, again);
}

/** What became of it, by what the gateway says now. @returns {Promise<string>} */
async function standing() {
  const status = await fetch(ask, { cache: "no-store" }).then((answer) => answer.status, () => 0);
  if (status === 403 || status === 410) return "ended";
  if (status === 404) return "closed";
  if (status === 0) return "network";
  return status < 300 ? "" : "busy";
}

function join() {
  showTrouble(root, words, null, join);
  const { DisconnectReason, Room, RoomEvent, setLogLevel } = LivekitClient;
  setLogLevel("silent"); // it would say addresses on the console
  const room = new Room({ adaptiveStream: true, dynacast: true });
  const people = new People(root, room, LivekitClient, words);
  const chat = groups.has("chat") ? bringChat(room, LivekitClient, words) : null;
  const devices = groups.has("present") ? bringDevices(root, room, LivekitClient, words) : null;
  let over = false;

  /** @param {string} text */
  const say = (text) => {
    state.textContent = text;
    state.hidden = text === "";
  };

  /** @param {number | undefined} reason */
  async function ended(reason) {
    if (over) return;
    over = true;
    say("");
    people.clear();
    chat?.off();
    devices?.off();
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) return tell("elsewhere", join);
    const now = await standing();
    if (now === "closed" || (now === "" && closed(reason))) {
      closing("gone"); // the page that waits, or the one that says that it is over, by what the gateway knows
      return tell("closed", join);
    }
    if (now === "" && reason === DisconnectReason.PARTICIPANT_REMOVED) return tell("removed", join);
    return tell(now || "network", join);
  }

  /** @param {number | undefined} reason */
  const closed = (reason) => reason === DisconnectReason.ROOM_DELETED || reason === DisconnectReason.ROOM_CLOSED;

  room
    .on(RoomEvent.SignalReconnecting, () => say(words("reconnecting")))
    .on(RoomEvent.Reconnecting, () => say(words("reconnecting")))
    .on(RoomEvent.Reconnected, () => say(""))
    .on(RoomEvent.AudioPlaybackStatusChanged, () => (loud.hidden = room.canPlaybackAudio))
    .on(RoomEvent.Disconnected, ended);
  loud.onclick = () => room.startAudio();

  say(words("joining"));
  room.connect(server.href, WORD, { maxRetries: 1 }).then(
    () => {
      say("");
      people.show();
      chat?.on();
      devices?.on();
    },
    () => ended(undefined),
  );
}

if (LivekitClient?.isBrowserSupported?.() ?? Boolean(LivekitClient && typeof RTCPeerConnection === "function")) {
  watchRoomKeys(root);
  join();
} else tell("unsupported", () => location.reload());
