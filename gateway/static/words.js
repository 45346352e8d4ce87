// @ts-check
/**
 * The texts of the page's language, filled: `words("seek.value", {position, duration})`.
 * @typedef {(key: string, values?: Record<string, string | number>) => string} Words
 */

export {};
