// What a reader has set, kept between visits; anything damaged falls back to the defaults.
const KEY = "hft_gym.settings";
const SESSION = "hft_gym.session";

export const DEFAULTS = {
  ladder_hz: 20, levels: 10, theme: "dark", alerts: "all", toasts: true, symbol: "AAPL",
};

const CHECKS = {
  ladder_hz: (v) => Number.isFinite(v) && v >= 0.5 && v <= 20,
  levels: (v) => Number.isInteger(v) && v >= 1 && v <= 20,
  theme: (v) => v === "dark" || v === "light",
  alerts: (v) => ["all", "warnings", "none"].includes(v),
  toasts: (v) => typeof v === "boolean",
  symbol: (v) => typeof v === "string" && v.length > 0 && v.length <= 64,
};

export const settings = { ...DEFAULTS, ...read() };

function read() {
  let found = {};
  try {
    found = JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
  return Object.fromEntries(Object.entries(found).filter(([k, v]) => CHECKS[k] && CHECKS[k](v)));
}

export function save(changes) {
  for (const [key, value] of Object.entries(changes)) if (CHECKS[key] && CHECKS[key](value)) settings[key] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser without storage forgets; the page works all the same.
  }
}

export function sessionId(value) {
  try {
    if (value !== undefined) localStorage.setItem(SESSION, value);
    const found = localStorage.getItem(SESSION) || "";
    return /^[0-9a-f]{32}$/.test(found) ? found : "";
  } catch {
    return "";
  }
}
