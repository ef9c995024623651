// Told by muxd that something has happened, gets the page anew and puts in what has changed.
import { morph } from "./morph.js";

const DEBOUNCE = 120;
const LEAST = 1000; // between two pages, milliseconds
const AGAIN = [1000, 2000, 5000];

let source = null;
let lost = 0; // how often it could not be reached, one after another
let timer = 0;
let last = 0;
let asked = false;
let retry = 0;

export function follow() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open(true)));
  document.addEventListener("muxd:stale", refresh);
  window.addEventListener("pageshow", (event) => event.persisted && open(true));
  window.addEventListener("pagehide", close);
  window.addEventListener("online", () => open(true));
  document.querySelectorAll("[data-tail]").forEach(toEnd);
  open(false);
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function open(fresh) {
  close();
  if (document.hidden) return;
  source = new EventSource("/v1/events");
  source.addEventListener("open", () => {
    const away = lost > 0;
    lost = 0;
    if (away) say("muxd is back.", true);
    // Of a log only the next line is told: it may have come before anybody listened here.
    if (away || fresh || document.body.dataset.events.includes("run_logged")) refresh();
  });
  source.addEventListener("error", () => {
    lost += 1;
    say("muxd can't be reached. It is tried again and again; nothing here is up to date.", false);
    if (source?.readyState === EventSource.CLOSED) {
      retry = setTimeout(() => open(true), AGAIN[Math.min(lost, AGAIN.length) - 1]);
    }
  });
  for (const name of document.body.dataset.events.split(" ").filter(Boolean)) {
    source.addEventListener(name, refresh);
  }
}

export function refresh() {
  if (timer || document.hidden) return;
  const wait = Math.max(DEBOUNCE, last + LEAST - Date.now());
  timer = setTimeout(get, wait);
}

async function get() {
  if (asked) {
    timer = setTimeout(get, DEBOUNCE);
    return;
  }
  timer = 0;
  last = Date.now();
  asked = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 401) location.reload(); // another token: it says what to do
    if (!answer.headers.get("content-type")?.startsWith("text/html")) return;
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // the stream of events says so, and comes back by itself
  } finally {
    asked = false;
  }
}

function take(page) {
  const version = (where) => where.querySelector("meta[name=muxd-static]")?.content;
  if (version(page) && version(page) !== version(document)) {
    location.reload(); // another muxd, with another dashboard
    return;
  }
  document.title = page.title;
  const tails = [...document.querySelectorAll("[data-tail]")].filter(isAtEnd);
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) morph(part, fresh);
  }
  for (const each of document.querySelectorAll("[data-tail]")) {
    if (tails.includes(each) || !seen.has(each)) toEnd(each);
  }
  document.dispatchEvent(new Event("muxd:fresh"));
}

// A log that grows is shown from its end, and stays there until somebody scrolls back.
const seen = new WeakSet();

function isAtEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 4;
}

function toEnd(log) {
  seen.add(log);
  log.scrollTop = log.scrollHeight;
}

function say(text, back) {
  const line = document.getElementById("link");
  if (line.textContent !== text) line.textContent = text;
  line.classList.toggle("back", back);
  line.hidden = false;
  if (back) setTimeout(() => line.textContent === text && (line.hidden = true), 4000);
}
