// @ts-check
/** How scripts write for people: as the page does, whose language may not be the browser's own. */

/** The page's language with digits 0-9, which is what the server writes in every language. */
export const language = `${document.documentElement.lang || "en"}-u-nu-latn`;

const format = new Intl.NumberFormat(language);

/** @param {number} value */
export const number = (value) => format.format(value);
