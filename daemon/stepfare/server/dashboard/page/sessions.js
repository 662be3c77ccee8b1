// The list of sessions, each with what it burns and a strip of its latest steps.

import { h } from "./dom.js"
import { ago, clean, counted, folder, money, spent } from "./words.js"

const NOTCH_WIDTH = 5
const HEIGHTS = { frugal: 7, balanced: 13, premium: 19 }
/** Taller is dearer, so that colour is not all that tells tiers apart. */
const STRIP_HEIGHT = 20
const BURNING_MS = 15 * 60_000
const SHOWN = 10

/** Those that are looked for, or the newest of all. */
export function shown(list, choice) {
  const wanted = choice.filter.toLowerCase()
  if (wanted) return list.filter((one) => [one.id, one.title, one.client, one.project, one.workspace, one.branch].join(" ").toLowerCase().includes(wanted))
  return choice.all ? list : list.slice(0, SHOWN)
}

export function of(list, strips, choice, address, nowMs) {
  const found = shown(list, choice)
  if (!list.length) return h("p", { class: "quiet" }, "No sessions yet. Point a coding agent at the daemon: ", h("code", {}, "stepfare connect --list"), " shows how.")
  return [
    h("ul", { class: "sessions" }, found.map((one) => row(one, strips.get(one.id), address, nowMs))),
    !found.length && h("p", { class: "quiet" }, "No session is like that."),
    !choice.all && list.length > SHOWN && h("p", {}, h("button", { type: "button", "data-act": "all" }, "Show older sessions")),
  ]
}

function row(one, strip, address, nowMs) {
  const burns = one.burn_pusd_per_hour > 0n && nowMs - one.last_ms < BURNING_MS
  const where = [clean(one.client), folder(one.project || one.workspace), clean(one.branch)].filter(Boolean).join(" · ")
  return h(
    "li",
    { "data-key": one.id },
    h(
      "a",
      { href: `#session/${encodeURIComponent(one.id)}`, "data-session": one.id, "aria-current": address.what === "session" && address.id === one.id ? "true" : null },
      h("span", { class: "title" }, clean(one.title) || one.id),
      h("span", { class: "money" }, spent(one.totals)),
      h("span", { class: "quiet where" }, where),
      h("span", { class: "quiet burn" }, burns ? `${money(one.burn_pusd_per_hour)} an hour` : ago(one.last_ms, nowMs)),
      drawn(one, strip?.notches ?? []),
    ),
  )
}

/** What a glance tells; the session's own page has the same step by step, for keyboards and screen readers. */
function drawn(one, notches) {
  return h(
    "svg",
    { class: "strip", role: "img", height: STRIP_HEIGHT, width: Math.max(1, notches.length * NOTCH_WIDTH), "aria-label": said(one, notches) },
    notches.map((notch, at) =>
      h(
        "rect",
        {
          "data-key": notch.decision,
          "data-go": `decision/${encodeURIComponent(notch.decision)}`,
          class: `${notch.tier}${notch.escalated ? " escalated" : ""}`,
          x: at * NOTCH_WIDTH,
          y: STRIP_HEIGHT - HEIGHTS[notch.tier],
          width: NOTCH_WIDTH - 1,
          height: HEIGHTS[notch.tier],
        },
        h("title", {}, `${notch.kind}, ${notch.tier}: ${notch.model}, ${notch.cost_pusd === null ? "open or unpriced" : money(notch.cost_pusd)}`),
      ),
    ),
  )
}

function said(one, notches) {
  const tiers = Object.keys(HEIGHTS).map((tier) => [tier, notches.filter((notch) => notch.tier === tier).length])
  const parts = tiers.filter(([, steps]) => steps).map(([tier, steps]) => `${steps} ${tier}`)
  const all = notches.length < one.totals.steps ? `, the latest ${notches.length} of them` : ""
  return `${counted(one.totals.steps, "step")}${all}: ${parts.join(", ")}`
}

