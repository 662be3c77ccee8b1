// The keyboard: / filters, j and k go from one to the next, Esc goes back, ? helps. Enter is the browser's own: links are links.

/** `back` is called to leave what is open; the others are the elements that keys are about. */
export function listen({ filter, help, detail, back }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return
    if (event.key === "Escape") return escape(event.target, filter, back)
    if (event.target.matches("input:not([type=radio])")) return
    const act = { "/": () => filter.focus(), "?": () => help.showModal(), j: () => step(1, detail), k: () => step(-1, detail) }[event.key]
    if (!act) return
    event.preventDefault()
    act()
  })
}

function escape(target, filter, back) {
  if (!target.matches("input")) return back()
  if (target === filter && filter.value) {
    filter.value = ""
    filter.dispatchEvent(new Event("input"))
  } else {
    target.blur()
  }
}

/** From the link that has the focus to the one before or behind it: steps where a session is open, else sessions. */
function step(by, detail) {
  const links = [...(detail.hidden ? document.querySelectorAll("#sessions li > a") : detail.querySelectorAll(".steps a"))]
  const at = links.indexOf(document.activeElement)
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))
  links[next]?.focus()
}
