// Traders: metrics side by side, risk gauges, own orders, tape, messages.
import { clock, compact, dash, element, number, setClass, setText, signed } from "./format.js";

const ROWS = [
  ["P&L", (t) => signed(t.equity), (t) => tone(t.equity)],
  ["Realised", (t) => signed(t.realised), (t) => tone(t.realised)],
  ["Unrealised", (t) => signed(t.unrealised), (t) => tone(t.unrealised)],
  ["Fees", (t) => number(t.fees)],
  ["Drawdown", (t) => number(t.drawdown)],
  ["Worst drawdown", (t) => number(t.max_drawdown)],
  ["Position", (t) => compact(t.position)],
  ["Cash", (t) => number(t.cash, 0)],
  ["Fills", (t) => compact(t.fills)],
  ["Volume", (t) => compact(t.volume)],
  ["Maker share", (t) => (t.maker_share === null || t.maker_share === undefined ? dash : `${Math.round(100 * t.maker_share)} %`)],
  ["Working orders", (t) => compact(t.working)],
];

function tone(value) {
  return value > 0 ? "up" : value < 0 ? "down" : "";
}

export class Traders {
  constructor(table, release) {
    this.table = table;
    this.release = release;
    this.key = "";
  }

  show(traders) {
    const key = traders.map((t) => t.name + t.stopped).join("|");
    if (key !== this.key) this.shape(traders, key);
    ROWS.forEach(([, text, mood], r) => {
      traders.forEach((trader, k) => {
        const cell = this.cells[r][k];
        setText(cell, text(trader));
        setClass(cell, mood ? mood(trader) : "");
      });
    });
  }

  shape(traders, key) {
    this.key = key;
    const head = element("tr", {}, element("th", { scope: "col", text: "" }));
    traders.forEach((t, k) => {
      const cell = element("th", { scope: "col", class: `of t${k % 4}`, text: t.name });
      if (t.stopped) {
        cell.append(element("button", { class: "small warn", type: "button", text: "Release", title: `Stopped: ${t.stopped}`, onclick: () => this.release(t.number) }));
      }
      head.append(cell);
    });
    this.table.tHead.replaceChildren(head);
    this.cells = [];
    const rows = ROWS.map(([label]) => {
      const cells = traders.map(() => element("td"));
      this.cells.push(cells);
      return element("tr", {}, element("th", { scope: "row", text: label }), ...cells);
    });
    this.table.tBodies[0].replaceChildren(...rows);
  }
}

const LIMITS = {
  max_position: "Position", max_order_size: "Order size", max_notional: "Notional", max_open_orders: "Open orders",
  max_order_rate: "Order rate", max_cancel_rate: "Cancel rate", max_loss: "Loss", max_drawdown: "Drawdown",
};

export class Gauges {
  constructor(node) {
    this.node = node;
    this.key = "";
  }

  show(traders) {
    const key = traders.map((t) => `${t.name}:${t.stopped}:${t.limits.map((l) => l.limit).join()}`).join("|");
    if (key !== this.key) this.shape(traders, key);
    traders.forEach((trader, k) => {
      trader.limits.forEach((limit, i) => {
        const { meter, value } = this.meters[k][i];
        const share = limit.allowed ? Math.min(limit.used / limit.allowed, 1) : 1;
        meter.firstChild.style.width = `${Math.round(100 * share)}%`;
        setClass(meter, `meter ${share >= 1 ? "full" : share >= 0.75 ? "high" : ""}`);
        meter.setAttribute("aria-valuenow", String(Math.round(100 * share)));
        setText(value, `${compact(limit.used)} / ${compact(limit.allowed)}`);
      });
    });
  }

