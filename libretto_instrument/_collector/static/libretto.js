// Reading works without this. It adds two things: what arrives appears, and keys.

const live = document.getElementById("live");
const toast = document.getElementById("toast");
let shown = document.documentElement.dataset.version;
let latest = shown;
let busy = false;

function load(address) {
  // Parsed by the request itself: no string ever becomes markup here.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onload = () => (request.status === 200 ? resolve(request.response) : reject());
    request.onerror = reject;
    request.send();
  });
}

function replace(section, fresh) {
  const known = new Set([...section.querySelectorAll("[id]")].map((row) => row.id));
  const focused = document.activeElement?.closest("[id]")?.id;
  const copy = document.importNode(fresh, true);
  let added = 0;
  for (const row of copy.querySelectorAll("tbody [id], article[id]")) {
    if (known.has(row.id)) continue;
    row.classList.add("new");
    added += 1;
  }
  section.replaceWith(copy);
  if (focused && known.has(focused)) {
    document.getElementById(focused)?.querySelector("a.row")?.focus({ preventScroll: true });
  }
  return added;
}

async function refresh() {
  const wanted = latest;
  const page = await load(location.href);
  let added = 0;
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(section.id);
    if (fresh) added += replace(section, fresh);
  }
  shown = wanted;
  toast.replaceChildren();
  if (added) say(`${added} new`);
}

function say(text) {
  toast.textContent = text;
  setTimeout(() => toast.textContent === text && toast.replaceChildren(), 2500);
}

function offer() {
  const button = document.createElement("button");
  button.textContent = "Show what is new";
  button.onclick = () => {
    scrollTo({ top: 0 });
    refresh();
  };
  if (!toast.querySelector("button")) toast.replaceChildren(button);
}

async function update() {
  if (latest === shown || busy || document.hidden) return;
  // Further down the page, rows must not move under the reader's eyes.
  if (scrollY > 300) return offer();
  busy = true;
  try {
    await refresh();
  } catch {
    // The collector is gone for now; the stream says when it is back.
  }
  // At most one look a second, however much arrives.
  setTimeout(() => {
    busy = false;
    update();
  }, 1000);
}

function hear(version) {
  latest = version;
  update();
}

// A browser opens six connections to a server, which as many tabs would use up. So one
// tab listens for all of them; where it cannot be agreed which, only those in sight do.
function listen(tell) {
  const stream = new EventSource("/live");
  stream.onmessage = (message) => tell(message.data);
  stream.onopen = () => live.classList.remove("off");
  stream.onerror = () => live.classList.add("off");
  return stream;
}

function share() {
  const channel = new BroadcastChannel("libretto-live");
  let leads = false;
  channel.onmessage = (message) => {
    if (message.data) hear(message.data);
    else if (leads) channel.postMessage(latest);
  };
  channel.postMessage("");
  const lead = () =>
    new Promise((done) => {
      leads = true;
      const stream = listen((version) => {
        channel.postMessage(version);
        hear(version);
      });
      addEventListener("pagehide", () => {
        stream.close();
        done();
      });
    });
  navigator.locks.request("libretto-live", lead);
}

function listenInSight() {
  let stream = document.hidden ? null : listen(hear);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stream?.close();
    else stream = listen(hear);
  });
  addEventListener("pagehide", () => stream?.close());
}

if (document.querySelector("[data-live]")) {
  live.hidden = false;
  if (navigator.locks && window.BroadcastChannel) share();
  else listenInSight();
  document.addEventListener("visibilitychange", update);
  addEventListener("scroll", () => scrollY < 100 && update(), { passive: true });
}

function step(by) {
  const rows = [...document.querySelectorAll("a.row")];
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  rows[next]?.focus();
}

const keys = {
  "/": () => document.querySelector("input[type=search]").select(),
  "?": () => location.assign("/help"),
  "[": () => document.querySelector(".around a[rel=prev]")?.click(),
  "]": () => document.querySelector(".around a[rel=next]")?.click(),
  j: () => step(1),
  k: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button && !(event.key in keys)) return;
  event.preventDefault();
  if (button) button.click();
  else keys[event.key]();
});

// An address to share says only what was asked for.
document.getElementById("filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) {
    if (!value) event.formData.delete(name);
  }
});
