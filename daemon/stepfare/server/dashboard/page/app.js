// The page's one story: read how things stand, show it, follow the feed, read again what an event has changed.

import { show } from "./dom.js"
import * as budgets from "./budgets.js"
import * as decision from "./decision.js"
import * as health from "./health.js"
import { listen } from "./keys.js"
import * as session from "./session.js"
import * as sessions from "./sessions.js"
import * as spend from "./spend.js"
import * as today from "./today.js"
import { Refused, follow, get, put } from "./wire.js"

const REFRESH_MS = 300
const REPORT_MS = 5000
const CLOCK_MS = 10_000
const RETRY_MS = 3000
const SESSIONS_MORE = 200

const place = (id) => document.getElementById(id)
const known = { overview: null, budgets: null, sessions: null, strips: new Map(), detail: null, decision: null, reports: null }
const choice = { filter: "", all: false, days: 30, by: "model" }
let [unfollow, timer, reportedMs, opener] = [null, 0, 0, null]

/** `#session/ID`, `#decision/ID` or nothing: what the panel beside shows. */
function address() {
  const [what, id] = location.hash.slice(1).split("/")
  return { what, id: id ? decodeURIComponent(id) : "" }
}

async function start() {
  listen({ moveTo: (link) => link.focus(), back: () => history.length > 1 && address().what === "decision" ? history.back() : close() })
  place("filter").addEventListener("input", (event) => {
    choice.filter = event.target.value
    draw()
  })
  place("help-open").addEventListener("click", () => place("help").showModal())
  document.addEventListener("click", clicked)
  document.addEventListener("submit", submitted)
  document.addEventListener("change", changed)
  window.addEventListener("hashchange", moved)
  // A page that nobody sees holds no line: browsers have few for each host.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : begin()))
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => spend.recolour())
  setInterval(draw, CLOCK_MS)
  await begin()
}

async function begin() {
  stop()
  try {
    await refresh()
    unfollow = follow(known.overview.seq, heard, state)
    await moved()
  } catch (error) {
    failed(error)
    if (!(error instanceof Refused && error.status === 401)) timer = setTimeout(begin, RETRY_MS)
  }
}

function stop() {
  clearTimeout(timer)
  timer = 0
  unfollow?.()
  unfollow = null
}

function heard(event) {
  const { what, id } = address()
  if (what === "session" && event.session && event.session === id) known.detail = null
  timer ||= setTimeout(async () => {
    timer = 0
    try {
      await refresh()
    } catch (error) {
      failed(error)
    }
  }, REFRESH_MS)
}

function state(open) {
  place("state").textContent = open ? "live" : "waits for the daemon"
  place("state").className = open ? "live" : "waiting"
  // A line that broke may have been broken by a daemon that started anew, where this visit is over.
  if (!open) get("overview").catch(failed)
}

async function refresh() {
  const more = choice.all ? get(`sessions?limit=${SESSIONS_MORE}`) : null
  const [overview, caps] = await Promise.all([get("overview"), get("budgets")])
  known.overview = overview
  known.budgets = caps
  known.sessions = more ? (await more).sessions : overview.sessions
  notice("")
  draw()
  await Promise.all([strips(), detail(), reports()])
  draw()
}

/** The strips of sessions in which something happened since they were read. */
async function strips() {
  const stale = known.sessions.filter((one) => known.strips.get(one.id)?.lastMs !== one.last_ms || one.totals.reserved_pusd > 0n)
  if (!stale.length) return
  const found = await get("strips?" + stale.map((one) => `session=${encodeURIComponent(one.id)}`).join("&"))
  const lastMs = new Map(stale.map((one) => [one.id, one.last_ms]))
  for (const strip of found.strips) known.strips.set(strip.session, { lastMs: lastMs.get(strip.session), notches: strip.notches })
}

async function detail() {
  const { what, id } = address()
  if (what === "session" && known.detail?.session.id !== id) known.detail = await get(`sessions/${encodeURIComponent(id)}`)
  if (what === "decision" && known.decision?.id !== id) known.decision = await get(`decisions/${encodeURIComponent(id)}`)
}

async function reports(now = false) {
  if (!now && Date.now() - reportedMs < REPORT_MS) return
  reportedMs = Date.now()
  known.reports = await spend.read(get, choice)
}

function draw() {
  if (!known.overview) return
  const nowMs = Date.now()
  place("version").textContent = known.overview.version
  show(place("today"), today.of(known.overview))
  show(place("budgets"), budgets.of(known.budgets, known.sessions, nowMs))
  show(place("health"), health.of(known.overview, nowMs))
  show(place("sessions"), sessions.of(known.sessions, known.strips, choice, address(), nowMs))
  show(place("spend-choice"), spend.choices(choice))
  if (known.reports) {
    show(place("spend"), spend.table(known.reports, choice))
    spend.draw(place("chart"), known.reports.days)
  }
  const { what, id } = address()
  const shown =
    what === "session" && known.detail?.session.id === id
      ? session.of(known.detail, known.budgets, nowMs)
      : what === "decision" && known.decision?.id === id
        ? decision.of(known.decision)
        : null
  if (shown) show(place("detail"), shown)
  place("detail").hidden = !shown
  document.body.classList.toggle("beside", Boolean(shown))
}

async function moved() {
  const { what } = address()
  if (!what || !["session", "decision"].includes(what)) {
    draw()
    opener?.isConnected && opener.focus()
    opener = null
    return
  }
  try {
    await detail()
    draw()
    place("detail").scrollTop = 0
    place("detail").querySelector("h2")?.focus()
  } catch (error) {
    failed(error)
  }
}

function close() {
  if (address().what) location.hash = ""
}

function clicked(event) {
  const target = event.target.closest("[data-go], [data-act]")
  if (event.target.closest("a[href^='#session/']")) opener = event.target.closest("a")
  if (!target) return
  const { go, act, session: id, tier } = target.dataset
  if (go) location.hash = go
  if (act === "close") close()
  if (act === "all") {
    choice.all = true
    refresh().catch(failed)
  }
  if (act === "pin") changing(() => put(`sessions/${encodeURIComponent(id)}/pin`, JSON.stringify({ tier: tier || null })))
}

function changed(event) {
  const { name, value } = event.target
  if (name !== "days" && name !== "by") return
  choice[name] = name === "days" ? Number(value) : value
  reports(true).then(draw, failed)
}

function submitted(event) {
  const form = event.target.closest("form[data-scope]")
  if (!form) return
  event.preventDefault()
  const asked = budgets.asked(form)
  if (asked.words) notice(asked.words)
  else changing(() => put(asked.path, asked.body))
}

async function changing(change) {
  try {
    await change()
    known.detail = null
    await refresh()
  } catch (error) {
    failed(error)
  }
}

function failed(error) {
  if (!(error instanceof Refused)) throw error
  if (error.status === 401) {
    stop()
    state_(false)
  }
  notice(error.message)
}

function state_(open) {
  place("state").textContent = open ? "live" : "ended"
  place("state").className = "waiting"
}

function notice(words) {
  place("notice").textContent = words
  place("notice").hidden = !words
}

start()
