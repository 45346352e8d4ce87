// @ts-check
/**
 * What the managers' pages gain from a script; everything works without it.
 * Copying an address, with a word that it was done; the address stands in a field for those who copy by hand.
 */

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Plain http on a name of one's own: the older way, by a field that is selected.
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.className = "aside";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser does not let us copy");
}

const said = document.querySelector(".said");

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-copy]"))) {
  button.hidden = false;
  const face = button.textContent ?? "";
  /** @type {number | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    const field = /** @type {HTMLInputElement | null} */ (button.closest("tr")?.querySelector(".url") ?? null);
    try {
      await copy(button.dataset.copy ?? "");
    } catch {
      field?.focus();
      field?.select();
      return;
    }
    const done = button.dataset.done ?? "";
    button.textContent = done;
    if (said) said.textContent = done;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = face;
      if (said) said.textContent = "";
    }, 2500);
  });
}

for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input.url"))) {
  field.addEventListener("focus", () => field.select());
}
