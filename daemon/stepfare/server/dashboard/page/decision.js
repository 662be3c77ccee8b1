// Why a step got its model: what it was taken for, the floor, the gate, the candidates with their arithmetic, the rejections.

import { h, modelName } from "./dom.js"
import { closing } from "./session.js"
import { chance, clean, count, lasting, money, moneyLike, rate } from "./words.js"

const CHANCE_SHOWN_MIN = 0.01
const CONTRIBUTION_SHOWN_MIN = 0.05
const CONTRIBUTIONS_SHOWN = 4
const TIERS = ["frugal", "balanced", "premium"]
const REASONS = {
  "below-floor": "below the floor",
  context: "too small a window",
  capability: "cannot do it",
  format: "cannot be told",
  health: "resting",
  denied: "denied",
  budget: "over budget",
  "no-key": "no key",
  "not-chosen": "not listed",
}

export function of(one) {
  const served = one.candidates.find((candidate) => candidate.model === one.chosen)
  return [
    h("div", { class: "head" }, h("h2", { tabindex: "-1" }, one.chosen ? modelName(one.chosen) : "Nobody can serve this step"), served && tier(served.tier), closing()),
    h("p", { class: "quiet" }, `Decision ${one.id}`, one.session && [" of ", h("a", { href: `#session/${encodeURIComponent(one.session)}` }, "its session")]),
    h("h3", {}, "Step"),
    chances(one),
    evidence(one.contributions),
    h("h3", {}, "Floor"),
    h("p", {}, tier(one.floor.tier), `, set by ${clean(one.floor.source)}: ${clean(one.floor.words)}`),
    gate(one.gate, one.floors),
    floors(one.floors),
    one.because.length > 0 && [h("h3", {}, "Why"), h("ul", { class: "said" }, one.because.map((words) => h("li", {}, clean(words))))],
    one.candidates.length > 0 && [
      h("h3", {}, "Candidates"),
      h("p", { class: "quiet" }, "The first choice first, with what this step was expected to cost: tokens × price."),
      h("ol", { class: "candidates" }, one.candidates.map(candidate)),
    ],
    one.rejections.length > 0 && [
      h("h3", {}, "Rejected"),
      h("dl", { class: "facts" }, one.rejections.map((each) => [h("dt", {}, each.model), h("dd", {}, `${REASONS[each.reason] ?? each.reason}: ${clean(each.words)}`)])),
    ],
  ]
}

function tier(name) {
  return h("span", { class: `tier ${name}` }, name)
}

function chances(one) {
  const likely = Object.entries(one.probabilities).filter(([, probability]) => probability >= CHANCE_SHOWN_MIN)
  likely.sort((a, b) => b[1] - a[1])
  if (likely.length < 2) return h("p", {}, one.kind)
  return h("p", {}, h("strong", {}, one.kind), ` (${likely.map(([kind, probability]) => `${kind} ${chance(probability)}`).join(", ")})`)
}

function evidence(contributions) {
  const told = contributions.filter((one) => Math.abs(one.log_odds) >= CONTRIBUTION_SHOWN_MIN)
  const sides = [
    ["For an edit", told.filter((one) => one.log_odds > 0)],
    ["Against one", told.filter((one) => one.log_odds < 0)],
  ].filter(([, side]) => side.length)
  const signed = (value) => (value > 0 ? "+" : "") + value.toFixed(1)
  return h("dl", { class: "facts" }, sides.map(([name, side]) => [h("dt", {}, name), h("dd", {}, side.slice(0, CONTRIBUTIONS_SHOWN).map((one) => `${clean(one.words)} ${signed(one.log_odds)}`).join(", "))]))
}

function gate(one, floors_) {
  if (!one.on) return Object.keys(floors_).length > 0 && h("p", {}, "The gate is off: the answer passes as it comes.")
  const needs = one.needs ? `; an edit needs ${one.needs}` : ""
  return h("p", {}, `The gate: a lower model's answer is held, ${lasting(one.hold_ms)} at most, until its action is known${needs}.`)
}

/** Each floor once, with the kinds of turns that it holds for. */
function floors(all) {
  const kinds = new Map()
  for (const [kind, floor] of Object.entries(all)) {
    const words = floor.words.endsWith(`: ${kind} is ${floor.tier}`) ? floor.words.slice(0, -`: ${kind} is ${floor.tier}`.length) : floor.words
    const key = JSON.stringify([floor.tier, words])
    kinds.set(key, [...(kinds.get(key) ?? []), kind])
  }
  if (kinds.size < 2) return null
  const rows = [...kinds].map(([key, of_]) => [...JSON.parse(key), of_]).sort((a, b) => TIERS.indexOf(a[0]) - TIERS.indexOf(b[0]))
  return h("dl", { class: "facts" }, rows.map(([name, words, of_]) => [h("dt", {}, tier(name)), h("dd", {}, `${of_.join(", ")}: ${clean(words)}`)]))
}

function candidate(one) {
  const largest = one.arithmetic.reduce((so, part) => (size(part.pusd) > so ? size(part.pusd) : so), 0n)
  return h(
    "li",
    { "data-key": one.model },
    h("p", {}, h("strong", {}, modelName(one.model)), " ", tier(one.tier), " ", h("span", { class: "money" }, money(one.expected_pusd))),
    one.arithmetic.length > 0 &&
      h(
        "table",
        { class: "arithmetic" },
        h(
          "tbody",
          {},
          one.arithmetic.map((part, at) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, clean(part.what)),
              h("td", { class: "number" }, part.tokens ? count(part.tokens) : ""),
              h("td", { class: "times" }, part.tokens ? `× ${rate(part.rate)}/M` : ""),
              h("td", { class: "number" }, `${part.pusd < 0n ? "−" : at ? "+" : ""} ${moneyLike(size(part.pusd), largest)}`),
            ),
          ),
        ),
      ),
  )
}

function size(pusd) {
  return pusd < 0n ? -pusd : pusd
}
