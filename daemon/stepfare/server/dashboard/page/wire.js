// Asking the daemon, and following its feed. Sums arrive as BigInt: as numbers they would lose digits beyond 2^53 picodollars, $9,007.

const API = "api/"
const RETRY_MS = 3000

/** The daemon said no, or does not answer (status 0). */
export class Refused extends Error {
  constructor(status, words) {
    super(words)
    this.status = status
  }
}

export function get(path) {
  return asked("GET", path)
}

/** `body` is JSON text: sums in it have more digits than a number holds. */
export function put(path, body) {
  return asked("PUT", path, body)
}

/** Calls `heard` with each event after `seq`, `state` with whether the line is open; both until the returned function is called. */
export function follow(seq, heard, state) {
  let [source, timer, last] = [null, 0, seq]
  const open = () => {
    source = new EventSource(`${API}events?after=${last}`)
    source.onopen = () => state(true)
    source.onmessage = (message) => {
      last = Number(message.lastEventId)
      heard(parsed(message.data))
    }
    source.onerror = () => {
      state(false)
      if (source.readyState !== EventSource.CLOSED) return
      timer = setTimeout(open, RETRY_MS)
    }
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}

async function asked(method, path, body) {
  let answer
  let text
  try {
    const headers = { "x-stepfare-page": "1", ...(body === undefined ? {} : { "content-type": "application/json" }) }
    answer = await fetch(API + path, { method, body, headers, credentials: "same-origin" })
    text = await answer.text()
  } catch {
    throw new Refused(0, "The daemon does not answer. Start it with `stepfare serve`.")
  }
  if (answer.ok) return parsed(text)
  throw new Refused(answer.status, words(text, answer.status))
}

function words(text, status) {
  try {
    return JSON.parse(text).words
  } catch {
    return `The daemon answered ${status}.`
  }
}

/** A quote within a text is escaped, so no text is taken for a sum. */
export function parsed(text) {
  const sums = /"([a-z_]*pusd[a-z_]*)":(-?\d+)/g
  return JSON.parse(text.replace(sums, '"$1":"$2"'), (name, value) => (typeof value === "string" && /pusd/.test(name) ? BigInt(value) : value))
}
