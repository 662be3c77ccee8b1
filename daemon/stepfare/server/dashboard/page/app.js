// The page's one story: read how things stand, show it, follow the feed, read again what an event has changed.

import * as budgets from "./budgets.js"
import * as decision from "./decision.js"
import { show } from "./dom.js"
import * as health from "./health.js"
import { listen } from "./keys.js"
import * as session from "./session.js"
import * as sessions from "./sessions.js"
import * as spend from "./spend.js"
import * as today from "./today.js"
import { spent } from "./words.js"
import { Refused, follow, get, put } from "./wire.js"

const REFRESH_MS = 300
const REPORT_MS = 5000
/** Reports are read at most so often: a busy agent's step a second changes a month by nothing that one could see. */
const CLOCK_MS = 5000
const RETRY_MS = 3000
const SESSIONS_MORE = 200
const STRIPS_AT_ONCE = 50

const place = (id) => document.getElementById(id)
const choice = { filter: "", all: false, allSteps: false, days: 30, by: "model" }
const known = { overview: null, budgets: null, sessions: [], strips: new Map(), detail: null, decision: null, reports: null }
const stale = { detail: true, steps: false, reports: true, reportedMs: 0 }
let unfollow = () => {}
let [again, busy] = [false, false]
let retrying = 0
let left = ""

/** What the panel beside shows: `#session/ID`, `#decision/ID`, or nothing. */
function address() {
  const [what, id] = location.hash.slice(1).split("/")
  return ["session", "decision"].includes(what) && id ? { what, id: decodeURIComponent(id) } : { what: "", id: "" }
}

function start() {
  listen({ filter: place("filter"), help: place("help"), detail: place("detail"), back })
  place("filter").addEventListener("input", (event) => {
    choice.filter = event.target.value
    draw()
    tell(strips().then(draw))
  })
  place("help-open").addEventListener("click", () => place("help").showModal())
  document.addEventListener("click", clicked)
  document.addEventListener("submit", submitted)
  document.addEventListener("change", changed)
  window.addEventListener("hashchange", moved)
  // A page that nobody sees holds no line: browsers have few for each host.
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()))
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", spend.recolour)
  setInterval(() => tell(reports().then(draw)), CLOCK_MS)
  begin()
}

async function begin() {
  end()
  try {
    await refresh()
    unfollow = follow(known.overview.seq, heard, line)
  } catch (error) {
    failed(error)
    if (error.status !== 401) retrying = setTimeout(begin, RETRY_MS)
  }
}

function end() {
  clearTimeout(retrying)
  unfollow()
}

/** One reading at a time: what happens meanwhile is read by the next. */
async function heard(event) {
  stale.detail = stale.reports = again = true
  // What is said of sessions may give one other steps.
  stale.steps ||= event.kind === "sessions"
  if (busy) return
  busy = true
  while (again) {
    await new Promise((done) => setTimeout(done, REFRESH_MS))
    again = false
    await tell(refresh())
  }
  busy = false
}

function line(open) {
  state(open ? "live" : "waits for the daemon", open)
  // It may have been broken by a daemon that started anew: then this visit is over, and the answer says so.
  if (!open) tell(get("overview"))
  else if (place("notice").className === "bad") tell(refresh())
}

async function refresh() {
  const asked = [get("overview"), get("budgets"), choice.all ? get(`sessions?limit=${SESSIONS_MORE}`) : null]
  const [overview, caps, more] = await Promise.all(asked)
  Object.assign(known, { overview, budgets: caps, sessions: (more ?? overview).sessions })
  await Promise.all([strips(), detail(), reports()])
  if (place("notice").className === "bad") notice("")
  draw()
}

/** The strips of sessions in which something happened since they were read. */
async function strips() {
  const changed_ = sessions.shown(known.sessions, choice).filter((one) => known.strips.get(one.id)?.lastMs !== one.last_ms || one.totals.reserved_pusd > 0n)
  const lastMs = new Map(changed_.map((one) => [one.id, one.last_ms]))
  for (let at = 0; at < changed_.length; at += STRIPS_AT_ONCE) {
    const some = changed_.slice(at, at + STRIPS_AT_ONCE).map((one) => `session=${encodeURIComponent(one.id)}`)
    const found = await get(`strips?${some.join("&")}`)
    for (const strip of found.strips) known.strips.set(strip.session, { lastMs: lastMs.get(strip.session), notches: strip.notches })
  }
}

