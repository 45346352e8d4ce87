// @ts-check
/** How scripts write for people: as the page does, whose language may not be the browser's own. */

const { lang, dataset } = document.documentElement;
const format = new Intl.NumberFormat(dataset.intl || lang || "en");

/** @param {number} value */
export const number = (value) => format.format(value);
