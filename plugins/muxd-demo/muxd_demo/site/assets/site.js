// What every page has: elements, fetching, the clock, the icons.
"use strict";

const TOPICS = ["birds", "weather", "garden", "coffee", "trains", "maps"];
const HUES = { birds: 174, weather: 210, garden: 110, coffee: 28, trains: 350, maps: 260 };
const ICONS = {
  home: "M3 11l9-8 9 8v9a1 1 0 0 1-1 1h-5v-7H9v7H4a1 1 0 0 1-1-1z",
  queue: "M4 6h16M4 12h16M4 18h10",
  inbox: "M3 13h5l2 3h4l2-3h5M3 13l3-9h12l3 9v6a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z",
  followers: "M16 20a6 6 0 0 0-12 0M10 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8M21 20a5 5 0 0 0-4-5M15 4a4 4 0 0 1 0 7",
  analytics: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  trends: "M3 17l6-6 4 4 8-9M15 6h6v6",
  reports: "M6 3h9l4 4v14H6zM9 12h7M9 16h7",
  outcomes: "M4 12l5 5L20 6",
  news: "M4 5h13v14H5a1 1 0 0 1-1-1zM17 9h3v9a1 1 0 0 1-3 0M7 9h6M7 13h6",
  settings: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6M12 2v4M12 18v4M2 12h4M18 12h4M5 5l3 3M16 16l3 3M19 5l-3 3M8 16l-3 3",
};

const $ = (selector) => document.querySelector(selector);
const number = (value) => Math.round(value).toLocaleString("en-GB");
const hue = (text) => [...text].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7);

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "hue") element.style.setProperty("--hue", value);
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function drawing(width, height, ...shapes) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(ns, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  }
  return svg;
}

function curve(values, width, height, grid = 0) {
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const points = values.map((value, i) =>
    [(i * width) / Math.max(1, values.length - 1), height - 3 - ((value - low) / span) * (height - 8)]);
  const path = "M" + points.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L");
  const lines = Array.from({ length: grid }, (_, i) => ((i + .5) * height) / grid)
    .map((y) => ["path", { d: `M0 ${y}H${width}`, class: "grid" }]);
  const svg = drawing(width, height, ...lines, ["path", { d: `${path}L${width} ${height}L0 ${height}Z`, class: "area" }], ["path", { d: path, class: "line" }]);
  svg.setAttribute("preserveAspectRatio", "none");
  return svg;
}

const tag = (topic) => h("span", { class: "tag", hue: HUES[topic] }, topic);
const initials = (name) => name.split(" ").map((part) => part[0]).join("").slice(0, 2);
const avatar = (name) => h("span", { class: "avatar", "aria-hidden": "true", hue: hue(name) }, initials(name));

function ago(seconds) {
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

async function api(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch("/api" + path, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

function toast(text) {
  const place = $(".toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => place.classList.remove("shown"), 2500);
}

const said = (task) => task.catch((error) => toast(error.message));

const busy = (element) => element.setAttribute("aria-busy", "true");

function done(element, ...children) {
  element.replaceChildren(...children);
  (element.closest("[aria-busy]") || element).setAttribute("aria-busy", "false");
}

function tabs(attribute, chosen) {
  const all = [...document.querySelectorAll(`[data-${attribute}]`)];
  for (const one of all) {
    one.addEventListener("click", () => {
      for (const other of all) other.setAttribute("aria-selected", String(other === one));
      said(chosen(one.dataset[attribute]));
    });
  }
}

function submit(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    await said(send(Object.fromEntries(new FormData(form))));
    button.disabled = false;
  });
}

for (const select of document.querySelectorAll("select")) select.append(...TOPICS.map((topic) => h("option", {}, topic)));
for (const link of document.querySelectorAll("[data-icon]")) {
  link.prepend(drawing(24, 24, ["path", { d: ICONS[link.dataset.icon], fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round" }]));
}
const tick = () => { $(".clock").textContent = new Date().toLocaleTimeString("en-GB"); };
tick();
setInterval(tick, 1000);
