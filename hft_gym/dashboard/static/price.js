// The price chart: Plotly, with fills. Curves come in pieces; the chart keeps what it was told.
import { colour } from "./canvas.js";
import { clock } from "./format.js";

const LINES = [
  ["mid", "Mid", "text", 1.6, "solid"],
  ["vwap", "VWAP", "vwap", 1.4, "dash"],
  ["ma_fast", "EMA 10 s", "fast", 1.2, "solid"],
  ["ma_slow", "EMA 60 s", "slow", 1.2, "solid"],
];
const MAX_FILLS = 500;

export class PriceChart {
  constructor(node) {
    this.node = node;
    this.made = false;
    new ResizeObserver(() => this.fit()).observe(node);
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (this.made && width >= 50) window.Plotly.relayout(this.node, { width, height });
  }

  layout() {
    const grid = colour("line");
    const axis = { gridcolor: grid, zeroline: false, linecolor: grid, tickfont: { color: colour("dim") } };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 56, r: 12, t: this.node.clientWidth >= 520 ? 26 : 8, b: 26 },
      font: { color: colour("text"), size: 11, family: "system-ui, sans-serif" },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: colour("dim") }, bgcolor: "rgba(0,0,0,0)" },
      showlegend: this.node.clientWidth >= 520,
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("panel-high"), bordercolor: colour("line-strong"), font: { color: colour("text") } },
      xaxis: { ...axis, type: "linear", tickvals: this.marks, ticktext: (this.marks || []).map((s) => clock(s * 1e9, false)), hoverformat: ".1f" },
      yaxis: { ...axis, side: "left", tickformat: `.${(this.decimals ?? 2) + 1}f`, automargin: true },
      width: this.node.clientWidth,
      height: this.node.clientHeight,
      uirevision: this.symbol || "none",
      dragmode: "pan",
    };
  }

  // curves: columns with times in ns; fills: [trader, time, price, quantity, side]
  show(symbol, curves, fills, traders, decimals) {
    if (!window.Plotly || this.node.clientWidth < 50) return;
    this.symbol = symbol;
    this.decimals = decimals;
    const x = curves.time.map((t) => t / 1e9);
    const [from, to] = [x[0] ?? 0, x[x.length - 1] ?? 1];
    this.marks = [0, 1, 2, 3, 4].map((i) => from + ((to - from) * (i + 0.5)) / 5);
    const traces = LINES.map(([key, name, tone, width, dash]) => ({
      x, y: curves[key] || [], name, type: "scatter", mode: "lines", connectgaps: false,
      line: { color: colour(tone), width, dash }, hovertemplate: `%{y:.${decimals + 1}f}`,
    }));
    traders.forEach((trader, k) => {
      for (const side of ["buy", "sell"]) {
        const own = fills.filter((f) => f[0] === k && f[4] === side && f[1] >= from * 1e9).slice(-MAX_FILLS);
        traces.push({
          x: own.map((f) => f[1] / 1e9), y: own.map((f) => f[2]), text: own.map((f) => `${trader} ${side} ${f[3]}`),
          name: trader, showlegend: side === "buy", legendgroup: `t${k}`, type: "scatter", mode: "markers", hoverinfo: "text+y",
          marker: { symbol: side === "buy" ? "triangle-up" : "triangle-down", size: 7, color: colour(`trader-${k % 4}`),
            line: { width: 1, color: colour("panel") } },
        });
      }
    });
    const config = { displaylogo: false, scrollZoom: true, showSendToCloud: false,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendDataToCloud", "toImage"] };
    window.Plotly.react(this.node, traces, this.layout(), config);
    this.made = true;
  }
}
