// The page: what comes in is kept, and drawn once a frame at most.
import { Gauges, Messages, Orders, Tape, Traders } from "./accounts.js";
import { colour, drawDepth, drawLines } from "./canvas.js";
import { clock, compact, element, number, setText, signed } from "./format.js";
import { Ladder } from "./ladder.js";
import { Link } from "./net.js";
import { PriceChart } from "./price.js";
import { Replay } from "./replay.js";
import { save, sessionId, settings } from "./settings.js";
import { Strategies } from "./strategies.js";

const $ = (id) => document.getElementById(id);
const link = new Link();
const now = { state: null, catalogue: null, ladder: null, account: null, curves: { time: [] }, fills: [] };
const dirty = new Set();
let changing = null;
const COSTS = ["order_ms", "market_data_ms", "maker", "taker"];
const stats = { frames: [], lags: [], pictures: 0, since: performance.now(), market: null };

const ladder = new Ladder($("ladder"), $("ladder-note"), (price) => {
  $("ticket").elements.price.value = price;
  $("ticket").elements.quantity.focus();
});
const tape = new Tape($("tape"));
const orders = new Orders($("orders"), change, (id) => attempt(ask("cancel", { symbol: settings.symbol, order: id })));
const traders = new Traders($("traders"), (trader) => attempt(ask("release", { trader })));
const gauges = new Gauges($("gauges"));
const messages = new Messages($("alerts"), $("toasts"));
const price = new PriceChart($("price"));
const strategies = new Strategies($("strategies"), (slot, name, parameters) => ask("strategy", { slot, name, parameters }));
const replay = new Replay(showRecorded, () => { forget(); watch(); });

function ask(type, fields) {
  return link.ask(type, fields);
}

// A failure that no form shows.
function attempt(promise) {
  return promise.catch((error) => messages.toast(error.message));
}

function mark(...parts) {
  if (!dirty.size) requestAnimationFrame(draw);
  parts.forEach((part) => dirty.add(part));
}

function forget() {
  Object.assign(now, { ladder: null, account: null, curves: { time: [] }, fills: [] });
}

function watch() {
  const { symbol, levels, ladder_hz } = settings;
  if (link.attached) attempt(ask("watch", { symbol, levels, ladder_hz }));
}

// -- what comes in ---------------------------------------------------------------------------------------

link.addEventListener("attached", ({ detail }) => {
  now.catalogue = detail.catalogue;
  setText($("version"), `hft_gym ${detail.version}`);
  if (!detail.found) messages.forget();
  showPresets();
  forget();
  watch();
});

link.addEventListener("state", ({ detail }) => {
  now.state = detail;
  if (!detail.symbols.includes(settings.symbol)) {
    save({ symbol: detail.symbols[0] });
    watch();
  }
  mark("state");
});

link.addEventListener("ladder", ({ detail }) => {
  stats.pictures++;
  stats.lags.push(Date.now() - 1000 * detail.made);
  if (stats.lags.length > 100) stats.lags.shift();
  if (replay.active || detail.symbol !== settings.symbol) return;
  now.ladder = detail;
  mark("ladder");
});

link.addEventListener("account", ({ detail }) => {
  if (replay.active || detail.symbol !== settings.symbol) return;
  now.account = detail;
  mark("account");
});

link.addEventListener("chart", ({ detail }) => {
  if (replay.active || detail.symbol !== settings.symbol) return;
  if (detail.reset) {
    now.curves = detail.columns;
    now.fills = detail.fills;
  } else {
    for (const [name, values] of Object.entries(detail.columns)) (now.curves[name] ||= []).push(...values);
    now.fills.push(...detail.fills);
    if (now.fills.length > 2000) now.fills.splice(0, now.fills.length - 2000);
  }
  mark("chart");
});

link.addEventListener("link", ({ detail }) => {
  const { state, why } = detail;
  setText($("link"), state);
  $("link").className = `link ${state}`;
  $("banner").hidden = state !== "offline";
  setText($("banner"), `Not connected${why ? `: ${why}` : ""}. The session goes on; looking for the server …`);
});

