// The page of a login: pictures in by server-sent events, what the person does out by posts, in order.
const $ = (id) => document.getElementById(id);
const id = location.pathname.split("/").filter(Boolean).pop();
const here = `/login/${id}`;
const screen = $("screen"), picture = $("picture");
let size = { width: 1, height: 1 }, state = null, events = null, over = false;

// --- Out ---

const queue = [];
let sending = false;

function act(action) {
  const last = queue.at(-1);
  const alike = last && last.do === action.do && last.type === action.type;
  if (alike && action.type === "move") queue[queue.length - 1] = action;
  else if (alike && action.do === "wheel") {
    last.dx += action.dx;
    last.dy += action.dy;
  } else queue.push(action);
  pump();
}

async function pump() {
  if (sending) return;
  sending = true;
  while (queue.length) {
    try {
      await post(`${here}/do`, { actions: queue.splice(0, 200) });
    } catch (error) {
      if (!over) trouble(`What you did last has not arrived: ${error.message}`);
    }
    await new Promise((resume) => setTimeout(resume, 25));
  }
  sending = false;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error("muxd does not answer");
  });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.error || `muxd answered ${answer.status}`);
  }
}

const type = (text) => {
  for (let at = 0; at < text.length; at += 5000) act({ do: "text", text: text.slice(at, at + 5000) });
};

// --- The mouse, and fingers ---

function place(event) {
  const box = picture.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * size.width,
    y: ((event.clientY - box.top) / box.height) * size.height,
  };
}

const mac = /Mac|iPhone|iPad/.test(navigator.platform);

function modifiers(event) {
  if (event.getModifierState && event.getModifierState("AltGraph")) return event.shiftKey ? 8 : 0;
  const control = event.ctrlKey || (mac && event.metaKey);
  return (event.altKey ? 1 : 0) | (control ? 2 : 0) | (event.metaKey && !mac ? 4 : 0) | (event.shiftKey ? 8 : 0);
}

const BUTTONS = ["left", "middle", "right"];
let clicks = { count: 0, at: 0, x: 0, y: 0 };

function mouse(kind, event) {
  const where = place(event);
  if (kind === "down") {
    const near = Math.abs(where.x - clicks.x) < 5 && Math.abs(where.y - clicks.y) < 5;
    const again = near && event.timeStamp - clicks.at < 500;
    clicks = { count: again ? (clicks.count % 3) + 1 : 1, at: event.timeStamp, ...where };
  }
  const button = kind === "move" ? heldButton(event.buttons) : BUTTONS[event.button] || "none";
  const count = kind === "move" ? 0 : clicks.count;
  act({ do: "mouse", type: kind, ...where, button, buttons: event.buttons & 7, count, modifiers: modifiers(event) });
}

const heldButton = (buttons) => (buttons & 1 ? "left" : buttons & 2 ? "right" : buttons & 4 ? "middle" : "none");

const fingers = new Map();

function touch(kind, event) {
  const points = () => [...fingers].map(([finger, where]) => ({ ...where, id: finger }));
  const finger = Math.abs(event.pointerId) % 1000;
  if (kind === "start" || (kind === "move" && fingers.has(finger))) fingers.set(finger, place(event));
  else fingers.delete(finger);
  if (kind === "move" && !fingers.size) return;
  act({ do: "touch", type: kind, points: kind === "cancel" ? [] : points() });
}

const pointer = (forMouse, forTouch) => (event) => {
  if (event.pointerType === "touch") touch(forTouch, event);
  else mouse(forMouse, event);
};

screen.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  screen.focus({ preventScroll: true });
  try {
    screen.setPointerCapture(event.pointerId);
  } catch {
    // it is gone already
  }
  pointer("down", "start")(event);
});
screen.addEventListener("pointermove", pointer("move", "move"));
screen.addEventListener("pointerup", pointer("up", "end"));
screen.addEventListener("pointercancel", pointer("up", "cancel"));
screen.addEventListener("contextmenu", (event) => event.preventDefault());
screen.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const scale = [1, 20, 400][event.deltaMode] || 1;
    act({ do: "wheel", ...place(event), dx: event.deltaX * scale, dy: event.deltaY * scale, modifiers: modifiers(event) });
  },
  { passive: false },
);

