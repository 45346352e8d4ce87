// @ts-check
/** Who is in the room: a tile for each person, and one for each screen that is shown. Sound plays by itself. */

import { icon, make } from "./dom.js";

/** @typedef {import("./words.js").Words} Words */

export class People {
  /**
   * @param {HTMLElement} root
   * @param {any} room of the library
   * @param {any} library
   * @param {Words} words
   */
  constructor(root, room, library, words) {
    this.root = root;
    this.room = room;
    this.words = words;
    this.sources = library.Track.Source;
    this.list = /** @type {HTMLElement} */ (root.querySelector(".people"));
    this.alone = /** @type {HTMLElement} */ (root.querySelector(".alone"));
    this.count = /** @type {HTMLElement} */ (document.querySelector(".here"));
    this.sounds = /** @type {HTMLElement} */ (root.querySelector(".sounds"));
    /** @type {Map<string, Tile>} by identity, with `/screen` behind it */
    this.tiles = new Map();
    const event = library.RoomEvent;
    const again = () => this.show();
    for (const name of [
      event.ParticipantConnected, event.ParticipantDisconnected, event.ParticipantNameChanged, event.TrackMuted,
      event.TrackUnmuted, event.TrackUnpublished, event.LocalTrackPublished, event.LocalTrackUnpublished,
      event.Reconnected,
    ]) room.on(name, again);
    room
      .on(event.TrackSubscribed, (/** @type {any} */ track) => {
        if (track.kind === "audio") this.sounds.append(track.attach());
        else this.show();
      })
      .on(event.TrackUnsubscribed, (/** @type {any} */ track) => {
        for (const element of track.detach()) if (track.kind === "audio") element.remove();
        this.show();
      })
      .on(event.ActiveSpeakersChanged, (/** @type {any[]} */ speakers) => {
        const loud = new Set(speakers.map((one) => one.identity));
        for (const [key, tile] of this.tiles) tile.speaks(loud.has(key));
      });
  }

  /** As it is now. Tiles stay where they are: nobody looks for a face that has moved. */
  show() {
    if (this.room.state === "connecting" || this.room.state === "disconnected") return;
    /** @type {[string, any, string][]} */
    const wanted = [];
    const others = [...this.room.remoteParticipants.values()];
    for (const person of others) {
      if (person.getTrackPublication(this.sources.ScreenShare)?.videoTrack) wanted.push([`${person.identity}/screen`, person, "screen"]);
      wanted.push([person.identity, person, "person"]);
    }
    const me = this.room.localParticipant;
    if (me.getTrackPublication(this.sources.Camera)?.videoTrack) wanted.push([me.identity, me, "me"]);
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, tile] of this.tiles) {
      if (keys.has(key)) continue;
      tile.end();
      this.tiles.delete(key);
    }
    for (const [key, person, sort] of wanted) {
      let tile = this.tiles.get(key);
      if (!tile) {
        tile = new Tile(sort, this.words);
        this.tiles.set(key, tile);
        if (sort === "screen") this.list.prepend(tile.element);
        else this.list.append(tile.element);
      }
      tile.fill(person, this.sources);
    }
    this.list.style.setProperty("--columns", String(Math.ceil(Math.sqrt(this.tiles.size || 1))));
    this.list.classList.toggle("screened", wanted.some(([, , sort]) => sort === "screen"));
    this.alone.hidden = others.length > 0;
    this.count.textContent = this.words("here", { count: others.length + 1 });
  }

  clear() {
    for (const tile of this.tiles.values()) tile.end();
    this.tiles.clear();
    this.sounds.replaceChildren();
    this.alone.hidden = true;
    this.count.textContent = "";
  }
}

class Tile {
  /** @param {string} sort screen, person or me @param {Words} words */
  constructor(sort, words) {
    this.sort = sort;
    this.words = words;
    this.video = make("video", { playsinline: "", "aria-hidden": "true", tabindex: "-1" });
    this.video.muted = true;
    this.video.hidden = true;
    this.letter = make("span", { class: "letter", "aria-hidden": "true" });
    this.name = make("bdi");
    this.quiet = make("span", { class: "quiet", role: "img", "aria-label": words("muted") }, icon("mute"));
    this.voice = make("span", { class: "hidden" }, words("speaking"));
    this.voice.hidden = true;
    const label = make("p", { class: "name" }, this.quiet, this.name, this.voice);
    this.element = make("li", { class: `person ${sort}` }, this.video, this.letter, label);
    /** @type {any} */
    this.track = null;
  }

  /** @param {any} person @param {any} sources */
  fill(person, sources) {
    const name = person.name || this.words("unnamed");
    const key = { screen: "screen", me: "you", person: "" }[this.sort];
    this.name.textContent = key ? this.words(key, { name }) : name;
    this.letter.textContent = [...name][0]?.toLocaleUpperCase() ?? "";
    const seen = person.getTrackPublication(this.sort === "screen" ? sources.ScreenShare : sources.Camera);
    const track = seen && !seen.isMuted ? (seen.videoTrack ?? null) : null;
    if (track !== this.track) {
      this.track?.detach(this.video);
      this.track = track;
      track?.attach(this.video);
    }
    this.video.hidden = track === null;
    this.letter.hidden = track !== null;
    this.quiet.hidden = this.sort === "screen" || person.isMicrophoneEnabled;
  }

  /** @param {boolean} loud */
  speaks(loud) {
    this.element.classList.toggle("speaks", loud);
    this.voice.hidden = !loud;
  }

  end() {
    this.track?.detach(this.video);
    this.element.remove();
  }
}
