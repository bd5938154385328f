// Numbers and times as text. Undefined is a dash.
export const dash = "–";

export function number(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return dash;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function compact(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return dash;
  const size = Math.abs(value);
  if (size >= 1e5) return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 });
  return value.toLocaleString("en-US", { maximumFractionDigits: size >= 100 ? 0 : size >= 1 ? 2 : 3 });
}

export function signed(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return dash;
  return (value > 0 ? "+" : value < 0 ? "−" : "") + number(Math.abs(value), digits);
}

export function clock(ns, tenths = true) {
  const s = ns / 1e9;
  const pad = (n) => String(Math.floor(n)).padStart(2, "0");
  const tail = tenths ? "." + Math.floor((s * 10) % 10) : "";
  return `${Math.floor(s / 3600)}:${pad((s / 60) % 60)}:${pad(s % 60)}${tail}`;
}

// Set text only where it changes: the browser then has nothing to lay out.
export function setText(node, text) {
  if (node.firstChild === null) node.appendChild(document.createTextNode(text));
  else if (node.firstChild.data !== text) node.firstChild.data = text;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}
