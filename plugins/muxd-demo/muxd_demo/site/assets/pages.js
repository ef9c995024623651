// One function a page. Nothing is in the HTML that came: lists are fetched and drawn here.
"use strict";

const post = (each) => h("article", { class: "card", "data-post": each.id },
  avatar("The Hedge"),
  h("div", {},
    h("header", {}, h("b", {}, "The Hedge"), tag(each.topic), h("a", { href: `/posts/${each.id}` }, ago(each.age))),
    h("p", {}, each.text),
    h("footer", {},
      h("span", { "data-number": "impressions" }, `${number(each.impressions)} views`),
      h("span", { "data-number": "likes" }, `${number(each.likes)} likes`),
      h("span", { "data-number": "shares" }, `${number(each.shares)} shares`))));

const row = (...cells) => h("tr", {}, ...cells.map((cell) =>
  cell instanceof Node ? h("td", {}, cell) : typeof cell === "number" ? h("td", { class: "num" }, number(cell)) : h("td", {}, cell)));

// Live numbers: drawn at once and then five times a second, with a little curve of what was seen.
function live(read) {
  const seen = {};
  async function again() {
    const numbers = await read();
    for (const [name, value] of Object.entries(numbers)) {
      const place = document.querySelector(`[data-testid="${name}"]`);
      if (!place) continue;
      place.textContent = number(value);
      seen[name] = [...(seen[name] || []), value].slice(-40);
      if (seen[name].length > 2) place.parentElement.querySelector(".spark").replaceChildren(curve(seen[name], 160, 30));
    }
    setTimeout(() => again().catch(() => {}), 200);
  }
  return again();
}

