// @ts-check
/**
 * Forgets the guest link as the form is sent. What comes next may be a page of the media server, on this
 * very host: its scripts can't read the addresses before it (they are `no-referrer`), but the browser
 * tells them where "back" leads when they ask for it. So the place in the history gets another address,
 * which brings a guest to the media and is no secret.
 *
 * Loaded before the form is there, so that none can be sent without it. Without scripts the form works
 * as well, and the media server's do not run either.
 */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.dataset.back) return;
  form.action = location.href; // an empty action means the address at the time of sending
  history.replaceState(null, "", form.dataset.back);
});

/**
 * Another language is the same page: its place in the history is taken, not the next one. The one before
 * would keep the link.
 */
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-replace]") : null;
  if (!(link instanceof HTMLAnchorElement) || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a window or tab of its own
  event.preventDefault();
  location.replace(link.href);
});
