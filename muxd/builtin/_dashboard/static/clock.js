// What moves with time: countdowns, the line of now, the run in progress. Once a second at most, and
// only where something is to be seen.

let timer = 0;
let skew = 0; // of this machine's clock, seconds

export function now() {
  return Date.now() / 1000 + skew;
}

// The page tells what time it was when it was made.
export function set() {
  skew = Number(document.querySelector("main").dataset.now) - Date.now() / 1000;
}

export function words(seconds) {
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  if (seconds < 9.95) return `${seconds.toFixed(1).replace(".0", "")}s`;
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor((whole % 86400) / 3600))}h`;
}

export function tick() {
  set();
  document.addEventListener("visibilitychange", schedule);
  document.addEventListener("muxd:fresh", () => {
    set();
    step();
  });
  step();
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(step, 1000 - (Date.now() % 1000));
}

function step() {
  const at = now();
  for (const each of document.querySelectorAll("[data-until]")) {
    say(each, words(Math.max(0, Math.round(each.dataset.until - at))));
  }
  for (const each of document.querySelectorAll("[data-since]")) {
    say(each, words(Math.max(0, Math.round(at - each.dataset.since))));
  }
  picture(at);
  schedule();
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function picture(at) {
  const time = document.getElementById("time");
  if (!time) return;
  const main = document.querySelector("main").dataset;
  const shown = Number(main.shown) + (at - Number(main.now)) * Number(main.speed);
  const { start, end } = time.dataset;
  const x = (100 * (shown - start)) / (end - start);
  place(time.querySelector(".nowline"), x);
  const bar = document.getElementById("running-bar");
  if (bar) bar.setAttribute("width", `${Math.max(0.05, x - bar.dataset.x).toFixed(2)}%`);
  // The window moves on in steps of a twelfth: then there is a new picture to be had.
  const moved = Number(main.speed) * (at - Number(main.now)) > (end - start) / 12;
  if (moved) document.dispatchEvent(new Event("muxd:stale"));
}

function place(line, x) {
  if (!line) return;
  const text = `${Math.min(100, x).toFixed(2)}%`;
  if (line.getAttribute("x1") === text) return;
  line.setAttribute("x1", text);
  line.setAttribute("x2", text);
}
