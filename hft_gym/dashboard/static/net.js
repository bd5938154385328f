// The WebSocket: reconnects by itself, and gives every request its answer.
import { sessionId } from "./settings.js";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 5000;

export class Link extends EventTarget {
  constructor() {
    super();
    this.number = 0;
    this.waiting = new Map();
    this.tries = 0;
    this.socket = null;
    this.attached = false;
    this.fresh = false;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.attached) this.connect();
    });
    addEventListener("online", () => this.connect());
  }

  connect() {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.tell("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = (this.socket = new WebSocket(`${scheme}://${location.host}/ws`));
    socket.onopen = () => this.attach();
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.attached = false;
      for (const { reject } of this.waiting.values()) reject(new Error("the connection was lost"));
      this.waiting.clear();
      this.tell("offline", event.reason);
      const wait = Math.min(FIRST_WAIT * 2 ** this.tries++, LONGEST_WAIT);
      this.timer = setTimeout(() => this.connect(), wait * (0.75 + 0.5 * Math.random()));
    };
  }

  async attach() {
    const message = { session: sessionId() };
    if (this.fresh) message.fresh = true;
    this.fresh = false;
    try {
      const told = await this.ask("attach", message);
      this.tries = 0;
      this.attached = true;
      sessionId(told.session);
      this.tell("online");
      this.dispatchEvent(new CustomEvent("attached", { detail: told }));
    } catch (error) {
      this.tell("offline", error.message);
      this.socket.close();
    }
  }

  // A session of one's own, begun anew.
  renew() {
    this.fresh = true;
    return this.attach();
  }

  ask(type, fields = {}) {
    return new Promise((resolve, reject) => {
      if (!this.socket || this.socket.readyState !== WebSocket.OPEN) {
        reject(new Error("not connected"));
        return;
      }
      const id = ++this.number;
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ v: 1, type, id, ...fields }));
    });
  }

  hear(message) {
    const { type, id } = message;
    if (type === "done" || type === "error" || type === "attached") {
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (asked) type === "error" ? asked.reject(new Error(message.error)) : asked.resolve(message);
      else if (type === "error") this.dispatchEvent(new CustomEvent("refused", { detail: message.error }));
      return;
    }
    this.dispatchEvent(new CustomEvent(type, { detail: message }));
  }

  tell(state, why = "") {
    this.dispatchEvent(new CustomEvent("link", { detail: { state, why } }));
  }
}

