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
  // "Forget": what comes next is this page again.
  if (event.submitter instanceof HTMLButtonElement && event.submitter.name === "forget") return;
  form.action = location.href; // an empty action means the address at the time of sending
  history.replaceState(null, "", form.dataset.back);
});
