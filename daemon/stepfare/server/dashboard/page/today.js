// Today: what was spent, what it would have been, and how much came from caches.

import { h } from "./dom.js"
import { against, count, counted, money, share, spent } from "./words.js"

const TIERS = ["frugal", "balanced", "premium"]
const PLAY_MONEY = "Simulator: no provider key was found, so a built-in simulator answers. All sums are play money."

export function of(overview) {
  const totals = overview.today
  return [
    h("h2", {}, "Today"),
    overview.mode === "simulator" && h("p", { class: "warn" }, PLAY_MONEY),
    h("p", { class: "sum" }, h("strong", { id: "today-spent" }, spent(totals)), ` for ${counted(totals.steps, "step")}`),
    h("p", { class: "quiet compared" }, compared(totals).join(", ")),
    bars(totals),
    tiers(totals),
    h("dl", { class: "facts" }, facts(totals).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
  ]
}

export function compared(totals) {
  return [
    [totals.always_premium_pusd, "always premium"],
    [totals.always_balanced_pusd, "always balanced"],
  ]
    .filter(([pusd]) => pusd && pusd !== totals.spent_pusd)
    .map(([pusd, name]) => against(totals.spent_pusd, pusd, name))
}

function bars(totals) {
  const rows = [
    ["Spent", totals.spent_pusd, "accent"],
    ["Always balanced", totals.always_balanced_pusd, "balanced"],
    ["Always premium", totals.always_premium_pusd, "premium"],
  ]
  const most = rows.reduce((so, [, pusd]) => (pusd > so ? pusd : so), 0n)
  return h(
    "dl",
    { class: "bars" },
    rows.map(([name, pusd, tier]) => [h("dt", {}, name), h("dd", {}, bar(pusd, most, tier), h("span", {}, money(pusd)))]),
  )
}

function tiers(totals) {
  const served = TIERS.filter((tier) => totals.by_tier[tier])
  const said = (tier) => [h("span", { class: `tier ${tier}` }, tier), ` ${money(totals.by_tier[tier].spent_pusd)} (${counted(totals.by_tier[tier].steps, "step")})`]
  return served.length > 0 && h("p", {}, served.map((tier, at) => [at > 0 && ", ", said(tier)]))
}

export function bar(part, whole, name) {
  const percent = whole > 0n ? Number((1000n * part) / whole) / 10 : 0
  return h(
    "svg",
    { class: "bar", "aria-hidden": "true" },
    h("rect", { class: "ground", width: "100%", height: "100%" }),
    h("rect", { class: name, width: `${Math.min(100, percent)}%`, height: "100%" }),
  )
}

/** What a total says beside its sum; what is nothing is left out. */
export function facts(totals) {
  return [
    ["Read from caches", totals.input_tokens ? `${share(totals.cache_read_tokens, totals.input_tokens)} of ${counted(totals.input_tokens, "token")}` : "none yet"],
    ["Escalated", totals.escalations ? `${counted(totals.escalations, "answer")}, ${money(totals.escalated_pusd)}` : "none"],
    ["Under way", totals.reserved_pusd ? `${money(totals.reserved_pusd)} at most` : ""],
    ["Rewrote caches", totals.switch_writes_pusd ? `${money(totals.switch_writes_pusd)}, because the model changed` : ""],
    ["Estimated", totals.estimated_pusd ? `${money(totals.estimated_pusd)} (${money(totals.estimated_low_pusd)} to ${money(totals.estimated_high_pusd)})` : ""],
    ["Without a price", totals.unpriced_steps ? counted(totals.unpriced_steps, "step") : ""],
    ["Lost sight of", totals.lost_pusd ? `${money(totals.lost_pusd)} at most, when the daemon died` : ""],
    ["Written", totals.output_tokens ? `${count(totals.output_tokens)} tokens` : ""],
  ].filter(([, value]) => value)
}
