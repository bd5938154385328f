// The order book as a ladder: asks above, bids below, own orders with the lots ahead of them in the queue.
import { compact, element, number, setClass, setText } from "./format.js";

export class Ladder {
  constructor(table, note, pick) {
    this.body = table.tBodies[0];
    this.note = note;
    this.pick = pick;
    this.rows = [];
    this.levels = 0;
  }

  shape(levels) {
    if (levels === this.levels) return;
    this.levels = levels;
    this.body.replaceChildren();
    this.rows = [];
    for (let i = 0; i < 2 * levels; i++) {
      const side = i < levels ? "ask" : "bid";
      const button = element("button", { class: "price", type: "button", tabindex: "-1" });
      const bar = element("span", { class: "bar" });
      const size = element("span", { class: "size" });
      const holder = element("td", { class: "cell" }, bar, size);
      const own = element("td", { class: "own" });
      const middle = element("td", { class: "mid" }, button);
      const blank = () => element("td");
      const cells = side === "ask" ? [blank(), blank(), middle, holder, own] : [own, holder, middle, blank(), blank()];
      const row = element("tr", { class: side }, ...cells);
      button.addEventListener("click", () => this.pick(Number(button.dataset.price), side));
      this.body.append(row);
      this.rows.push({ row, button, bar, size, own, side });
    }
    // One stop for the Tab key; the arrows move within.
    this.body.onkeydown = (event) => this.move(event);
    this.rows[levels].button.tabIndex = 0;
    this.rows[levels].row.classList.add("touch");
  }

  move(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = this.rows.findIndex((r) => r.button === document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = this.rows[Math.min(Math.max(at + step, 0), this.rows.length - 1)].button;
    next.focus();
  }

  show(book, levels, decimals) {
    this.shape(levels);
    const most = Math.max(1, ...book.asks.slice(0, levels).map((l) => l[1]), ...book.bids.slice(0, levels).map((l) => l[1]));
    for (let i = 0; i < levels; i++) {
      this.line(this.rows[levels - 1 - i], book.asks[i], most, decimals);
      this.line(this.rows[levels + i], book.bids[i], most, decimals);
    }
    const spread = book.spread === null ? "one side is empty" : `spread ${number(book.spread, decimals)}`;
    setText(this.note, `${spread} · imbalance ${book.imbalance === null ? "–" : Math.round(100 * book.imbalance) + " %"}`);
  }

  line(row, level, most, decimals) {
    if (!level) {
      setText(row.button, "");
      setText(row.size, "");
      setText(row.own, "");
      row.bar.style.width = "0";
      row.button.disabled = true;
      return;
    }
    const [price, quantity, own, ahead] = level;
    setText(row.button, number(price, decimals));
    row.button.dataset.price = price;
    row.button.disabled = false;
    setText(row.size, compact(quantity));
    row.bar.style.width = `${Math.round((100 * quantity) / most)}%`;
    setText(row.own, own ? `${compact(own)} · ${ahead === null ? "–" : compact(ahead)}` : "");
    setClass(row.own, own ? "own has" : "own");
  }
}
