// Building elements, and showing them in the place of older ones. Text is only ever text: nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg"
const OF_SVG = new Set(["svg", "rect", "title"])

/** An element with attributes (false and null: left out, true: empty) and children (text, elements, lists; null and false: none). */
export function h(name, attributes = {}, ...children) {
  const made = OF_SVG.has(name) ? document.createElementNS(SVG, name) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value)
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== "" && child !== undefined))
  return made
}

/** A model's name, which may be broken where its provider ends. */
export function modelName(name) {
  const at = name.indexOf("/") + 1
  return at ? [name.slice(0, at), h("wbr"), name.slice(at)] : name
}

/** Make `place` hold these and nothing else. What is there already stays where it is alike, so that focus, selection and scroll do too. */
export function show(place, ...children) {
  const fresh = document.createElement("div")
  fresh.append(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== undefined))
  fill(place, fresh)
}

function fill(old, fresh) {
  const keyed = new Map([...old.childNodes].filter((node) => node.dataset?.key).map((node) => [node.dataset.key, node]))
  let at = old.firstChild
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted.dataset?.key ? keyed.get(wanted.dataset.key) : at
    if (known && known.nodeName === wanted.nodeName && known.dataset?.key === wanted.dataset?.key) {
      if (known !== at) old.insertBefore(known, at)
      else at = at.nextSibling
      alike(known, wanted)
    } else {
      old.insertBefore(wanted, at)
    }
  }
  while (at) {
    const next = at.nextSibling
    at.remove()
    at = next
  }
}

function alike(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data
    return
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name)
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  fill(old, fresh)
}
