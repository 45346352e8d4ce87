// @ts-check
/** The bar below the picture, and what its buttons do. */

import { face, iconButton, make } from "./dom.js";
import { watchEdge } from "./edge.js";
import { clock } from "./language.js";
import { menu } from "./menu.js";
import { watchSpeed } from "./speed.js";

const REST_AFTER = 3000; // ms without a movement until the bar hides while playing

/** @typedef {ReturnType<typeof buildControls>} Controls */

/**
 * @param {HTMLElement} root
 * @param {HTMLVideoElement} video
 * @param {import("./source.js").Media} media
 * @param {import("./words.js").Words} words
 */
export function buildControls(root, video, media, words) {
  const speeds = watchSpeed(video, words, (text) => (said.textContent = text));
  const said = make("div", { class: "unseen", role: "status" });
  const big = make("button", { type: "button", class: "big", "aria-label": words("play") });
  const spinner = make("div", { class: "spinner", role: "status", "aria-label": words("loading"), hidden: "" });
  const play = iconButton("play", words("play"), playOrPause);
  const mute = iconButton("sound", words("mute"), muteOrNot);
  const volume = range("volume", words("volume"), 1, 0.05);
  const seek = range("seek", words("seek"), 0, 1);
  const time = make("span", { class: "time" });
  const edge = watchEdge(video, media, words, (text) => (said.textContent = text));
  const captions = menu("captions", words("captions"), captionChoices);
  const quality = menu("quality", words("quality"), qualityChoices);
  const audio = menu("audio", words("audio"), soundChoices);
  const speed = menu("speed", words("speed"), speeds.choices);
  const inset = iconButton("inset", words("inset"), insetOrNot);
  const screen = iconButton("enlarge", words("fullscreen"), fullscreenOrNot);
  face(big, "play", words("play"));
  // In a frame whose page doesn't allow it there is none; iPhones have it for a video only.
  inset.hidden = !document.pictureInPictureEnabled;
  screen.hidden = !document.fullscreenEnabled && !("webkitEnterFullscreen" in video);

  // Players run from left to right in every language, as on devices; labels turn by themselves.
  const bar = make(
    "div",
    { class: "bar", dir: "ltr" },
    seek,
    make("div", { class: "tools" }, play, mute, volume, time, edge.badge, make("span", { class: "gap" }), audio, captions, quality, speed, inset, screen),
  );
  root.append(big, spinner, said, bar);
  root.classList.add("ready");

  function playOrPause() {
    if (root.classList.contains("stopped")) return;
    if (video.paused) media.play();
    else video.pause();
  }
  /** @param {number} seconds */
  function seekBy(seconds) {
    const { start, end } = edge.reach();
    if (end > start) video.currentTime = Math.min(Math.max(video.currentTime + seconds, start), end);
  }
  /** @param {number} part */
  function louderBy(part) {
    video.muted = false;
    video.volume = Math.min(1, Math.max(0, video.volume + part));
  }
  function muteOrNot() {
    video.muted = !video.muted;
  }
  function fullscreenOrNot() {
    if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
    else if (root.requestFullscreen) root.requestFullscreen().catch(() => undefined);
    // iPhones give the whole screen to a video only.
    else /** @type {any} */ (video).webkitEnterFullscreen?.();
  }

  function insetOrNot() {
    if (document.pictureInPictureElement) document.exitPictureInPicture().catch(() => undefined);
    else if (!inset.hidden) video.requestPictureInPicture().catch(() => undefined);
  }
  /** @param {number} steps */
  function fasterBy(steps) {
    if (!media.live) speeds.by(steps);
  }

  // Captions. All ways of playing end in the element's text tracks; hls.js follows their modes.
  const offered = root.dataset.captions !== "off";
  const every = () => [...video.textTracks].filter((track) => track.kind === "subtitles" || track.kind === "captions");
  const tracks = () => (offered ? every() : []);
  const shown = () => tracks().find((track) => track.mode === "showing");
  /** @type {TextTrack | undefined} */
  let lastShown;
  /** @param {TextTrack | undefined} wanted */
  function showCaptions(wanted) {
    for (const track of tracks()) track.mode = track === wanted ? "showing" : "disabled";
    if (wanted) lastShown = wanted;
  }
  function captionsOnOrOff() {
    const known = tracks();
    if (shown()) showCaptions(undefined);
    else showCaptions(lastShown && known.includes(lastShown) ? lastShown : known[0]);
  }
  function captionChoices() {
    return [
      { label: words("captions.off"), checked: !shown(), choose: () => showCaptions(undefined) },
      ...tracks().map((track, index) => ({
        label: track.label || track.language || words("captions.track", { number: index + 1 }),
        checked: track === shown(),
        choose: () => showCaptions(track),
      })),
    ];
  }

  function qualityChoices() {
    const now = media.quality === -1 && media.height;
    return [
      {
        label: now ? words("quality.auto_now", { height: media.height }) : words("quality.auto"),
        checked: media.quality === -1,
        choose: () => (media.quality = -1),
      },
      ...media.qualities.map(({ id, height }) => ({
        label: words("quality.level", { height }),
        checked: media.quality === id,
        choose: () => (media.quality = id),
      })),
    ];
  }
  function soundChoices() {
    return media.sounds.map(({ id, name }) => ({
      label: name || words("audio.track", { number: id + 1 }),
      checked: media.sound === id,
      choose: () => (media.sound = id),
    }));
  }

  function drawMenus() {
    // What a playlist names and the policy has switched off would only be refused.
    if (!offered) for (const track of every()) if (track.mode !== "disabled") track.mode = "disabled";
    captions.hidden = tracks().length === 0;
    captions.classList.toggle("on", shown() !== undefined);
    quality.hidden = media.qualities.length < 2;
    audio.hidden = media.sounds.length < 2;
  }
  function drawPlay() {
    const [name, label] = /** @type {["play" | "pause" | "replay", string]} */ (
      video.ended ? ["replay", "replay"] : video.paused ? ["play", "play"] : ["pause", "pause"]
    );
    face(play, name, words(label));
    face(big, name, words(label));
    root.classList.toggle("playing", !video.paused && !video.ended);
    wake();
  }
  function drawSound() {
    const silent = video.muted || video.volume === 0;
    face(mute, silent ? "silent" : "sound", words(silent ? "unmute" : "mute"));
    volume.value = silent ? "0" : String(video.volume);
    fill(volume);
  }
  function drawTime() {
    const { start, end } = edge.reach();
    seek.min = String(start);
    seek.max = String(end);
    if (!seek.matches(":active")) seek.value = String(video.currentTime);
    const position = clock(Number(seek.value));
    const late = edge.draw();
    seek.disabled = media.live ? !edge.wide() : end <= start;
    seek.setAttribute("aria-valuetext", media.live ? late || words("live") : words("seek.value", { position, duration: clock(end) }));
    fill(seek);
    speed.hidden = media.live;
    const text = media.live ? late : `${position} / ${clock(end)}`;
    if (time.textContent !== text) time.textContent = text;
  }

  for (const name of ["play", "pause", "ended", "seeked"]) video.addEventListener(name, drawPlay);
  for (const name of ["timeupdate", "durationchange", "seeking", "progress"]) video.addEventListener(name, drawTime);
  video.addEventListener("volumechange", drawSound);
  for (const name of ["addtrack", "removetrack", "change"]) video.textTracks.addEventListener(name, drawMenus);
  media.addEventListener("change", drawMenus);
  for (const name of ["waiting", "seeking"]) video.addEventListener(name, () => (spinner.hidden = video.paused));
  for (const name of ["playing", "pause", "canplay", "error", "ended"]) {
    video.addEventListener(name, () => (spinner.hidden = true));
  }

  seek.addEventListener("input", () => (video.currentTime = Number(seek.value)));
  volume.addEventListener("input", () => {
    video.muted = false;
    video.volume = Number(volume.value);
  });
  big.addEventListener("click", playOrPause);
  // A tap on a phone first shows the bar; a click with a mouse plays or pauses.
  video.addEventListener("pointerup", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) playOrPause();
    else if (event.pointerType !== "mouse" && root.classList.contains("resting")) wake();
    else if (event.pointerType !== "mouse") rest();
  });
  video.addEventListener("dblclick", fullscreenOrNot);
  document.addEventListener("fullscreenchange", () => {
    const whole = document.fullscreenElement === root;
    face(screen, whole ? "shrink" : "enlarge", words(whole ? "fullscreen.leave" : "fullscreen"));
  });

  const insets = () => {
    const away = document.pictureInPictureElement === video;
    face(inset, "inset", words(away ? "inset.leave" : "inset"));
  };
  for (const name of ["enterpictureinpicture", "leavepictureinpicture"]) video.addEventListener(name, insets);
  // What has no picture has none to take out either.
  for (const name of ["loadedmetadata", "resize"]) {
    video.addEventListener(name, () => (inset.hidden = !document.pictureInPictureEnabled || video.videoWidth === 0));
  }
  video.addEventListener("ratechange", () => speed.classList.toggle("on", video.playbackRate !== 1));

  let timer = 0;
  function rest() {
    const used = bar.matches(":hover") || bar.contains(document.activeElement?.matches(":focus-visible") ? document.activeElement : null);
    root.classList.toggle("resting", !video.paused && !video.ended && !used);
  }
  function wake() {
    root.classList.remove("resting");
    clearTimeout(timer);
    timer = window.setTimeout(rest, REST_AFTER);
  }
  root.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") wake();
  });
  root.addEventListener("focusin", wake);

  // What is live moves on while the guest pauses.
  setInterval(() => media.live && video.paused && drawTime(), 1000);

  drawPlay();
  drawSound();
  drawTime();
  drawMenus();
  return { playOrPause, seekBy, louderBy, muteOrNot, captionsOnOrOff, fasterBy, insetOrNot, fullscreenOrNot, wake };
}

/**
 * @param {string} name
 * @param {string} label
 * @param {number} max
 * @param {number} step
 */
function range(name, label, max, step) {
  return make("input", { type: "range", class: name, "aria-label": label, min: "0", max: String(max), step: String(step), value: "0" });
}

/** Tell the style how much of a slider is done. @param {HTMLInputElement} slider */
function fill(slider) {
  const [min, max, value] = [Number(slider.min), Number(slider.max), Number(slider.value)];
  slider.style.setProperty("--done", `${max > min ? (100 * (value - min)) / (max - min) : 0}%`);
}