const PAGES = {
  async home() {
    let shown = 0;
    const feed = $("#feed"), more = $("#more");
    async function load(limit) {
      busy(feed);
      const { items, total } = await api(`/posts?offset=${shown}&limit=${limit}`);
      shown += items.length;
      feed.append(...items.map(post));
      feed.setAttribute("aria-busy", "false");
      more.hidden = shown >= total;
    }
    more.addEventListener("click", () => said(load(10)));
    submit($("#compose"), async (given) => {
      busy(feed);
      const made = await api("/posts", given);
      shown += 1;
      feed.prepend(post(made));
      feed.setAttribute("aria-busy", "false");
      $("#compose").reset();
      toast("Posted");
    });
    await load(8);
  },

  async queue() {
    const ideas = $("#ideas"), publish = $("#publish");
    async function draw() {
      busy(ideas);
      const { items, total } = await api("/queue?limit=50");
      done(ideas, ...items.map((idea) => h("li", {}, h("span", {}, idea.text), tag(idea.topic))));
      $("#waiting").textContent = total;
      publish.disabled = total === 0;
    }
    publish.addEventListener("click", () => said((async () => {
      publish.disabled = true;
      const made = await api("/queue/publish", {});
      toast(`Published: ${made.text}`);
      await draw();
    })()));
    submit($("#idea"), async (given) => {
      await api("/queue", given);
      $("#idea").reset();
      toast("Added to the queue");
      await draw();
    });
    await draw();
  },

  async inbox() {
    let filter = "all";
    const letters = $("#letters"), pane = $("#conversation");
    async function draw() {
      busy(letters);
      const { items, unread } = await api(`/inbox?limit=50&filter=${filter}`);
      done(letters, ...items.map((each) => h("li", {}, h("button", {
        type: "button", "data-read": String(each.read), "data-id": each.id, onclick: () => said(open(each.id)),
      }, avatar(each.sender), h("b", {}, each.sender), h("small", {}, each.replies.length ? "answered" : "waiting"), h("span", { class: "text" }, each.text)))));
      $("#unread").textContent = unread ? `${unread} unread` : "";
    }
    async function open(id) {
      const each = await api(`/inbox/${id}`);
      for (const one of letters.querySelectorAll("button")) one.setAttribute("aria-current", String(one.dataset.id === String(id)));
      const form = h("form", { "aria-label": "Reply" }, h("label", {}, "Your reply", h("textarea", { name: "text", rows: 3, maxlength: 280, required: "" })), h("button", { class: "primary wide", type: "submit" }, "Send"));
      submit(form, async (given) => {
        await api(`/inbox/${id}/replies`, given);
        toast("Sent");
        await open(id);
        await draw();
      });
      pane.replaceChildren(h("div", { class: "row" }, avatar(each.sender), h("h2", {}, each.sender)), h("p", { class: "said" }, each.text),
        ...each.replies.map((text) => h("p", { class: "said own", "data-testid": "reply" }, text)), form);
    }
    $("#read").addEventListener("click", () => said((async () => { await api("/inbox/read", {}); await draw(); toast("All read"); })()));
    tabs("filter", (name) => { filter = name; return draw(); });
    await draw();
  },

  async followers() {
    const size = 12;
    let offset = 0;
    async function draw() {
      busy($("#followers"));
      const { items, total } = await api(`/followers?offset=${offset}&limit=${size}`);
      done($("#followers tbody"), ...items.map((each) => row(h("span", {}, avatar(each.name), each.name), each.handle, tag(each.topic), each.since ? `${each.since} days` : "today")));
      $("#place").textContent = `Page ${offset / size + 1} of ${Math.ceil(total / size)}`;
      $("#previous").disabled = offset === 0;
      $("#next").disabled = offset + size >= total;
    }
    $("#previous").addEventListener("click", () => { offset = Math.max(0, offset - size); said(draw()); });
    $("#next").addEventListener("click", () => { offset += size; said(draw()); });
    await draw();
  },

  async analytics() {
    let range = "7d";
    async function draw() {
      busy($("#top"));
      const data = await api(`/analytics?range=${range}`);
      $("#chart").replaceChildren(curve(data.daily, 800, 200, 4));
      $("#chart").dataset.days = data.daily.length;
      done($("#top tbody"), ...data.top.map((each) => row(h("a", { href: `/posts/${each.id}` }, each.text), tag(each.topic), each.impressions, each.likes)));
    }
    tabs("range", (name) => { range = name; return draw(); });
    await Promise.all([draw(), live(async () => (await api(`/analytics?range=${range}`)).totals)]);
  },

  async archive() {
    const size = 10, page = Math.max(1, parseInt(new URLSearchParams(location.search).get("page") || "1", 10) || 1);
    const { items, total } = await api(`/posts?offset=${(page - 1) * size}&limit=${size}`);
    const last = Math.max(1, Math.ceil(total / size));
    done($("#archive tbody"), ...items.map((each) => row(each.id, h("a", { href: `/posts/${each.id}` }, each.text), tag(each.topic), each.impressions, each.clicks)));
    $("#place").textContent = `Page ${page} of ${last}`;
    for (const [rel, to] of [["prev", page - 1], ["next", page + 1]]) {
      const link = $(`a[rel=${rel}]`);
      link.href = `/archive?page=${to}`;
      link.hidden = to < 1 || to > last;
    }
  },

  async trends() {
    let sort = "seen";
    async function draw() {
      busy($("#trends"));
      const rows = await api(`/trends?sort=${sort}`);
      done($("#trends"), ...rows.map((each) => h("li", {}, h("button", { type: "button", onclick: () => said(open(each.topic)) }, tag(each.topic), h("span", {}, `${number(each.seen)} views`), h("small", {}, `${each.posts} posts, ${each.rate} a second`)))));
    }
    async function open(topic) {
      const { items, total } = await api(`/posts?topic=${topic}&limit=4&sort=top`);
      $("#topic").replaceChildren(h("div", { class: "row" }, h("h2", {}, topic), h("span", { class: "badge" }, `${total} posts`)), ...items.map((each) => h("p", { class: "said" }, each.text)));
    }
    tabs("sort", (name) => { sort = name; return draw(); });
    await draw();
  },

  async reports() {
    const build = $("#build");
    build.addEventListener("click", () => said((async () => {
      build.disabled = true;
      $("#progress").hidden = false;
      try {
        const rows = await api("/reports", {});
        $("#attribution tbody").replaceChildren(...rows.map((each) => row(each.post, tag(each.topic), each.clicks, each.followers)));
        $("#attribution").hidden = $("#download").hidden = false;
      } finally {
        build.disabled = false;
        $("#progress").hidden = true;
      }
    })()));
  },

  async outcomes() {
    const rows = await api("/outcomes");
    done($("#outcomes tbody"), ...rows.map((each) => {
      const off = each.actual - each.predicted;
      const confirm = h("button", { type: "button", onclick: () => said((async () => {
        await api(`/outcomes/${each.post}/confirm`, {});
        confirm.textContent = "Confirmed";
        confirm.disabled = true;
      })()) }, each.confirmed ? "Confirmed" : "Confirm");
      confirm.disabled = each.confirmed;
      return row(each.text, each.predicted, each.actual, h("span", { class: off < 0 ? "down" : "up" }, (off < 0 ? "−" : "+") + number(Math.abs(off))), confirm);
    }));
  },

  async news() {
    let shown = 0;
    const list = $("#news");
    async function load() {
      busy(list);
      const { items, total } = await api(`/news?offset=${shown}&limit=6`);
      shown += items.length;
      list.append(...items.map((each) => h("article", { class: "card", hue: hue(each.headline) }, h("h2", {}, h("a", { href: `/news/${each.slug}` }, each.headline)), h("p", {}, `${each.byline} · ${each.minutes} min`))));
      list.setAttribute("aria-busy", "false");
      $("#more").hidden = shown >= total;
    }
    $("#more").addEventListener("click", () => said(load()));
    await load();
  },

  async article() {
    const each = await api(`/news/${location.pathname.split("/").pop()}`);
    done($("#article"), h("p", { class: "muted" }, `${each.byline} · ${each.minutes} min`), ...each.paragraphs.map((text) => h("p", {}, text)));
  },

  async post() {
    const path = `/posts/${location.pathname.split("/").pop()}`;
    let drawn = false;
    await live(async () => {
      const each = await api(path);
      if (!drawn) done($("#post"), h("div", { class: "row" }, avatar("The Hedge"), h("b", {}, "The Hedge"), tag(each.topic)), h("p", {}, each.text));
      drawn = true;
      const whole = Math.max(1, each.impressions);
      $("#sources").replaceChildren(...Object.entries(each.sources).flatMap(([name, value]) => {
        const bar = h("i");
        bar.style.width = `${(100 * value) / whole}%`;
        return [h("dt", {}, name), h("dd", { class: "track" }, bar), h("dd", { class: "num" }, number(value))];
      }));
      return each;
    });
  },

  async settings() {
    const form = $("#settings");
    const { sessions, ...chosen } = await api("/settings");
    for (const [name, value] of Object.entries(chosen)) form.elements[name].value = value;
    form.setAttribute("aria-busy", "false");
    done($("#sessions"), ...sessions.map((age, i) => h("li", {}, h("span", {}, i ? "Earlier session" : "Newest session"), h("span", { class: "muted" }, ago(age)))));
    submit(form, async (given) => {
      await api("/settings", { ...given, best_hour: Number(given.best_hour) });
      toast("Saved");
    });
  },
};

(PAGES[document.body.dataset.page] || (async () => {}))().catch((error) => toast(error.message));
