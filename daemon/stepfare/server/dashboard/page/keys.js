// The keyboard: / filters, j and k go from one to the next, Esc closes, ? helps. Enter is the browser's own: links are links.

/** `moveTo` is given the link to go to, `back` is called to leave what is open. */
export function listen({ moveTo, back }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const help = document.getElementById("help")
    if (help.open) return
    const filter = document.getElementById("filter")
    if (event.key === "Escape") {
      if (event.target === filter && filter.value) {
        filter.value = ""
        filter.dispatchEvent(new Event("input"))
      } else if (event.target.matches("input")) event.target.blur()
      else back()
      return
    }
    if (event.target.matches("input, select, textarea")) return
    const act = { "/": () => filter.focus(), "?": () => help.showModal(), j: () => step(1, moveTo), k: () => step(-1, moveTo) }[event.key]
    if (!act) return
    event.preventDefault()
    act()
  })
}

/** From the link that has the focus to the one before or behind it: steps where a session is open, else sessions. */
function step(by, moveTo) {
  const detail = document.getElementById("detail")
  const inDetail = detail.hidden ? [] : [...detail.querySelectorAll(".steps a")]
  const links = inDetail.length ? inDetail : [...document.querySelectorAll("#sessions li > a")]
  if (!links.length) return
  const at = links.indexOf(document.activeElement)
  moveTo(links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))])
}
