// @ts-check
/**
 * The media server's own chat page in a frame beside the picture, to be hidden and shown. It is loaded when it is shown
 * for the first time, goes on while it is hidden, and goes when the grant has ended. That the media tells; while nobody
 * asks for media the gateway is asked.
 */

const PLACE = "gateway.chat";
const HIDDEN = "hidden";
const ASKING = 15_000; // ms, about

/** Scripts of the media server share this storage: what stands there is one word or nothing. */
function wasHidden() {
  try {
    return localStorage.getItem(PLACE) === HIDDEN;
  } catch {
    return false;
  }
}

/** @param {boolean} hidden */
function keep(hidden) {
  try {
    if (hidden) localStorage.setItem(PLACE, HIDDEN);
    else localStorage.removeItem(PLACE);
  } catch {
    // No storage: then it is there again next time.
  }
}

export function forgetChat() {
  keep(false);
}

/**
 * @param {HTMLElement | null} whole picture and chat; null where there is none
 * @param {boolean} mine whether this is the guest's own device, which may keep what they chose
 * @param {() => boolean} idle whether no media is asked for
 * @param {() => void} ended what else there is to do when the grant has ended
 * @returns {() => void} takes it away
 */
export function showChat(whole, mine, idle, ended) {
  const place = /** @type {HTMLElement | null} */ (whole?.querySelector(".chat"));
  const toggle = /** @type {HTMLButtonElement | null} */ (whole?.querySelector("#chat-toggle"));
  const frame = place?.querySelector("iframe");
  const lost = /** @type {HTMLElement | null} */ (place?.querySelector(".lost"));
  if (!whole || !place || !toggle || !frame || !lost) return () => undefined;
  const { src = "" } = frame.dataset;

  function load() {
    if (!lost || !frame) return;
    lost.hidden = true;
    frame.hidden = false;
    frame.src = src;
  }
  /** @param {boolean} hidden */
  function draw(hidden) {
    if (!place || !toggle || !frame) return;
    if (!hidden && !frame.src) load();
    place.hidden = hidden;
    whole?.classList.toggle("chatting", !hidden);
    toggle.textContent = (hidden ? toggle.dataset.hidden : toggle.dataset.shown) ?? "";
    toggle.setAttribute("aria-expanded", String(!hidden));
  }

  // A page that may not stand here (a refusal is in no frame) or did not come: the browser has one of its own there,
  // which nobody may look into.
  frame.addEventListener("load", () => {
    if (!frame.src || frame.contentDocument) return;
    frame.hidden = true;
    lost.hidden = false;
  });
  lost.querySelector("button")?.addEventListener("click", () => {
    load();
    frame.focus(); // the button has gone
  });
  toggle.addEventListener("click", () => {
    const hidden = !place.hidden;
    draw(hidden);
    if (mine) keep(hidden);
  });
  toggle.hidden = false;
  draw(mine && wasHidden());

  const asking = setInterval(
    async () => {
      if (!idle()) return;
      // It leads back to the media, or says that there are none for this guest.
      const back = await fetch(place.dataset.back ?? "", { redirect: "manual", cache: "no-store" }).catch(() => null);
      if (back?.status !== 401 && back?.status !== 403) return;
      end();
      ended();
    },
    ASKING * (1 + Math.random() / 3),
  );
  function end() {
    clearInterval(asking);
    if (!whole || !place || !toggle) return;
    if (place.contains(document.activeElement) || document.activeElement === toggle) {
      /** @type {HTMLElement | null} */ (whole.querySelector(".player"))?.focus();
    }
    whole.classList.remove("chatting");
    place.remove();
    toggle.remove();
  }
  return end;
}