// --- Keys ---

const held = new Map();
let escaped = -1e9;

function key(kind, event) {
  return {
    do: "key",
    type: kind,
    key: event.key,
    code: event.code || "",
    number: event.keyCode & 255,
    location: event.location,
    repeat: kind === "down" && event.repeat,
    modifiers: modifiers(event),
  };
}

const isOurs = (event) => {
  const pastes = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v";
  const unknown = ["Unidentified", "Process", "Dead"].includes(event.key) || event.isComposing;
  return pastes || unknown || ["F5", "F11", "F12"].includes(event.key) || (mac && event.key === "Meta");
};

screen.addEventListener("keydown", (event) => {
  if (isOurs(event)) return;
  event.preventDefault();
  if (event.key === "Escape" && !event.repeat) {
    if (event.timeStamp - escaped < 600) {
      $("text").focus();
      return;
    }
    escaped = event.timeStamp;
  }
  held.set(event.code, key("up", event));
  act(key("down", event));
});
screen.addEventListener("keyup", (event) => {
  if (isOurs(event) && !held.has(event.code)) return;
  event.preventDefault();
  held.delete(event.code);
  act(key("up", event));
});
screen.addEventListener("blur", () => {
  held.forEach(act);
  held.clear();
});
document.addEventListener("paste", (event) => {
  if (document.activeElement !== screen) return;
  event.preventDefault();
  type(event.clipboardData.getData("text/plain"));
});

// --- The controls ---

$("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  type($("text").value);
  $("text").value = "";
});
for (const button of document.querySelectorAll("[data-key]"))
  button.addEventListener("click", () => {
    const name = button.dataset.key, number = Number(button.dataset.number);
    for (const kind of ["down", "up"])
      act({ do: "key", type: kind, key: name, code: name, number, location: 0, repeat: false, modifiers: 0 });
  });
$("hide").addEventListener("change", () => ($("text").type = $("hide").checked ? "password" : "text"));
$("address").addEventListener("submit", (event) => {
  event.preventDefault();
  act({ do: "go", url: $("url").value });
  screen.focus();
});
for (const name of ["back", "forward", "reload"]) $(name).addEventListener("click", () => act({ do: name }));
$("dialog").addEventListener("submit", (event) => {
  event.preventDefault();
  act({ do: "answer", accept: true, text: $("answer").value });
});
$("dismiss").addEventListener("click", () => act({ do: "answer", accept: false, text: "" }));
$("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  chosen($("options").selectedIndex);
});
$("leave").addEventListener("click", () => chosen(-1));
$("choice").addEventListener("keydown", (event) => event.key === "Escape" && chosen(-1));
function chosen(option) {
  act({ do: "choose", option });
  screen.focus({ preventScroll: true });
}
function fit() {
  if (!$("fit").checked) return act({ do: "size", width: 1280, height: 720 });
  const width = Math.max(320, Math.round(screen.clientWidth));
  act({ do: "size", width, height: Math.max(320, Math.round(Math.min(window.innerHeight * 0.8, width * 1.8))) });
}
$("fit").addEventListener("change", fit);

async function end(how) {
  $("done").disabled = $("cancel").disabled = true;
  try {
    await post(`/v1/logins/${encodeURIComponent(id)}/${how}`, {});
  } catch (error) {
    if (!over) trouble(error.message);
    $("done").disabled = $("cancel").disabled = over;
  }
}
$("done").addEventListener("click", () => end("finish"));
$("cancel").addEventListener("click", () => end("cancel"));

// --- In ---

function trouble(text) {
  $("trouble").textContent = text || "";
  $("trouble").hidden = !text;
}

function notice(text, bad = false) {
  if ($("notice").textContent !== text) $("notice").textContent = text;
  $("notice").hidden = !text;
  $("notice").classList.toggle("bad", bad);
}

let fitted = false;

