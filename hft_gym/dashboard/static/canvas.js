// Light charts on a canvas: several lines over time, and the depth of a book. Colours come from the style sheet.
import { clock, compact } from "./format.js";

const PAD = { left: 46, right: 8, top: 8, bottom: 18 };

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: w, clientHeight: h } = canvas;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  g.font = "11px system-ui, sans-serif";
  return { g, w, h };
}

// Round values between low and high, about `count` of them.
export function ticks(low, high, count = 4) {
  const span = high - low || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) || rough;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) found.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return found;
}

function frame(g, w, h, low, high, y, xs, xText) {
  g.lineWidth = 1;
  g.textBaseline = "middle";
  g.textAlign = "right";
  for (const v of ticks(low, high)) {
    const at = Math.round(y(v)) + 0.5;
    g.strokeStyle = v === 0 ? colour("line-strong") : colour("line");
    g.beginPath();
    g.moveTo(PAD.left, at);
    g.lineTo(w - PAD.right, at);
    g.stroke();
    g.fillStyle = colour("dim");
    g.fillText(compact(v), PAD.left - 6, at);
  }
  g.textBaseline = "alphabetic";
  xs.forEach(([at, value], i) => {
    g.textAlign = i === 0 ? "left" : i === xs.length - 1 ? "right" : "center";
    g.fillText(xText(value), at, h - 4);
  });
}

function span(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const series of values) for (const v of series) if (v !== null && v === v) { if (v < low) low = v; if (v > high) high = v; }
  if (low > high) return [0, 1];
  if (low === high) return [low - Math.max(Math.abs(low) * 0.1, 1), high + Math.max(Math.abs(high) * 0.1, 1)];
  const room = 0.06 * (high - low);
  return [low - room, high + room];
}

// times: ns; lines: [{values, colour, step?, fill?}]
export function drawLines(canvas, times, lines) {
  const { g, w, h } = prepare(canvas);
  if (w < 40 || h < 40) return;
  if (times.length < 2) {
    g.fillStyle = colour("dim");
    g.textAlign = "center";
    g.fillText("no curve yet", w / 2, h / 2);
    return;
  }
  const [low, high] = span(lines.map((l) => l.values));
  const [from, to] = [times[0], times[times.length - 1]];
  const x = (t) => PAD.left + ((t - from) / (to - from || 1)) * (w - PAD.left - PAD.right);
  const y = (v) => h - PAD.bottom - ((v - low) / (high - low)) * (h - PAD.top - PAD.bottom);
  const marks = [from, (from + to) / 2, to].map((t) => [x(t), t]);
  frame(g, w, h, low, high, y, marks, (t) => clock(t, false));
  for (const line of lines) {
    g.strokeStyle = line.colour;
    g.lineWidth = 1.6;
    g.lineJoin = "round";
    g.beginPath();
    let pen = false;
    let last = 0;
    line.values.forEach((v, i) => {
      if (v === null || v !== v) { pen = false; return; }
      const at = x(times[i]);
      if (!pen) g.moveTo(at, y(v));
      else if (line.step) { g.lineTo(at, last); g.lineTo(at, y(v)); }
      else g.lineTo(at, y(v));
      last = y(v);
      pen = true;
    });
    g.stroke();
  }
}

export function drawDepth(canvas, book, decimals) {
  const { g, w, h } = prepare(canvas);
  if (w < 40 || h < 40 || !(book.bids.length || book.asks.length)) return;
  const add = (levels) => {
    let sum = 0;
    return levels.map(([price, quantity]) => [price, (sum += quantity)]);
  };
  const [bids, asks] = [add(book.bids), add(book.asks)];
  const edge = [...bids, ...asks].map((l) => l[0]);
  const [from, to] = [Math.min(...edge), Math.max(...edge)];
  const most = Math.max(...[...bids, ...asks].map((l) => l[1]), 1) * 1.08;
  const x = (p) => PAD.left + ((p - from) / (to - from || 1)) * (w - PAD.left - PAD.right);
  const y = (v) => h - PAD.bottom - (v / most) * (h - PAD.top - PAD.bottom);
  const middle = bids.length && asks.length ? (bids[0][0] + asks[0][0]) / 2 : null;
  const marks = [from, ...(middle === null ? [] : [middle]), to].map((p) => [x(p), p]);
  frame(g, w, h, 0, most, y, marks, (p) => p.toFixed(decimals));
  for (const [levels, name] of [[bids, "bid"], [asks, "ask"]]) {
    if (!levels.length) continue;
    g.beginPath();
    g.moveTo(x(levels[0][0]), y(0));
    let height = y(0);
    for (const [price, sum] of levels) {
      g.lineTo(x(price), height);
      height = y(sum);
      g.lineTo(x(price), height);
    }
    g.strokeStyle = colour(name);
    g.lineWidth = 1.6;
    g.stroke();
    g.lineTo(x(levels[levels.length - 1][0]), y(0));
    g.closePath();
    g.globalAlpha = 0.18;
    g.fillStyle = colour(name);
    g.fill();
    g.globalAlpha = 1;
  }
}