link.addEventListener("refused", ({ detail }) => messages.toast(detail));

function showRecorded(symbol, frame, columns, fills) {
  now.ladder = frame.ladder;
  now.account = frame.account;
  now.curves = columns;
  now.fills = fills;
  mark("ladder", "account", "chart");
}

// -- drawing ---------------------------------------------------------------------------------------------

function draw() {
  const parts = new Set(dirty);
  dirty.clear();
  if (parts.has("state")) drawState();
  if (parts.has("ladder") && now.ladder) drawLadder();
  if (parts.has("account") && now.account) drawAccount();
  if (parts.has("chart")) drawCharts();
}

function drawState() {
  const { state } = now;
  setText($("start"), state.running ? "Pause" : "Start");
  $("start").setAttribute("aria-pressed", String(state.running));
  $("step").disabled = state.running || Boolean(state.fixed);
  for (const id of ["start", "speed", "seed", "reset", "preset"]) $(id).disabled = Boolean(state.fixed);
  for (const name of COSTS) $("settings-form").elements[name].disabled = Boolean(state.fixed);
  $("new-session").hidden = Boolean(state.fixed);
  const speed = String(state.speed);
  if (![...$("speed").options].some((o) => o.value === speed)) $("speed").append(element("option", { value: speed, text: `${speed}×` }));
  $("speed").value = speed;
  if (document.activeElement !== $("seed")) $("seed").value = state.seed;
  $("preset").value = state.preset;
  setText($("preset-about"), state.fixed || now.catalogue?.presets[state.preset] || "");
  $("symbols").replaceChildren(...state.symbols.map((symbol) => element("button", {
    role: "tab", "aria-selected": String(symbol === settings.symbol), text: symbol, onclick: () => choose(symbol),
  })));
  if (now.catalogue) strategies.show(now.catalogue, state.strategies);
  const form = $("risk-form");
  if (!form.contains(document.activeElement)) {
    for (const input of form.elements) if (input.name) input.value = state.risk[input.name] ?? "";
  }
  $("ticket").elements.price.step = state.tick_size;
}

function decimals() {
  return now.state?.decimals ?? 2;
}

function drawLadder() {
  const began = performance.now();
  const book = now.ladder;
  ladder.show(book, settings.levels, decimals());
  tape.show(book.tape, decimals());
  orders.show(book.orders, decimals());
  if (changing !== null && !book.orders.some((o) => o.id === changing)) change(null);
  setText($("my-position"), `Position ${compact(book.position)} lots`);
  setText($("last"), number(book.last ?? book.mid, decimals()));
  const move = book.mid !== null && book.open !== null ? book.mid - book.open : null;
  setText($("change"), move === null ? "" : `${signed(move, decimals())} (${signed((100 * move) / book.open)} %)`);
  $("change").className = `change num ${move > 0 ? "up" : move < 0 ? "down" : ""}`;
  setText($("clock"), clock(book.time));
  stats.frames.push(performance.now() - began);
  if (stats.frames.length > 200) stats.frames.shift();
  drawDepth($("depth"), book, decimals());
}

function drawAccount() {
  traders.show(now.account.traders);
  gauges.show(now.account.traders);
  messages.show(now.account.alerts, { which: settings.alerts, toasts: settings.toasts && !replay.active });
}

const ATTRIBUTION = ["trader-0", "trader-1", "trader-2", "trader-3", "fast", "vwap"];

