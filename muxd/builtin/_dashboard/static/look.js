// The page of the run in progress: one picture a second, while it is on the screen and somebody looks.

const EVERY = 1000;

let timer = 0;
let run = "";
let visible = false;
const seen = new IntersectionObserver((entries) => {
  visible = entries.at(-1).isIntersecting;
  begin();
});

export function look() {
  document.addEventListener("muxd:fresh", watch);
  document.addEventListener("visibilitychange", begin);
  watch();
}

function watch() {
  const frame = document.querySelector("[data-look]");
  const id = frame?.dataset.look ?? "";
  if (id === run && frame?.dataset.watched) return;
  seen.disconnect();
  clearTimeout(timer);
  run = id;
  visible = false;
  if (!frame) return;
  frame.dataset.watched = "yes";
  const image = frame.querySelector("img");
  const none = () => (image.hidden = true); // there is no picture yet
  if (image.complete && !image.naturalWidth) none();
  image.addEventListener("error", none);
  image.addEventListener("load", () => (image.hidden = false));
  seen.observe(frame);
}

function begin() {
  clearTimeout(timer);
  if (run && visible && !document.hidden) timer = setTimeout(take, EVERY);
}

async function take() {
  const image = document.querySelector("[data-look] img");
  const of = run;
  if (!of) return;
  try {
    const answer = await fetch(`/v1/page.jpg?run=${encodeURIComponent(of)}`, { cache: "no-store" });
    if (answer.status === 200 && image && of === run) {
      const before = image.src;
      image.src = URL.createObjectURL(await answer.blob());
      if (before.startsWith("blob:")) URL.revokeObjectURL(before);
    }
  } catch {
    // it is asked again
  }
  begin();
}
