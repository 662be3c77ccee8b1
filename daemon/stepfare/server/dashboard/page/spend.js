// What was spent in a time, by what is asked for: a chart of days by tier, and the table that says the same in figures.

import { h } from "./dom.js"
import * as chart from "./chart.js"
import { clean, count, folder, money, moneyLike, share, spent } from "./words.js"

const DAYS = [[1, "today"], [7, "7 days"], [30, "30 days"], [90, "90 days"]]
const GROUPS = ["day", "model", "tier", "project", "kind", "client"]

/** The reports of that time: by day and tier for the chart, and by what the table is by. */
export async function read(get, choice) {
  const since = new Date()
  since.setHours(0, 0, 0, 0)
  since.setDate(since.getDate() - choice.days + 1)
  const asked = (by) => get(`report?by=${by}&since_ms=${since.getTime()}`)
  const [days, rows] = await Promise.all([asked("day,tier"), asked(choice.by)])
  return { days: { ...days, since, count: choice.days }, rows }
}

export function choices(choice) {
  const radio = (name, value, words) =>
    h("label", { "data-key": `${name}-${value}` }, h("input", { type: "radio", name, value, checked: choice[name] === value }), h("span", {}, words))
  return [
    h("fieldset", {}, h("legend", {}, "Time"), DAYS.map(([days, words]) => radio("days", days, words))),
    h("fieldset", {}, h("legend", {}, "By"), GROUPS.map((by) => radio("by", by, by))),
  ]
}

export function table(reports) {
  const { rows, by, whole } = reports.rows
  if (!rows.length) return h("p", { class: "quiet" }, "Nothing was spent in that time.")
  const names = [by[0], "steps", "spent", "saved on premium", "on balanced", "cached", "per 1M tokens", "escalated"]
  const shown = by[0] === "day" ? [...rows].reverse() : rows
  return h(
    "div",
    { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Spend as a table" },
    h(
      "table",
      { class: "report" },
      h("thead", {}, h("tr", {}, names.map((name, at) => h("th", { scope: "col", class: at ? "number" : null }, name)))),
      h("tbody", {}, shown.map((row) => line(named(by[0], row.names[0]), row, whole.totals.spent_pusd))),
      h("tfoot", {}, line("in all", whole, whole.totals.spent_pusd)),
    ),
  )
}

export const draw = chart.draw
export const recolour = chart.recolour

function line(name, row, largest) {
  const sums = row.totals
  const cells = [
    count(sums.steps),
    sums.unpriced_steps && !sums.spent_pusd ? spent(sums) : moneyLike(sums.spent_pusd, largest),
    saved(row.saved_on_premium_pusd, sums.always_premium_pusd),
    saved(row.saved_on_balanced_pusd, sums.always_balanced_pusd),
    sums.input_tokens ? share(sums.cache_read_tokens, sums.input_tokens) : "",
    row.pusd_per_million_tokens === null ? "" : money(row.pusd_per_million_tokens),
    sums.escalations ? count(sums.escalations) : "",
  ]
  return h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", { class: "number" }, cell)))
}

function named(by, name) {
  if (!name) return "(none)"
  if (by === "tier") return h("span", { class: `tier ${name}` }, name)
  return by === "project" ? h("span", { title: clean(name) }, folder(name)) : clean(name)
}

/** `60 %`, or `+4 %` where it cost more than that. */
function saved(pusd, wouldBe) {
  if (!wouldBe) return ""
  return pusd >= 0n ? share(pusd, wouldBe) : `+${share(-pusd, wouldBe)}`
}