  shape(traders, key) {
    this.key = key;
    this.meters = [];
    const parts = traders.map((trader, k) => {
      const meters = trader.limits.map((limit) => {
        const label = LIMITS[limit.limit] || limit.limit;
        const meter = element("div", { class: "meter", role: "meter", "aria-label": `${trader.name}: ${label}`, "aria-valuemin": "0", "aria-valuemax": "100" }, element("i"));
        const value = element("span", { class: "num" });
        return { meter, value, row: element("div", { class: "gauge" }, element("span", { text: label }), meter, value) };
      });
      this.meters.push(meters);
      const name = element("h3", {}, element("i", { class: `dot d${k % 4}` }), document.createTextNode(trader.name));
      if (trader.stopped) name.append(element("span", { class: "badge warn", text: trader.stopped }));
      const empty = meters.length ? [] : [element("p", { class: "dim", text: "No limit is set." })];
      return element("div", {}, name, ...empty, ...meters.map((m) => m.row));
    });
    this.node.replaceChildren(...parts);
  }
}

export class Tape {
  constructor(table) {
    this.body = table.tBodies[0];
    this.rows = [];
  }

  show(trades, decimals) {
    while (this.rows.length < trades.length) {
      const cells = [element("td"), element("td"), element("td")];
      const row = element("tr", {}, ...cells);
      this.body.append(row);
      this.rows.push({ row, cells });
    }
    this.rows.forEach(({ row, cells }, i) => {
      const trade = trades[i];
      row.hidden = !trade;
      if (!trade) return;
      const [time, price, quantity, side, own] = trade;
      setClass(row, `${side === "buy" ? "up" : "down"}${own ? " own" : ""}`);
      setText(cells[0], clock(time));
      setText(cells[1], number(price, decimals));
      setText(cells[2], compact(quantity) + (own ? " ●" : ""));
    });
  }
}

export class Orders {
  constructor(table, change, cancel) {
    this.body = table.tBodies[0];
    this.change = change;
    this.cancel = cancel;
    this.orders = [];
    this.key = null;
  }

  show(orders, decimals) {
    this.orders = orders;
    const key = orders.map((o) => o.id).join();
    if (key !== this.key) {
      this.key = key;
      this.cells = orders.map(() => [0, 1, 2, 3].map(() => element("td")));
      const rows = orders.map((o, i) => {
        const change = () => this.change(this.orders.find((now) => now.id === o.id));
        const buttons = [["✎", "Change", change], ["×", "Cancel", () => this.cancel(o.id)]].map(([text, what, onclick]) =>
          element("button", { class: "small", type: "button", text, title: what, "aria-label": `${what} order ${o.id}`, onclick }));
        return element("tr", { class: o.side === "buy" ? "up" : "down" }, ...this.cells[i], element("td", {}, ...buttons));
      });
      if (!rows.length) rows.push(element("tr", {}, element("td", { class: "dim", colspan: "5", text: "No working orders." })));
      this.body.replaceChildren(...rows);
    }
    orders.forEach((o, i) => {
      const texts = [o.side, compact(o.quantity), number(o.price, decimals), o.ahead === null ? dash : compact(o.ahead)];
      texts.forEach((text, k) => setText(this.cells[i][k], text));
    });
  }
}

export class Messages {
  constructor(list, toasts) {
    this.list = list;
    this.toasts = toasts;
    this.last = 0;
    this.first = true;
  }

  forget() {
    this.last = 0;
    this.first = true;
    this.list.replaceChildren();
  }

  // alerts: [{number, time, level, text}], oldest first
  show(alerts, { which, toasts }) {
    for (const alert of alerts.filter((a) => a.number > this.last)) {
      this.last = alert.number;
      if (which === "none" || (which === "warnings" && alert.level === "info")) continue;
      const item = element("li", { class: alert.level }, element("time", { class: "num", text: clock(alert.time) }), element("span", { text: alert.text }));
      this.list.prepend(item);
      while (this.list.children.length > 60) this.list.lastChild.remove();
      if (toasts && !this.first && alert.level !== "info") this.toast(alert.text, alert.level);
    }
    this.first = false;
  }

  toast(text, level = "error") {
    // The same again takes the place of the one before.
    const key = text.replace(/, \d+ times$/, "");
    for (const old of [...this.toasts.children]) if (old.dataset.key === key) old.remove();
    const node = element("div", { class: `toast ${level}`, text, "data-key": key });
    this.toasts.append(node);
    while (this.toasts.children.length > 3) this.toasts.firstChild.remove();
    setTimeout(() => node.remove(), 6000);
  }
}
