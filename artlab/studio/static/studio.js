// What Gradio has no parts for: uploads file by file, grids of works and pictures, a canvas for masks, keys.
// Nothing here knows who is asking: every request carries the session cookie, and the server looks everything up again.
(() => {
  "use strict";
  const $ = (selector, inside = document) => inside.querySelector(selector);
  const $$ = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const make = (name, attributes = {}, ...inside) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
    element.append(...inside);
    return element;
  };
  const base = () => document.querySelector("[data-base]")?.dataset.base || "";

  // -- telling Gradio: a hidden text box per tab hears JSON. One at a time, so that none is lost.
  const waiting = [];
  let talking = false;
  const opened = new Set();
  function tell(box, message) {
    if (!opened.has(box)) {  // Gradio holds the first change of a text box back until the second
      opened.add(box);
      waiting.push([box, {}]);
    }
    waiting.push([box, message]);
    if (!talking) next();
  }
  function next() {
    const one = waiting.shift();
    talking = Boolean(one);
    if (!one) return;
    const field = $(`#${one[0]} textarea, #${one[0]} input`);
    if (field) {
      const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
      Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, JSON.stringify({ ...one[1], at: Date.now() + Math.random() }));
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    setTimeout(next, 120);
  }
  function say(text) {
    let live = $("#said-aloud");
    if (!live) document.body.append((live = make("div", { id: "said-aloud", "aria-live": "polite", class: "bridge" })));
    live.textContent = text;
  }

  // -- buttons inside pieces of HTML: data-tell names the box, data-act what is wanted; the focus comes back after a redraw.
  let focused = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button && button.type !== "checkbox") {
      event.preventDefault();
      focused = button.dataset.key || null;
      const { tell: box, act, ...rest } = button.dataset;
      if (rest.sure && !window.confirm(rest.sure)) return;
      if (rest.tab) openTab(rest.tab);
      if (button.closest("dialog") && !rest.stay) button.closest("dialog").close();
      if (act === "theme") return toggleTheme();
      if (act === "keys") return showKeys();
      if (act === "open-tab") return;
      tell(box, { act, ...rest });
    }
    const frame = event.target.closest("[data-look]");
    if (frame) look(frame);
    if (event.target.closest("[data-shut]")) event.target.closest("dialog").close();
    const chooser = event.target.closest("[data-choose]");
    if (chooser) $(`#${chooser.dataset.choose}`).click();
  });
  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-change]");
    if (field) tell(field.dataset.tell, { act: field.dataset.change, id: field.dataset.id, value: field.type === "checkbox" ? field.checked : field.value });
    const pick = event.target.closest(".pick");
    if (pick) picked();
    if (event.target.matches("[data-split]")) event.target.closest(".compare").style.setProperty("--at", `${event.target.value}%`);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-split]")) event.target.closest(".compare").style.setProperty("--at", `${event.target.value}%`);
  });
  new MutationObserver(() => {
    if (focused && document.activeElement === document.body) {
      const again = $(`[data-key="${CSS.escape(focused)}"]`);
      if (again) { again.focus({ preventScroll: true }); focused = null; }
    }
    $$(".well:not([data-ready]), #drop:not([data-ready])").forEach(ready);
    $$(".paint:not([data-ready])").forEach(easel);
  }).observe(document.documentElement, { childList: true, subtree: true });

  // -- news: a short text that differs whenever this page would; only then is Gradio asked to draw
  const EVERY = 2000, HIDDEN = 15000;
  let heardLast = null, away = 0, run = null, touched = false;
  document.addEventListener("input", (event) => { touched ||= event.isTrusted; }, true);
  document.addEventListener("pointerdown", (event) => { touched ||= Boolean(event.target.closest(".paint")); }, true);
  function renew() {  // Gradio's side of this page does not outlive the server that made it
    if (!touched && !running) return location.reload();
    const told = $("#away") || document.body.appendChild(make("p", { id: "away", role: "alert" }));
    told.replaceChildren("The studio is back. ", make("a", { href: "" }, "Load this page again"), " to go on; what you typed here and did not send is lost by that.");
  }
  async function listen() {
    let wait = document.hidden ? HIDDEN : EVERY;
    try {
      const answer = await fetch(`${base()}/news`, { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) return say("You are logged out. Reload the page to log in again.");
      if (!answer.ok) throw new Error(answer.status);
      const now = await answer.text();
      run ??= answer.headers.get("X-Run");
      if (run !== answer.headers.get("X-Run")) return renew();
      $("#away")?.remove();
      away = 0;
      if (now !== heardLast) { heardLast = now; tell("news", {}); }
    } catch {
      away += 1;
      if (away === 2) document.body.append(make("p", { id: "away", role: "alert" }, "The studio does not answer just now; this page tries again."));
      wait = Math.min(EVERY * 2 ** away, HIDDEN);
    }
    clearTimeout(listening);
    listening = setTimeout(listen, wait);
  }
  let listening = setTimeout(listen, EVERY / 2);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { clearTimeout(listening); listen(); } });
  // The second click of a double click would ask for everything twice.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("button.primary")) { event.preventDefault(); event.stopPropagation(); }
  }, true);

  // -- tabs, kept over a reload; dark and light
  const tabs = () => $$('.tab-container button[role="tab"]');
  function openTab(name) { tabs().find((tab) => tab.textContent.trim().toLowerCase() === name)?.click(); }
  document.addEventListener("click", (event) => {
    const tab = event.target.closest('button[role="tab"]');
    if (tab && event.isTrusted) { history.replaceState(null, "", `#${tab.textContent.trim().toLowerCase()}`); }
  });
  const began = setInterval(() => {
    if (!tabs().length) return;
    clearInterval(began);
    if (location.hash.length > 1) openTab(decodeURIComponent(location.hash.slice(1)));
    const list = $('.tab-container[role="tablist"]');
    if (list) list.setAttribute("aria-label", "Rooms of the studio");
  }, 60);
  const chosen = localStorage.getItem("artlab-theme");
  function setTheme(dark) { document.body.classList.toggle("dark", dark); document.documentElement.style.colorScheme = dark ? "dark" : "light"; }
  function toggleTheme() {
    const dark = !document.body.classList.contains("dark");
    localStorage.setItem("artlab-theme", dark ? "dark" : "light");
    setTheme(dark);
    say(dark ? "Dark" : "Light");
  }
  if (chosen) { const again = () => setTheme(chosen === "dark"); document.body ? again() : addEventListener("DOMContentLoaded", again); addEventListener("load", () => { again(); setTimeout(again, 400); }); }

  // -- uploads
  const sent = [];
  let running = 0, batch = "";
  function ready(zone) {
    zone.dataset.ready = "1";
    zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", async (event) => {
      event.preventDefault();
      event.stopPropagation();
      zone.classList.remove("over");
      take(zone, await dropped(event.dataTransfer));
    });
    $$("input[type=file]", zone).forEach((input) => input.addEventListener("change", () => {
      take(zone, [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
      input.value = "";
    }));
    const consent = $(".consent input", zone);
    consent?.addEventListener("change", () => zone.classList.remove("asks"));
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    const zone = files.length && $$("#drop, .well").find((one) => one.offsetParent);
    if (zone) take(zone, files.map((file) => ({ file, name: file.name })));
  });
  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
    const found = [];
    const walk = async (entry) => {
      if (entry.isFile) found.push({ file: await new Promise((ok, no) => entry.file(ok, no)), name: entry.fullPath.replace(/^\//, "") });
      else {
        const reader = entry.createReader();
        for (;;) {
          const some = await new Promise((ok, no) => reader.readEntries(ok, no));
          if (!some.length) break;
          for (const one of some) await walk(one);
        }
      }
    };
    for (const entry of entries) await walk(entry);
    return found;
  }
  function take(zone, files) {
    files = files.filter(({ name }) => !name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX" || part.toLowerCase() === "thumbs.db"));
    if (!files.length) return;
    if (zone.classList.contains("well")) return putOnDesk(zone, files[0].file);
    if (!$(".consent input", zone).checked) {
      zone.classList.add("asks");
      zone.waiting = files;
      $(".consent input", zone).focus();
      say("Please tick the line about your rights first; then the upload begins.");
      $(".consent input", zone).addEventListener("change", () => { const some = zone.waiting; zone.waiting = null; if (some) take(zone, some); }, { once: true });
      return;
    }
    batch = batch || Date.now().toString(36);
    for (const { file, name } of files) sent.push(row(file, name));
    $("#sent").hidden = false;
    $("#sent").open = true;
    pump();
  }
  function row(file, name) {
    const bar = make("progress", { max: 1, value: 0, "aria-label": `Upload of ${name}` });
    const state = make("span", { class: "state" }, "waiting");
    const line = make("li", {}, make("span", { class: "name", title: name }, name), bar, state);
    $("#sent ul").append(line);
    return { file, name, bar, state, line, is: "waiting" };
  }
  function pump() {
    while (running < 3) {
      const one = sent.find((row) => row.is === "waiting");
      if (!one) break;
      running += 1;
      one.is = "sending";
      send(one).finally(() => { running -= 1; totals(); pump(); });
    }
    totals();
    if (!running && batch && !sent.some((row) => row.is === "waiting")) { batch = ""; tell("portfolio-act", { act: "arrived" }); }
  }
  const send = (one) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${base()}/upload`);
    request.setRequestHeader("X-Name", encodeURIComponent(one.name));
    request.setRequestHeader("X-Consent", "yes");
    request.setRequestHeader("X-Batch", batch);
    request.upload.onprogress = (event) => { if (event.lengthComputable) one.bar.value = event.loaded / event.total; };
    const failed = (why) => mark(one, "failed", why);
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page */ }
      if (request.status !== 200) failed(answer.detail || (request.status === 401 ? "you are logged out; reload the page" : `not taken (${request.status})`));
      else mark(one, answer.state, { received: "received", duplicate: `already here as ${answer.of}`, refused: answer.reason }[answer.state]);
      done();
    };
    request.onerror = () => { failed("the connection broke; press Retry"); done(); };
    request.send(one.file);
  });
  function mark(one, state, text) { one.is = state; one.bar.value = 1; one.line.className = state; one.state.textContent = text; one.state.title = text; }
  function totals() {
    const count = (state) => sent.filter((row) => row.is === state).length;
    const parts = [[count("received"), "received"], [count("duplicate"), "already here"], [count("refused"), "refused"], [count("failed"), "failed"]];
    const left = count("waiting") + count("sending");
    const text = [`${sent.length - left} of ${sent.length} files`, ...parts.filter(([n]) => n).map(([n, word]) => `${n} ${word}`)].join(" · ");
    $("#sent summary").textContent = text;
    $("#retry").hidden = !count("failed");
    if (!left) say(text);
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#retry")) return;
    batch = Date.now().toString(36);
    sent.filter((row) => row.is === "failed").forEach((row) => { row.is = "waiting"; row.line.className = ""; row.state.textContent = "waiting"; row.bar.value = 0; });
    pump();
  });
  addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });

  // -- one picture to start from
  async function putOnDesk(well, file) {
    const note = $(".note", well);
    note.textContent = `Reading ${file.name}…`;
    try {
      const answer = await fetch(`${base()}/desk`, { method: "POST", body: file, credentials: "same-origin" });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.detail || "This file could not be read.");
      note.textContent = "";
      tell(well.dataset.tell, { act: well.dataset.well, ...told });
    } catch (error) {
      note.textContent = error.message;
      note.setAttribute("role", "alert");
    }
  }

  // -- painting a region: one canvas over the picture; strokes are kept, so that undo is drawing all but the last again
  function easel(place) {
    place.dataset.ready = "1";
    const canvas = $("canvas", place), pen = canvas.getContext("2d"), strokes = [];
    const tools = place.parentElement;
    let stroke = null;
    const colour = () => getComputedStyle(document.body).getPropertyValue("--accent").trim() || "#b33";
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height]; };
    const draw = (onto, ink) => {
      onto.clearRect(0, 0, canvas.width, canvas.height);
      for (const { points, width, erase } of strokes) {
        onto.globalCompositeOperation = erase ? "destination-out" : "source-over";
        onto.strokeStyle = onto.fillStyle = ink;
        onto.lineWidth = width;
        onto.lineCap = onto.lineJoin = "round";
        onto.beginPath();
        onto.moveTo(...points[0]);
        points.concat([[points.at(-1)[0] + 0.1, points.at(-1)[1]]]).forEach((point) => onto.lineTo(...point));
        onto.stroke();
      }
      onto.globalCompositeOperation = "source-over";
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      stroke = { points: [at(event)], width: Number($("[data-brush]", tools).value), erase: $("[data-erase]", tools).checked };
      strokes.push(stroke);
      draw(pen, colour());
    });
    canvas.addEventListener("pointermove", (event) => { if (stroke) { stroke.points.push(at(event)); draw(pen, colour()); } });
    const lift = () => { if (stroke) { stroke = null; keep(); } };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    $("[data-undo]", tools).addEventListener("click", () => { strokes.pop(); draw(pen, colour()); keep(); });
    $("[data-clear]", tools).addEventListener("click", () => { strokes.length = 0; draw(pen, colour()); keep(); });
    $("[data-all]", tools).addEventListener("click", () => { strokes.push({ points: [[0, canvas.height / 2], [canvas.width, canvas.height / 2]], width: canvas.height * 2, erase: false }); draw(pen, colour()); keep(); });
    let timer = 0;
    function keep() {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const sheet = make("canvas", { width: canvas.width, height: canvas.height }), ink = sheet.getContext("2d");
        draw(ink, "#fff");
        ink.globalCompositeOperation = "destination-over";
        ink.fillStyle = "#000";
        ink.fillRect(0, 0, sheet.width, sheet.height);
        const blob = await new Promise((done) => sheet.toBlob(done, "image/png"));
        const answer = await fetch(`${base()}/desk`, { method: "POST", body: blob, credentials: "same-origin" });
        if (answer.ok) tell(place.dataset.tell, { act: "mask", region: place.dataset.region || "0", empty: !strokes.length, ...(await answer.json()) });
      }, 350);
    }
  }

  // -- looking at one picture, walking with the arrows
  let looked = null;
  function siblings() { return looked ? $$("[data-look]", looked.closest("ul, .stage") || document) : []; }
  function look(frame) {
    looked = frame;
    let dialog = $("dialog.look");
    if (!dialog) {
      document.body.append((dialog = make("dialog", { class: "look", "aria-label": "One picture" })));
      dialog.addEventListener("close", () => { const again = looked && document.contains(looked) ? looked : null; again?.focus(); });
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    }
    const holder = frame.closest("li, .look-holder");
    const more = $("template", holder);
    const image = make("img", { src: frame.dataset.look, alt: $("img", frame)?.alt || "" });
    const side = make("div", { class: "side" });
    if (more) side.append(more.content.cloneNode(true));
    dialog.replaceChildren(make("button", { class: "plain shut", "data-shut": true }, "Close"), make("div", { class: "in" }, image, side));
    if (!dialog.open) dialog.showModal();
  }
  function picked() {
    const picks = $$(".pick:checked");
    document.body.classList.toggle("picking", picks.length > 0);
    tell("gallery-act", { act: "picked", ids: picks.map((one) => one.value) });
  }
  function showKeys() { $("dialog.keys")?.showModal(); }
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      const make = $$("#make, #make button, #train, #train button").find((one) => one.offsetParent && one.tagName === "BUTTON");
      if (make) { event.preventDefault(); make.click(); }
      return;
    }
    const typing = event.target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.("[role=tab]") && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const all = [...event.target.closest("[role=tablist]").querySelectorAll("[role=tab]")].filter((one) => one.offsetParent);
      const to = all[(all.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : all.length - 1)) % all.length];
      event.preventDefault();
      return to.focus();
    }
    const dialog = $("dialog.look[open]");
    if (event.key === "?") return showKeys();
    if (dialog && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const all = siblings(), to = all[all.indexOf(looked) + (event.key === "ArrowRight" ? 1 : -1)];
      if (to) { event.preventDefault(); look(to); }
    }
    const frame = dialog ? looked : event.target.closest?.("[data-look]");
    const holder = frame?.closest("li");
    if (!holder) return;
    if (event.key === ".") { event.preventDefault(); $(".star", holder)?.click(); }
    if (event.key === "Delete") {
      const all = siblings(), at = all.indexOf(frame), neighbour = all[at + 1] || all[at - 1];
      const bin = $("[data-act=trash]", more(holder) || holder);
      if (bin && window.confirm("Move this picture to the trash?")) {
        focused = neighbour ? neighbour.dataset.key : null;
        dialog?.close();
        tell(bin.dataset.tell, { act: "trash", id: bin.dataset.id });
      }
    }
    if (!dialog && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      looked = frame;
      const all = siblings(), to = all[all.indexOf(frame) + (event.key === "ArrowRight" ? 1 : -1)];
      if (to) { event.preventDefault(); to.focus(); }
    }
  });
  const more = (holder) => $("template", holder)?.content;
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => { if (!event.target.closest(".well, #drop")) event.preventDefault(); });
})();
