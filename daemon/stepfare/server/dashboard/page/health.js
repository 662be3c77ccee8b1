// How the providers are, and what is wrong in files that a person wrote.

import { h } from "./dom.js"
import { clean, lasting } from "./words.js"

const STATES = { ok: "ok", "no-key": "quiet" }

export function of(overview, nowMs) {
  return [
    h("ul", { class: "providers" }, overview.providers.map((one) => provider(one, nowMs))),
    !overview.providers.length && h("p", { class: "quiet" }, "No provider is in use."),
    overview.problems.length > 0 && h("h3", {}, "Problems"),
    h("ul", {}, overview.problems.map((one) => h("li", {}, h("span", { class: one.severity === "error" ? "bad" : "warn" }, one.severity), ` ${place(one)}: ${clean(one.words)}`))),
  ]
}

function provider(one, nowMs) {
  const since = one.state === "resting" && nowMs > one.since_ms ? ` for ${lasting(nowMs - one.since_ms)}` : ""
  return h("li", { "data-key": one.id }, one.id, " ", h("span", { class: STATES[one.state] ?? "warn" }, one.state), since, one.why ? `: ${clean(one.why)}` : "")
}

function place(one) {
  return [clean(one.source), one.line, one.line && one.column].filter(Boolean).join(":")
}
