// What this browser remembers. The time zone in an address has precedence.

/** @typedef {{ theme: "system" | "light" | "dark", zone: "local" | "utc" }} Settings */

const NAME = "lambda-console";

/** @type {Settings} */
export const settings = { theme: "system", zone: "local", ...stored() };

/** @returns {Partial<Settings>} */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? "{}");
    return {
      ...(["light", "dark"].includes(found.theme) && { theme: found.theme }),
      ...(found.zone === "utc" && { zone: found.zone }),
    };
  } catch {
    return {};
  }
}

/** @param {Partial<Settings>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // A browser that stores nothing still shows traces.
  }
}

export function applyTheme() {
  if (settings.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = settings.theme;
}