function drawCharts() {
  const { curves, fills } = now;
  const names = (now.account?.traders || []).map((t) => t.name);
  price.show(settings.symbol, curves, fills, names, decimals());
  const key = names.join();
  if ($("curve-legend").dataset.key !== key) {
    $("curve-legend").dataset.key = key;
    $("curve-legend").replaceChildren(...names.map((name, k) => element("span", {}, element("i", { class: `dot d${k % 4}` }), document.createTextNode(name))));
    const chosen = $("attribution-of").value;
    $("attribution-of").replaceChildren(...names.map((name, k) => element("option", { value: String(k), text: name })));
    if (Number(chosen) < names.length) $("attribution-of").value = chosen || "0";
  }
  for (const what of ["equity", "position", "drawdown"]) {
    const lines = names.map((_, k) => ({ values: curves[`t${k}_${what}`] || [], colour: colour(`trader-${k % 4}`), step: what === "position" }));
    drawLines($(`c-${what}`), curves.time, lines);
  }
  const prefix = `t${$("attribution-of").value || 0}_by_`;
  const terms = Object.keys(curves).filter((name) => name.startsWith(prefix));
  drawLines($("c-attribution"), curves.time, terms.map((name, i) => ({ values: curves[name], colour: colour(ATTRIBUTION[i % 6]) })));
  const caption = $("c-attribution").parentElement.querySelector("figcaption");
  let legend = caption.querySelector(".legend");
  if (!legend) caption.append((legend = element("span", { class: "legend" })));
  if (legend.dataset.key !== terms.join()) {
    legend.dataset.key = terms.join();
    legend.replaceChildren(...terms.map((name, i) => element("span", {}, element("i", { class: `dot a${i % 6}` }), document.createTextNode(name.slice(prefix.length).replaceAll("_", " ")))));
  }
}

function median(values) {
  return values.length ? [...values].sort((a, b) => a - b)[values.length >> 1] : null;
}

setInterval(() => {
  const seconds = (performance.now() - stats.since) / 1000;
  const frame = median(stats.frames);
  setText($("lag"), `lag ${stats.lags.length ? Math.max(0, Math.round(median(stats.lags))) : "–"} ms`);
  setText($("frame"), `ladder ${frame === null ? "–" : frame.toFixed(1)} ms a frame`);
  const time = now.ladder?.time ?? null;
  const passed = time === null || stats.market === null ? null : (time - stats.market) / 1e9 / seconds;
  setText($("rate"), `${Math.round(stats.pictures / seconds)} pictures/s`);
  setText($("pace"), `market time ${passed === null || passed < 0 ? "–" : compact(passed)}×`);
  Object.assign(stats, { pictures: 0, since: performance.now(), market: time });
}, 1000);

// -- controls --------------------------------------------------------------------------------------------

function choose(symbol) {
  save({ symbol });
  change(null);
  if (replay.active) replay.choose(symbol);
  else {
    forget();
    watch();
  }
  mark("state");
}

function toggle() {
  return attempt(ask(now.state?.running ? "pause" : "start"));
}

$("start").addEventListener("click", toggle);
$("step").addEventListener("click", () => attempt(ask("step")));
$("speed").addEventListener("change", () => attempt(ask("speed", { value: Number($("speed").value) })));
$("reset").addEventListener("click", () => attempt(ask("reset", { seed: Number($("seed").value) })));
$("cancel-all").addEventListener("click", () => attempt(ask("cancel-all", { symbol: settings.symbol })));
$("record").addEventListener("click", async () => {
  const told = await attempt(ask("record"));
  if (told) messages.toast(`Kept as ${told.recording}`, "info");
});
$("open-replay").addEventListener("click", () => attempt(replay.open()));
$("attribution-of").addEventListener("change", () => mark("chart"));
$("preset").addEventListener("change", () => attempt(ask("market", { preset: $("preset").value })));

function showPresets() {
  $("preset").replaceChildren(...Object.keys(now.catalogue.presets).map((name) => element("option", { value: name, text: name })));
}

function onSubmit(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = form.querySelector(".error");
    error.textContent = "";
    try {
      await send(form.elements, event.submitter);
    } catch (problem) {
      error.textContent = problem.message;
    }
  });
}

const optional = (input) => (input.value === "" ? null : Number(input.value));

