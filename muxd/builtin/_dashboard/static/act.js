// Buttons: each is a form that posts to muxd's own API. Here it is sent without leaving the page.
import { refresh } from "./live.js";

const SURE = 4000; // how long a button waits for the second press, milliseconds

export async function act(event) {
  const form = event.target.closest("form[data-act]");
  if (!form) return;
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button");
  if (form.dataset.sure && !button.classList.contains("sure")) {
    ask(form, button);
    return;
  }
  calm(form, button);
  form.dataset.busy = "yes";
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields(form)),
    });
    const told = await answer.json();
    if (answer.ok && told.page) location.assign(`/${told.page}`); // a login has one of its own
    else if (answer.ok) say(words(form, told), (told.problems ?? []).length > 0);
    else say(told.error ?? `muxd answered ${answer.status}`, true);
  } catch {
    say("muxd can't be reached", true);
  } finally {
    delete form.dataset.busy;
    button.removeAttribute("aria-disabled");
    form.closest("details")?.removeAttribute("open");
    refresh();
  }
}

function fields(form) {
  const found = {};
  for (const field of form.querySelectorAll("[name]")) {
    if (field.value === "") continue;
    if ("flag" in field.dataset) found[field.name] = field.value === "true";
    else found[field.name] = "number" in field.dataset ? Number(field.value) : field.value;
  }
  return found;
}

function ask(form, button) {
  form.dataset.busy = "yes"; // it stays as it is meanwhile
  button.dataset.words = button.textContent;
  button.dataset.label = button.getAttribute("aria-label");
  button.textContent = form.dataset.sure;
  button.setAttribute("aria-label", `${form.dataset.sure} ${button.dataset.label}`);
  button.classList.add("sure");
  setTimeout(() => calm(form, button), SURE);
}

function calm(form, button) {
  if (!button.classList.contains("sure")) return;
  button.classList.remove("sure");
  button.textContent = button.dataset.words;
  button.setAttribute("aria-label", button.dataset.label);
  delete form.dataset.busy;
}

function words(form, told) {
  const what = form.querySelector("button").getAttribute("aria-label") ?? "It is done";
  if (told.undone) return "It is not skipped after all.";
  const further = [...(told.problems ?? []), ...(told.needs_restart ?? []).map((key) => `${key}: needs a restart`)];
  return further.length ? `${what}: done. ${further.join("; ")}` : `${what}: done.`;
}

let timer = 0;
function say(text, bad) {
  const line = document.getElementById("said");
  line.textContent = text;
  line.classList.toggle("bad", bad);
  clearTimeout(timer);
  timer = setTimeout(() => (line.textContent = ""), bad || text.length > 80 ? 12000 : 4000);
}
