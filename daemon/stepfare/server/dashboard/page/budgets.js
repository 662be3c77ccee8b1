// Budgets: how each cap stands, what is asked, and adding to one.

import { h } from "./dom.js"
import { bar } from "./today.js"
import { ago, clean, folder, money, pusdOf, typed } from "./words.js"

const NAMES = {
  session: "a session",
  project: "a day in a project",
  "project-month": "a month in a project",
  day: "a day",
  month: "a month",
  team: "a month of the team",
}
const AT_LIMIT = { ask: "asks at the cap", frugal: "goes on with frugal models at the cap", stop: "refuses at the cap" }
const BY = "dashboard"

export function of(message, nowMs) {
  const standing = message.caps.filter((cap) => cap.scope !== "session")
  if (!message.caps.length) return h("p", { class: "quiet" }, "No budget is set: ", h("code", {}, "stepfare budget set --day 10"), " sets one.")
  const inSessions = message.caps.length - standing.length
  return [
    h("ul", { class: "caps" }, standing.map(row)),
    inSessions > 0 && h("p", { class: "quiet" }, `${standing.length ? "And sessions have" : "Sessions have"} caps of their own: open one to see how it stands.`),
    message.extensions.length > 0 && h("h3", {}, "Added this month"),
    h("ul", {}, message.extensions.map((one) => h("li", { "data-key": one.id }, `${money(one.pusd)} to the ${one.scope} budget${whose(one)}, ${ago(one.at_ms, nowMs)} (${clean(one.by)})`))),
  ]
}

/** The caps of one session that only it has; what it shares is listed once, for all. */
export function ofSession(session) {
  const own = (session.budget?.caps ?? []).filter((cap) => cap.scope === "session")
  return own.length > 0 && h("ul", { class: "caps" }, own.map(row))
}

/** What agents wait for, the newest question first. */
export function questions(message, sessions, nowMs) {
  return message.questions.map((question) => asks(question, sessions, nowMs))
}

/** What a form asks for, each with path and body; or why nothing can be asked, in `words`. A question asks for some caps together. */
export function asked(form) {
  const sums = [...form.querySelectorAll("input[data-scope]")].map((input) => ({ ...input.dataset, pusd: pusdOf(input.value) }))
  if (sums.some((one) => !one.pusd)) return { words: "Write a sum above 0 such as 1.50." }
  const additions = sums.map(({ scope, subject, pusd }) => ({
    path: `budgets/${scope}${subject ? `/${encodeURIComponent(subject)}` : ""}`,
    body: `{"pusd":${pusd},"id":"${newId()}","by":"${BY}"}`,
    words: `${money(pusd)} to the ${scope} budget`,
  }))
  return { additions, words: "" }
}

function row(cap) {
  const state = cap.left_pusd <= 0n ? "bad" : cap.warned ? "warn" : ""
  const beside = [
    cap.reserved_pusd && `${money(cap.reserved_pusd)} reserved`,
    cap.extended_pusd && `${money(cap.extended_pusd)} of it added`,
    cap.burn_pusd_per_hour && `${money(cap.burn_pusd_per_hour)} an hour`,
    AT_LIMIT[cap.on_limit],
    `set by ${clean(cap.source)}`,
  ]
  return h(
    "li",
    { "data-key": `${cap.scope}/${cap.subject}/${cap.source}` },
    h("p", { class: state || null }, h("strong", { class: "money" }, money(cap.spent_pusd)), ` of ${money(cap.cap_pusd)} ${NAMES[cap.scope]}${cap.scope.startsWith("project") ? ` (${folder(cap.subject)})` : ""}, ${money(cap.left_pusd)} left`),
    bar(cap.spent_pusd + cap.reserved_pusd, cap.cap_pusd, state || "accent"),
    h("p", { class: "quiet" }, beside.filter(Boolean).join(", ")),
    cap.scope !== "team" && form([{ ...cap, pusd: (cap.cap_pusd - cap.extended_pusd) / 2n }], `Add to the ${cap.scope}`),
  )
}

function asks(question, sessions, nowMs) {
  const one = sessions.find((session) => session.id === question.session)
  return h(
    "div",
    { class: "asks", "data-key": `asks/${question.session}` },
    h("p", {}, h("strong", { class: "warn" }, `${clean(question.client) || "An agent"} waits`), ` (asked ${ago(question.at_ms, nowMs)}): ${clean(question.words)}`),
    one && h("p", { class: "quiet" }, clean(one.title)),
    form(question.proposals, "Add, so that it goes on"),
  )
}

function form(proposals, words) {
  return h(
    "form",
    { class: "extend" },
    proposals.map(({ scope, subject, pusd }) =>
      h(
        "label",
        {},
        "$ ",
        h("input", { "data-scope": scope, "data-subject": subject, inputmode: "decimal", value: typed(pusd), "aria-label": `Dollars to add to the ${scope} budget`, autocomplete: "off" }),
        proposals.length > 1 && ` ${scope}`,
      ),
    ),
    h("button", {}, words),
  )
}

function whose(one) {
  return one.subject ? ` of ${one.scope.startsWith("project") ? folder(one.subject) : clean(one.subject)}` : ""
}

/** Asked twice by mistake, the same addition counts once. */
function newId() {
  return "p-" + Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}
