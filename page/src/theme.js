// Light or dark: as the system has it, until the reader says otherwise.

import { byId } from "./dom.js";

const THEMES = ["auto", "light", "dark"];
const NAMES = /** @type {Record<string, string>} */ ({ auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" });

/** Makes the button work; the choice is kept where the browser lets a page keep something. */
export function startTheme() {
  const button = byId("theme");
  let theme = stored() ?? "auto";
  const show = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = NAMES[theme] ?? "";
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    keep(theme);
    show();
  });
  show();
}

/** @returns {string | null} */
function stored() {
  try {
    const theme = localStorage.getItem("veridical-theme");
    return theme !== null && THEMES.includes(theme) ? theme : null;
  } catch {
    return null;
  }
}

/** @param {string} theme */
function keep(theme) {
  try {
    localStorage.setItem("veridical-theme", theme);
  } catch {
    // Private windows and some pages from disk keep nothing.
  }
}
