// Replay: a recording, moved through by a slider; the same panels show it.
import { clock, element, setText } from "./format.js";

export class Replay {
  constructor(show, leave) {
    this.show = show;
    this.leave = leave;
    this.bar = document.getElementById("replay");
    this.which = document.getElementById("replay-which");
    this.slider = document.getElementById("replay-slider");
    this.playing = null;
    this.document = null;
    this.which.addEventListener("change", () => this.load(this.which.value));
    this.slider.addEventListener("input", () => this.seek());
    document.getElementById("replay-play").addEventListener("click", () => this.play());
    document.getElementById("replay-close").addEventListener("click", () => this.close());
  }

  get active() {
    return !this.bar.hidden;
  }

  async open() {
    const answer = await fetch("/recordings");
    const { recordings } = await answer.json();
    this.bar.hidden = false;
    scrollTo({ top: 0 });
    document.body.classList.add("replaying");
    if (!recordings.length) {
      this.which.replaceChildren(element("option", { value: "", text: "no recordings yet" }));
      setText(document.getElementById("replay-time"), "“Keep a recording” makes one");
      return;
    }
    this.which.replaceChildren(...recordings.map((name) => element("option", { value: name, text: name })));
    await this.load(recordings[0]);
  }

  async load(name) {
    if (!name) return;
    const answer = await fetch(`/recordings/${encodeURIComponent(name)}`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    this.document = await answer.json();
    this.symbol = this.document.symbols[this.symbol] ? this.symbol : Object.keys(this.document.symbols)[0];
    this.begin();
  }

  choose(symbol) {
    if (!this.document || !this.document.symbols[symbol]) return;
    this.symbol = symbol;
    this.begin();
  }

  begin() {
    const { frames } = this.document.symbols[this.symbol];
    this.slider.max = Math.max(frames.length - 1, 0);
    this.slider.value = this.slider.max;
    this.seek();
  }

  seek() {
    if (!this.document) return;
    const { frames, chart } = this.document.symbols[this.symbol];
    const frame = frames[Number(this.slider.value)];
    if (!frame) return;
    const until = frame.ladder.time;
    let rows = chart.columns.time.findIndex((t) => t > until);
    if (rows < 0) rows = chart.columns.time.length;
    const columns = Object.fromEntries(Object.entries(chart.columns).map(([k, v]) => [k, v.slice(0, rows)]));
    setText(document.getElementById("replay-time"), clock(until));
    this.slider.setAttribute("aria-valuetext", clock(until));
    this.show(this.symbol, frame, columns, chart.fills.filter((f) => f[1] <= until));
  }

  play() {
    const button = document.getElementById("replay-play");
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
      button.textContent = "Play";
      return;
    }
    if (!this.document) return;
    if (this.slider.value === this.slider.max) this.slider.value = 0;
    button.textContent = "Pause";
    this.playing = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.seek();
      if (this.slider.value === this.slider.max) this.play();
    }, 150);
  }

  close() {
    if (this.playing) this.play();
    this.bar.hidden = true;
    this.document = null;
    document.body.classList.remove("replaying");
    this.leave();
  }
}
