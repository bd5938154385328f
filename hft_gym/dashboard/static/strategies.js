// The strategy panel: two slots side by side, parameters from the catalogue, errors where they belong.
import { element } from "./format.js";

export class Strategies {
  constructor(node, apply) {
    this.node = node;
    this.apply = apply;
    this.catalogue = { baselines: {}, agents: [] };
    this.key = "";
  }

  show(catalogue, strategies) {
    this.catalogue = catalogue;
    const key = JSON.stringify([Object.keys(catalogue.baselines), catalogue.agents, strategies]);
    if (key === this.key) return;
    this.key = key;
    this.node.replaceChildren(...strategies.map((strategy, k) => this.slot(strategy, k)));
  }

  slot(strategy, k) {
    const select = element("select", { name: "name", "aria-label": `Strategy ${strategy.slot}` });
    const scripted = element("optgroup", { label: "Baselines" });
    scripted.append(element("option", { value: "", text: "none" }));
    for (const name of Object.keys(this.catalogue.baselines)) scripted.append(element("option", { value: name, text: name }));
    select.append(scripted);
    if (this.catalogue.agents.length) {
      const trained = element("optgroup", { label: "Trained agents" });
      for (const name of this.catalogue.agents) trained.append(element("option", { value: name, text: name }));
      select.append(trained);
    }
    select.value = strategy.name;
    const about = element("p", { class: "dim wide about" });
    const fields = element("div", { class: "fields wide" });
    const error = element("p", { class: "error wide", role: "alert" });
    const button = element("button", { class: "primary wide", text: "Apply" });
    const form = element("form", { class: "form slot", autocomplete: "off" },
      element("h3", { class: "wide" }, element("i", { class: `dot d${k % 4}` }), document.createTextNode(`Strategy ${strategy.slot}`)),
      element("label", { class: "wide" }, select), about, fields, button, error);
    const fill = (given) => {
      const entry = this.catalogue.baselines[select.value];
      about.textContent = entry ? entry.about : select.value ? "Trained agent; plays as it was trained." : "Nobody trades here.";
      fields.replaceChildren(...(entry ? entry.parameters : []).map((p) => this.field(p, given[p.name])));
    };
    select.addEventListener("change", () => fill({}));
    fill(strategy.parameters);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      error.textContent = "";
      button.disabled = true;
      try {
        await this.apply(strategy.slot, select.value, this.read(fields));
      } catch (problem) {
        error.textContent = problem.message;
      } finally {
        button.disabled = false;
      }
    });
    return form;
  }

  field(parameter, given) {
    const { name, kind } = parameter;
    const label = element("label", { text: name.replaceAll("_", " ") });
    let input;
    if (kind === "choice") {
      input = element("select", {}, element("option", { value: "", text: "default" }), ...parameter.choices.map((c) => element("option", { value: c, text: c })));
    } else if (kind === "bool") {
      input = element("select", {}, ...["", "true", "false"].map((v) => element("option", { value: v, text: v || "default" })));
    } else {
      input = element("input", { type: "number", step: kind === "int" ? "1" : "any", placeholder: "default" });
    }
    input.name = name;
    input.dataset.kind = kind;
    if (given !== undefined) input.value = String(given);
    label.append(input);
    return label;
  }

  read(fields) {
    const found = {};
    for (const input of fields.querySelectorAll("[data-kind]")) {
      if (input.value === "") continue;
      const kind = input.dataset.kind;
      found[input.name] = kind === "choice" ? input.value : kind === "bool" ? input.value === "true" : Number(input.value);
    }
    return found;
  }
}