// The ticket sends a new order, or changes one that works: `changing` is its number.
function change(order) {
  const form = $("ticket");
  const fields = form.elements;
  changing = order ? order.id : null;
  for (const button of form.querySelectorAll(".buy, .sell")) button.hidden = changing !== null;
  for (const id of ["change-order", "leave-order"]) $(id).hidden = changing === null;
  fields.time_in_force.disabled = changing !== null;
  fields.price.required = changing !== null;
  form.querySelector(".error").textContent = "";
  if (!order) return;
  setText($("change-order"), `Change order ${order.id}`);
  fields.quantity.value = order.quantity;
  fields.price.value = order.price;
  fields.quantity.focus();
}

$("leave-order").addEventListener("click", () => change(null));

onSubmit($("ticket"), async (fields, submitter) => {
  const { symbol } = settings;
  const told = { symbol, quantity: Number(fields.quantity.value), price: optional(fields.price) };
  if (changing === null) await ask("order", { ...told, side: submitter?.value || "buy", time_in_force: fields.time_in_force.value });
  else {
    await ask("modify", { ...told, order: changing });
    change(null);
  }
});

onSubmit($("risk-form"), (fields) => ask("risk", {
  ...Object.fromEntries(["max_position", "max_order_size", "max_open_orders", "max_loss", "max_drawdown", "price_collar"]
    .map((name) => [name, optional(fields[name])])),
  on_breach: fields.on_breach.value,
}));

function openSettings() {
  const fields = $("settings-form").elements;
  for (const name of ["ladder_hz", "levels", "theme", "alerts"]) fields[name].value = settings[name];
  fields.toasts.checked = settings.toasts;
  for (const name of COSTS) fields[name].value = now.state?.costs[name] ?? "";
  $("settings-form").querySelector(".error").textContent = "";
  $("settings").showModal();
}

$("open-settings").addEventListener("click", openSettings);
$("settings-form").addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "save") return;
  event.preventDefault();
  const fields = $("settings-form").elements;
  save({
    ladder_hz: Number(fields.ladder_hz.value), levels: Number(fields.levels.value), theme: fields.theme.value,
    alerts: fields.alerts.value, toasts: fields.toasts.checked,
  });
  applyTheme();
  try {
    const costs = Object.fromEntries(COSTS.map((name) => [name, Number(fields[name].value)]));
    if (now.state && COSTS.some((name) => costs[name] !== now.state.costs[name])) await ask("costs", costs);
    $("settings").close();
    watch();
  } catch (problem) {
    $("settings-form").querySelector(".error").textContent = problem.message;
  }
});
$("new-session").addEventListener("click", () => { $("settings").close(); link.renew(); });

function applyTheme() {
  document.documentElement.dataset.theme = settings.theme;
  mark("chart", "ladder");
}

const FILES = [["fills.csv", "Fills, CSV"], ["orders.csv", "Orders, CSV"], ["path.csv", "Curves, CSV"], ["fills.parquet", "Fills, Parquet"],
  ["orders.parquet", "Orders, Parquet"], ["path.parquet", "Curves, Parquet"], ["report.html", "Report, HTML"]];
$("exports").replaceChildren(...FILES.map(([what, text]) => element("button", { class: "small", type: "button", text, onclick: () => download(what) })));

async function download(what) {
  const query = new URLSearchParams({ session: sessionId(), symbol: settings.symbol });
  const answer = await fetch(`/export/${what}?${query}`);
  if (!answer.ok) {
    messages.toast((await answer.json()).error);
    return;
  }
  const url = URL.createObjectURL(await answer.blob());
  element("a", { href: url, download: `hft-gym-${settings.symbol}-${what}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog, button, summary");
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && (event.key === " " || typing.matches("input, select, textarea, dialog") || typing.closest("dialog")))) return;
  const symbol = now.state?.symbols[Number(event.key) - 1];
  if (symbol) choose(symbol);
  else if (event.key === " " && !now.state?.fixed) toggle();
  else if (event.key === "." && !now.state?.running && !now.state?.fixed) attempt(ask("step"));
  else if (event.key === "b") $("ticket").elements.quantity.focus();
  else if (event.key === "r") attempt(replay.open());
  else if (event.key === "s") openSettings();
  else return;
  event.preventDefault();
});

addEventListener("resize", () => mark("ladder", "chart"));
applyTheme();
link.connect();
