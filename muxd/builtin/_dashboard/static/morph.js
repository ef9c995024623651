// Makes one piece of the page like another, and lets alone what is the same: focus, open details and
// what somebody types stay.

export function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || (to.id || from.id) !== (from.id || "")) {
    from.replaceWith(document.importNode(to, true));
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from.isEqualNode(to)) return;
  if (from.hasAttribute("data-fields") || from.hasAttribute("data-busy")) return;
  attributes(from, to);
  if (from.hasAttribute("data-keep")) return;
  const old = [...from.childNodes];
  const young = [...to.childNodes];
  for (let at = 0; at < Math.max(old.length, young.length); at += 1) {
    if (at >= old.length) from.append(document.importNode(young[at], true));
    else if (at >= young.length) old[at].remove();
    else morph(old[at], young[at]);
  }
}

function attributes(from, to) {
  for (const { name } of [...from.attributes]) {
    const own = (from.nodeName === "DETAILS" && name === "open") || from.hasAttribute("data-keep") || name === "data-watched";
    if (!own && !to.hasAttribute(name)) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    const kept = from.hasAttribute("data-keep") && name === "src";
    if (!kept && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}
