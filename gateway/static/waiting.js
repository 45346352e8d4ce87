// @ts-check
/**
 * Waits with the guest: counts down to a link's start in the guest's own time zone and opens it then, or asks
 * now and then whether a seat is free or a live item on the air, and comes in then. Without this script the page says to load it again.
 */

const card = /** @type {HTMLElement | null} */ (document.querySelector(".waiting"));
const SPREAD = 1500; // ms over which those who wait for the same moment come

/** @param {HTMLElement} page */
function goOn(page) {
  const form = page.querySelector("form");
  if (form) form.requestSubmit();
  // No reload: where this page is the answer to a form, that would send the form again.
  else location.replace(location.href);
}

/** @param {HTMLElement} page */
function show(page) {
  for (const one of page.querySelectorAll(".by-itself")) one.removeAttribute("hidden");
  for (const one of page.querySelectorAll(".by-hand")) one.setAttribute("hidden", "");
}

/**
 * The clock is the gateway's: the guest's own may be wrong. Of how much time has passed the longer word counts,
 * since the one clock stands still while a laptop sleeps and the other may be set meanwhile.
 * @param {HTMLElement} page @param {number} starts @param {number} now
 */
function countDown(page, starts, now) {
  const { lang, dataset } = document.documentElement;
  const language = dataset.intl || lang;
  const moment = page.querySelector("time.starts");
  if (moment) {
    moment.textContent = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" }).format(starts);
    moment.setAttribute("datetime", new Date(starts).toISOString());
  }
  const left = /** @type {HTMLElement | null} */ (page.querySelector(".countdown"));
  const digits = new Intl.NumberFormat(language, { minimumIntegerDigits: 2, useGrouping: false });
  const days = new Intl.NumberFormat(language, { style: "unit", unit: "day", unitDisplay: "long" });
  const late = Math.random() * SPREAD;
  const opened = Date.now() - performance.now();
  const tick = () => {
    const rest = starts - now - Math.max(performance.now(), Date.now() - opened);
    if (rest <= 0) {
      if (page.dataset.again) setTimeout(() => goOn(page), late);
      if (left) left.hidden = true;
      return;
    }
    if (left) {
      const seconds = Math.ceil(rest / 1000);
      const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
      const whole = Math.floor(seconds / 86400);
      const text = clock.map((part) => digits.format(part)).join(":");
      left.textContent = whole ? `${days.format(whole)} ${text}` : text;
      left.hidden = false;
    }
    setTimeout(tick, Math.min(1000, rest));
  };
  tick();
}

/** @param {HTMLElement} page @param {string} address @param {string} seat @param {number} every */
function askForSeat(page, address, seat, every) {
  const again = () => setTimeout(ask, every * (0.75 + Math.random() / 2));
  const ask = async () => {
    try {
      const answer = await fetch(address, { method: "POST", body: new URLSearchParams({ seat }), redirect: "error" });
      // A refusal: this page is too old, and a new one knows more.
      if (answer.status === 422 || (answer.ok && (await answer.json()).free)) return goOn(page);
    } catch {
      // The network or the gateway is away for a moment.
    }
    again();
  };
  again();
}

if (card) {
  const { starts, now, seat, ask, every } = card.dataset;
  if (card.dataset.again) show(card);
  if (starts && now) countDown(card, Number(starts), Number(now));
  if (seat && ask) askForSeat(card, ask, seat, Number(every) * 1000);
}
