// A bar a day, its tiers one upon the other. The only place where sums become floats: a pixel needs no more.

import { money } from "./words.js"

const TIERS = ["premium", "balanced", "frugal"]
/** Drawn from the tallest to the lowest, each over the one before. */
const HEIGHT = 180
const AXIS_WIDTH = 86
const PUSD_PER_USD = 1e12
let [plot, shown, place] = [null, "", null]
let [data, widths] = [null, null]

/** Draw what a report by day and tier says; nothing is drawn anew that is drawn already. */
export function draw(into, report) {
  data = heights(report)
  place = into
  const now = JSON.stringify(data)
  if (now === shown && plot) return
  shown = now
  make()
}

/** The page's colours have changed. */
export function recolour() {
  if (place) make()
}

function make() {
  plot?.destroy()
  const styles = getComputedStyle(document.documentElement)
  const colour = (name) => styles.getPropertyValue(`--${name}`).trim()
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" }
  const bars = uPlot.paths.bars({ size: [0.7, 48] })
  plot = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: (_, low, high) => [low - 0.6, high + 0.6] }, y: { range: (_, low, high) => [0, high || 1] } },
      axes: [
        { ...axis, grid: { show: false }, values: (_, at) => at.map((day) => data.names[day] ?? ""), incrs: [1, 2, 7, 14, 30] },
        { ...axis, size: AXIS_WIDTH, values: (_, at) => at.map((usd) => money(BigInt(Math.round(usd * PUSD_PER_USD)))) },
      ],
      series: [{}, ...TIERS.map((tier) => ({ fill: colour(tier), width: 0, points: { show: false }, paths: bars }))],
    },
    [data.days, ...data.upTo],
    place,
  )
  widths ??= new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }))
  widths.disconnect()
  widths.observe(place)
}

/** For each day of the time, how high each tier reaches when those below it stand under it. */
function heights(report) {
  const sums = new Map(report.rows.map((row) => [row.names.join("/"), Number(row.totals.spent_pusd) / PUSD_PER_USD]))
  const days = Array.from({ length: report.count }, (_, at) => at)
  const names = days.map((at) => named(report.since, at))
  const upTo = TIERS.map((_, from) => days.map((at) => TIERS.slice(from).reduce((so, tier) => so + (sums.get(`${names[at]}/${tier}`) ?? 0), 0)))
  return { days, names: names.map((name) => name.slice(5)), upTo }
}

function named(since, at) {
  const day = new Date(since)
  day.setDate(day.getDate() + at)
  const two = (number) => String(number).padStart(2, "0")
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`
}
