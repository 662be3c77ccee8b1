// One session step by step, with what holds for it: its pin, its budgets, what is warm.

import * as budgets from "./budgets.js"
import { h, modelName } from "./dom.js"
import { compared, facts } from "./today.js"
import { ago, clean, cost, count, counted, lasting, money, spent } from "./words.js"

const READ_AGAIN = 5
/** So many of the latest: a cache that was kept alive is paid for by the step before the pause. */
const STEPS_SHOWN = 200
const TIERS = ["frugal", "balanced", "premium"]
const OUTCOMES = {
  ok: "",
  open: "",
  escalated: "",
  cut: "the answer broke off",
  "hang-up": "the client hung up",
  busy: "was busy",
  down: "was down",
  slow: "was too slow",
  refused: "refused the request",
  overflow: "found the prompt too long",
  key: "did not take the key",
  lost: "was lost when the daemon died",
}
const STANDS_ALONE = ["cut", "hang-up"]

/** A session with its steps. Of those that were read before only what may have changed is read again: a long session's are many. */
export async function read(get, id, before) {
  const old = before?.session.id === id ? before.steps : []
  const open = old.findIndex((step) => step.attempts.some((attempt) => attempt.outcome === "open"))
  const after = Math.max(0, Math.min(open < 0 ? old.length : open, old.length - READ_AGAIN))
  const fresh = await get(`sessions/${encodeURIComponent(id)}?after=${after}`)
  return { session: fresh.session, steps: [...old.slice(0, after), ...fresh.steps] }
}

export function of(detail, choice, nowMs) {
  const one = detail.session
  return [
    h("div", { class: "head" }, h("h2", { tabindex: "-1" }, clean(one.title) || `Session ${one.id}`), closing()),
    h("p", { class: "quiet" }, where(one, nowMs)),
    h("p", { class: "sum" }, h("strong", { id: "session-spent" }, spent(one.totals)), ` for ${counted(one.totals.steps, "step")}`, family(one)),
    h("p", { class: "quiet" }, [...compared(one.totals), one.burn_pusd_per_hour ? `${money(one.burn_pusd_per_hour)} an hour at its pace of late` : ""].filter(Boolean).join(", ")),
    h("dl", { class: "facts" }, facts(one.totals).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    pin(one),
    budgets.ofSession(one),
    warm(one, nowMs),
    h("h3", {}, "Steps"),
    steps(detail.steps, choice.allSteps),
  ]
}

export function closing() {
  return h("button", { type: "button", class: "close", "data-act": "close", "aria-label": "Close", title: "Close (Esc)" }, "×")
}

function family(one) {
  return one.family ? `, ${spent(one.family.totals)} together with ${counted(one.family.sessions.length - 1, "other session")} of its task` : ""
}

function where(one, nowMs) {
  const place = [clean(one.workspace), one.branch ? `(${clean(one.branch)})` : ""].filter(Boolean).join(" ")
  const parts = [clean(one.client) || "an unknown agent", place && `in ${place}`].filter(Boolean).join(" ")
  return `${parts}, started ${ago(one.started_ms, nowMs)}, last step ${ago(one.last_ms, nowMs)}. Id ${one.id}`
}

function pin(one) {
  const button = (tier, words) => h("button", { type: "button", "data-act": "pin", "data-session": one.id, "data-tier": tier, "aria-pressed": String((one.pin ?? "") === tier) }, words)
  return h("p", { class: "choices" }, "Served by ", button("", "what each step needs"), TIERS.map((tier) => button(tier, `always ${tier}`)))
}

function warm(one, nowMs) {
  const still = one.warm.filter((each) => each.until_ms > nowMs)
  return still.length > 0 && h("p", { class: "quiet" }, "Warm: ", still.map((each) => `${each.model}, ${counted(each.tokens, "token")} for ${lasting(each.until_ms - nowMs)} more`).join("; "))
}

function steps(list, all) {
  if (!list.length) return h("p", { class: "quiet" }, "No steps yet.")
  const left = all ? 0 : Math.max(0, list.length - STEPS_SHOWN)
  const names = ["#", "Kind", "Tier", "In", "Cached", "Out", "Cost", "Model", "Why"]
  const numbers = new Set(["#", "In", "Cached", "Out", "Cost"])
  const table = h(
    "table",
    { class: "steps", role: "table" },
    h("thead", {}, h("tr", { role: "row" }, names.map((name) => h("th", { scope: "col", role: "columnheader", class: numbers.has(name) ? "number" : null }, name)))),
    h("tbody", { role: "rowgroup" }, list.slice(left).map((step, at) => row(step, left + at + 1)).reverse()),
  )
  return [table, left > 0 && h("p", {}, h("button", { type: "button", "data-act": "all-steps" }, `Show the first ${counted(left, "step")}`))]
}

function row(step, number) {
  const used = step.usage
  const cell = (name, value, kind = "") => h("td", { role: "cell", "data-name": name, class: kind || null }, value)
  return h(
    "tr",
    { "data-key": step.decision, role: "row" },
    h("td", { role: "cell", class: "number" }, h("a", { href: `#decision/${encodeURIComponent(step.decision)}`, "aria-label": `Step ${number}: why` }, String(number))),
    cell("Kind", step.kind),
    cell("Tier", h("span", { class: `tier ${step.tier}` }, step.tier ?? "")),
    cell("In", used ? count(used.input_tokens) : "", "number spare"),
    cell("Cached", used ? count(used.cache_read_tokens) : "", "number spare"),
    cell("Out", used ? count(used.output_tokens) : "", "number spare"),
    cell("Cost", cost(step), "number"),
    cell("Model", step.model ? modelName(step.model) : "", "model"),
    cell("Why", why(step), "why"),
  )
}

function why(step) {
  const parts = step.predicted === step.kind ? [] : [`${step.predicted} was foreseen`]
  parts.push(...step.because.slice(0, 1))
  if (step.escalated) parts.push("the first answer needed a better model and was taken back")
  for (const attempt of step.attempts) {
    const words = OUTCOMES[attempt.outcome] ?? attempt.outcome
    if (words) parts.push(STANDS_ALONE.includes(attempt.outcome) ? words : `${attempt.model} ${words}`)
  }
  return clean(parts.join("; "))
}
