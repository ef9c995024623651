// Keeps the page up to date: told by server-sent events, never by asking again and again.
import { act } from "./act.js";
import { tick } from "./clock.js";
import { follow } from "./live.js";
import { look } from "./look.js";

for (const each of document.querySelectorAll("[data-with-script]")) each.hidden = false;

document.addEventListener("submit", act);
document.addEventListener("click", (event) => {
  const mark = event.target.closest?.("svg [data-run]");
  if (mark) location.href = `/runs/${encodeURIComponent(mark.dataset.run)}`;
});

tick();
look();
follow();