async function detail() {
  const { what, id } = address()
  if (what === "decision" && known.decision?.id !== id) known.decision = await get(`decisions/${encodeURIComponent(id)}`)
  if (what !== "session" || (known.detail?.session.id === id && !stale.detail)) return
  const before = stale.steps ? null : known.detail
  stale.detail = stale.steps = false
  known.detail = await session.read(get, id, before)
}

async function reports() {
  if (!stale.reports || Date.now() - stale.reportedMs < REPORT_MS) return
  Object.assign(stale, { reports: false, reportedMs: Date.now() })
  known.reports = await spend.read(get, choice)
}

function draw() {
  if (!known.overview) return
  const nowMs = Date.now()
  document.title = `${spent(known.overview.today)} today, stepfare`
  place("version").textContent = known.overview.version
  place("asks").hidden = !known.budgets.questions.length
  show(place("asks"), budgets.questions(known.budgets, known.sessions, nowMs))
  show(place("today"), today.of(known.overview))
  show(place("budgets"), budgets.of(known.budgets, nowMs))
  show(place("health"), health.of(known.overview, nowMs))
  show(place("sessions"), sessions.of(known.sessions, known.strips, choice, address(), nowMs))
  show(place("spend-choice"), spend.choices(choice))
  if (known.reports) {
    show(place("spend"), spend.table(known.reports))
    spend.draw(place("chart"), known.reports.days)
  }
  const panel = beside(nowMs)
  if (panel) show(place("detail"), panel)
  place("detail").hidden = !panel
  place("main").classList.remove("waits")
}

function beside(nowMs) {
  const { what, id } = address()
  if (what === "session" && known.detail?.session.id === id) return session.of(known.detail, choice, nowMs)
  if (what === "decision" && known.decision?.id === id) return decision.of(known.decision)
  return null
}

async function moved() {
  const { what, id } = address()
  await tell(detail())
  draw()
  if (!what) {
    // Where the panel was opened from has the focus again.
    document.querySelector(`#sessions a[data-session="${CSS.escape(left)}"]`)?.focus()
    return
  }
  left = what === "session" ? id : (known.decision?.session ?? left)
  choice.allSteps = false
  place("detail").scrollTop = 0
  place("detail").querySelector("h2")?.focus()
}

/** From a decision to its session, from a session to the list. */
function back() {
  const { what } = address()
  if (what) location.hash = what === "decision" && known.decision?.session ? `session/${encodeURIComponent(known.decision.session)}` : ""
}

function clicked(event) {
  const target = event.target.closest("[data-go], [data-act]")
  if (!target) return
  event.preventDefault()
  const { go, act, session: id, tier } = target.dataset
  if (go) location.hash = go
  if (act === "close") location.hash = ""
  if (act === "pin") tell(change(() => put(`sessions/${encodeURIComponent(id)}/pin`, JSON.stringify({ tier: tier || null }))))
  if (act === "all-steps") {
    choice.allSteps = true
    draw()
  }
  if (act === "all") {
    choice.all = true
    tell(refresh())
  }
}

function changed(event) {
  const { name, value } = event.target
  if (name !== "days" && name !== "by") return
  choice[name] = name === "days" ? Number(value) : value
  Object.assign(stale, { reports: true, reportedMs: 0 })
  tell(reports().then(draw))
}

async function submitted(event) {
  const form = event.target
  if (!form.matches(".extend")) return
  event.preventDefault()
  const asked = budgets.asked(form)
  if (asked.words) return notice(asked.words, "bad")
  const button = form.querySelector("button")
  button.disabled = true
  const done = await tell(change(() => Promise.all(asked.additions.map((one) => put(one.path, one.body)))))
  button.disabled = false
  if (done) notice(`Added ${asked.additions.map((one) => one.words).join(" and ")}. A session that was stopped goes on with its next message.`, "ok")
}

async function change(asked) {
  await asked()
  stale.detail = true
  await refresh()
}

/** Whether it went well; if not, the page says why. */
async function tell(doing) {
  try {
    await doing
    return true
  } catch (error) {
    failed(error)
    return false
  }
}

function failed(error) {
  if (!(error instanceof Refused)) throw error
  notice(error.message, "bad")
  if (error.status === 401) {
    end()
    state("ended", false)
  }
}

function state(words, live) {
  place("state").textContent = words
  place("state").className = live ? "live" : "waiting"
}

function notice(words, kind = "") {
  place("notice").textContent = words
  place("notice").className = kind
  place("notice").hidden = !words
}

start()
