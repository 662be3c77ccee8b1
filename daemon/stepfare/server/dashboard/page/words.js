// Single values as words: money, rates, counts, times. The same words as the command line's (cli/render/words.py); a test compares them.
// Money is a BigInt of picodollars; digits are dropped only here, on the way to the eye.

const PUSD_PER_USD = 10n ** 12n
const USD_PLACES = 12
const RATE_PLACES = 6
const SMALL_SUM_DIGITS = 4
const COLUMN_DIGITS = 5

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const SPANS = [[24 * HOUR_MS, "d"], [HOUR_MS, "h"], [MINUTE_MS, "min"], [SECOND_MS, "s"]]

export const UNPRICED = "unpriced"
export const FREE = "free"
export const SUBSCRIPTION = "subscription"

/** `$12.34` from a dollar on, four significant digits below: `$0.4213`, `$0.00001250`. Null is `unpriced`, which is not nothing. */
export function money(pusd) {
  if (pusd === null || pusd === undefined) return UNPRICED
  const size = abs(pusd)
  return (pusd < 0n ? "-" : "") + "$" + digits(size)
}

/** A sum with as many decimals as the largest one that it stands under needs to show its leading digits. */
export function moneyLike(pusd, largestPusd) {
  const places = largestPusd === 0n ? 2 : Math.max(2, COLUMN_DIGITS - 1 - firstPlace(abs(largestPusd)))
  return "$" + decimal(pusd, USD_PLACES, places, true)
}

/** Dollars per million tokens, all digits that count: `$3.00`, `$0.0125`. */
export function rate(pusdPerToken) {
  const value = BigInt(pusdPerToken)
  let places = RATE_PLACES
  while (places > 2 && value % 10n ** BigInt(RATE_PLACES - places + 1) === 0n) places -= 1
  return "$" + decimal(value, RATE_PLACES, places, true)
}

export function count(number) {
  return grouped(String(number))
}

/** `1 step`, `2 steps`. */
export function counted(number, one, many = one + "s") {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** `40 %`; an empty whole has no share. `100 %` and `0 %` are said of all and nothing only, not of almost. */
export function share(part, whole) {
  const [some, all] = [BigInt(part), BigInt(whole)]
  if (all === 0n) return "none"
  const percent = 100n * some
  if (percent > 0n && percent < all) return "<1 %"
  if (percent > 99n * all && percent < 100n * all) return ">99 %"
  return `${halfEven(percent, all)} %`
}

export function chance(probability) {
  const [percent, whole] = [100 * probability, Math.floor(100 * probability)]
  const up = percent - whole > 0.5 || (percent - whole === 0.5 && whole % 2 === 1)
  return `${up ? whole + 1 : whole} %`
}

/** A span in its largest whole unit: `40 s`, `3 min`, `2 h`, `5 d`. */
export function lasting(spanMs) {
  const found = SPANS.find(([unitMs]) => spanMs >= unitMs)
  return found ? `${Math.floor(spanMs / found[0])} ${found[1]}` : "0 s"
}

/** `just now`, `3 min ago`. A time to come (another clock) reads as now. */
export function ago(thenMs, nowMs) {
  const spanMs = nowMs - thenMs
  return spanMs < 10 * SECOND_MS ? "just now" : `${lasting(spanMs)} ago`
}

/** The text on one line, without characters that nobody sees: a title comes from a prompt, and must not turn the line around. */
export function clean(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").split(/\s+/u).filter(Boolean).join(" ")
}

/** A folder by its last name. */
export function folder(path) {
  return clean(path.replace(/\/+$/, "").split("/").pop() ?? "")
}

/** The sum of a total that is known: steps without a price alone make no sum; what nobody bills by tokens is none. */
export function spent(totals) {
  if (totals.steps && totals.unpriced_steps === totals.steps && totals.spent_pusd === 0n) return UNPRICED
  const unbilled = totals.steps && totals.input_tokens && totals.spent_pusd === 0n && !totals.unpriced_steps
  return unbilled ? (totals.subscription_steps ? SUBSCRIPTION : FREE) : money(totals.spent_pusd)
}

/** What a step cost: `~` where it was estimated; `open` while nobody can know, `lost` where nobody ever will. */
export function cost(step) {
  if ([FREE, SUBSCRIPTION].includes(step.cost_source) && !step.cost_pusd) return step.cost_source
  if (step.cost_pusd !== null) return (step.cost_source === "estimated" ? "~" : "") + money(step.cost_pusd)
  if (step.usage) return UNPRICED
  const outcomes = step.attempts.map((attempt) => attempt.outcome)
  if (outcomes.includes("lost")) return "lost"
  return !outcomes.length || outcomes.includes("open") ? "open" : "none"
}

/** How a sum stands against what something else would have cost. */
export function against(spentPusd, wouldBePusd, name) {
  const saved = wouldBePusd - spentPusd
  return saved < 0n ? `${money(-saved)} more than ${name}` : `${money(saved)} (${share(saved, wouldBePusd)}) less than ${name}`
}

/** Picodollars that a text of dollars means, or null where it is none: `1.50`, `$2`. */
export function pusdOf(text) {
  const found = /^\$?(\d{1,6})(?:\.(\d{1,12}))?$/.exec(text.trim())
  return found ? BigInt(found[1]) * PUSD_PER_USD + BigInt((found[2] ?? "").padEnd(USD_PLACES, "0")) : null
}

/** A sum as a plain decimal, as one would type it. */
export function typed(pusd) {
  const cents = decimal(pusd, USD_PLACES, 2, false)
  return pusd % (PUSD_PER_USD / 100n) === 0n ? cents : decimal(pusd, USD_PLACES, USD_PLACES, false).replace(/0+$/, "")
}

function digits(size) {
  if (size === 0n) return "0.00"
  if (size >= PUSD_PER_USD) return decimal(size, USD_PLACES, 2, true)
  const small = decimal(size, USD_PLACES, SMALL_SUM_DIGITS - 1 - firstPlace(size), false)
  return small.startsWith("1") ? "1.00" : small
}

/** The place of the first digit that is not 0: 0 for dollars, -1 for tenths. */
function firstPlace(size) {
  return String(size).length - 1 - USD_PLACES
}

/** `value / 10^scale` with so many decimals, half to even. */
function decimal(value, scale, places, withCommas) {
  const size = abs(value)
  const scaled = places >= scale ? size * 10n ** BigInt(places - scale) : halfEven(size, 10n ** BigInt(scale - places))
  const text = String(scaled).padStart(places + 1, "0")
  const whole = text.slice(0, text.length - places)
  const sign = value < 0n ? "-" : ""
  return sign + (withCommas ? grouped(whole) : whole) + (places ? "." + text.slice(-places) : "")
}

function halfEven(number, by) {
  const [whole, rest] = [number / by, number % by]
  const up = 2n * rest > by || (2n * rest === by && whole % 2n === 1n)
  return up ? whole + 1n : whole
}

function grouped(text) {
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, ",")
}

function abs(value) {
  return value < 0n ? -value : value
}