function show(told) {
  const changed = !state || state.state !== told.state;
  state = told;
  state.offset = Date.parse(told.now) - Date.now();
  $("session").textContent = told.session;
  document.title = `muxd: log in to ${told.session}`;
  const open = told.state === "open";
  $("work").hidden = !open;
  $("done").disabled = !open;
  if (told.state === "waiting")
    notice(told.waits_for ? `${told.waits_for} has the browser: you are next.` : "The browser is being made ready …");
  else if (told.state === "saving") notice("The session is being saved …");
  else if (told.state === "ended") ended(told);
  else notice(told.stopping ? "muxd is stopping: finish now, it waits for half a minute at most." : "");
  if (!open || !told.screen) return clock();
  trouble(told.screen.trouble);
  if (document.activeElement !== $("url")) $("url").value = told.screen.url === "about:blank" ? "" : told.screen.url;
  tabs(told.screen.tabs);
  dialog(told.screen.dialog);
  choice(told.screen.choice);
  clock();
  if (changed) {
    screen.focus({ preventScroll: true });
    if (!fitted && window.innerWidth < 700) {
      fitted = $("fit").checked = true;
      fit();
    }
  }
}

function ended(told) {
  over = true;
  events?.close();
  $("done").hidden = $("cancel").hidden = true;
  $("after").hidden = false;
  const resumed = told.resumed.length ? ` Jobs that go on: ${told.resumed.join(", ")}.` : "";
  notice(`${told.said}${resumed} You can close this page.`, told.outcome !== "ok");
}

function tabs(all) {
  const focused = document.activeElement?.dataset?.tab;
  $("tabs").hidden = all.length < 2;
  $("tabs").replaceChildren(
    ...all.map((tab) => {
      const both = document.createElement("span"), choose = document.createElement("button");
      choose.type = "button";
      choose.textContent = tab.title || "a page";
      choose.setAttribute("aria-current", String(tab.current));
      choose.dataset.tab = tab.tab;
      choose.addEventListener("click", () => act({ do: "tab", tab: tab.tab }));
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "×";
      close.setAttribute("aria-label", `Close ${tab.title || "the page"}`);
      close.addEventListener("click", () => act({ do: "close", tab: tab.tab }));
      both.append(choose, close);
      return both;
    }),
  );
  if (focused) $("tabs").querySelector(`[data-tab="${focused}"]`)?.focus();
}

function dialog(asked) {
  const opens = asked && $("dialog").hidden;
  $("dialog").hidden = !asked;
  if (!asked) return;
  $("asked").textContent = asked.message;
  $("answer").hidden = asked.kind !== "prompt";
  $("dismiss").hidden = asked.kind === "alert";
  if (opens) {
    $("answer").value = asked.text;
    (asked.kind === "prompt" ? $("answer") : $("accept")).focus();
  }
}

let offered = "";

function choice(list) {
  $("choice").hidden = !list;
  const text = JSON.stringify(list);
  if (text === offered) return;
  offered = text;
  if (!list) return;
  $("options").replaceChildren(
    ...list.options.map((option) => {
      const made = document.createElement("option");
      made.textContent = option.text;
      made.disabled = option.off;
      return made;
    }),
  );
  $("options").selectedIndex = list.selected;
  $("options").focus();
}

function clock() {
  if (!state || !state.deadline || over) return ($("left").textContent = "");
  const left = Math.max(0, Date.parse(state.deadline) - Date.now() - state.offset) / 1000;
  $("left").textContent = left > 90 ? `${Math.round(left / 60)} min left` : `${Math.round(left)} s left`;
}
setInterval(clock, 5000);

function listen() {
  if (over || document.hidden || events) return;
  events = new EventSource(`${here}/stream`);
  events.addEventListener("state", (event) => show(JSON.parse(event.data)));
  events.addEventListener("frame", (event) => {
    const frame = JSON.parse(event.data);
    size = frame;
    screen.dataset.width = Math.round(frame.width);
    picture.src = `data:image/jpeg;base64,${frame.jpeg}`;
  });
  events.addEventListener("error", () => {
    if (over) return;
    const closed = events.readyState === EventSource.CLOSED;
    if (closed) hush();
    notice(closed ? "There is no such login any more: begin another with `muxd login`." : "muxd does not answer: trying again …", true);
  });
}

function hush() {
  events?.close();
  events = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
listen();
