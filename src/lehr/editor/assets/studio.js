// The page and the notebook share this module. It holds no schedule: it shows what Python answers.
const VERSION = 1;
const NS = "http://www.w3.org/2000/svg";
const DRAWN = ["svg", "g", "circle"];
const REST = 250, GESTURE = 700, MOST_UNDO = 200;
const KEYS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowDown: ["y", -1], ArrowUp: ["y", 1],
  PageDown: ["y", -10], PageUp: ["y", 10] };
const LOOKS = { drag: 1, nudge: 1 };

function make(name, props = {}, ...inside) {
  const drawn = DRAWN.includes(name);
  const element = drawn ? document.createElementNS(NS, name) : document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...inside.filter((one) => one != null));
  return element;
}

const button = (text, onclick, props = {}) => make("button", { type: "button", onclick, ...props }, text);
const labelled = (text, field) => make("label", {}, make("span", {}, text), field);
const chosen = (values, onchange, props = {}) =>
  make("select", { onchange, ...props }, ...values.map((value) => make("option", {}, value)));
const picture = (markup) => {
  // Python escapes every text in it.
  const holder = make("span", { class: "picture" });
  holder.innerHTML = markup;
  return holder;
};

export const EMPTY = {
  lines: [{ role: "rate", text: "warmup('5%') >> hold() >> cosine('20%', to=0.1)" }],
  run: "10_000", units: {}, axis: "steps", log: false, base: 1, selected: 0,
};

/** Show a studio in an element.
 *  ask: sends a request to Python and returns its answer.  start: the sketch to begin with.
 *  changed: called with the sketch when a gesture has ended. */
export function mount(root, ask, start, changed = () => {}) {
  let sketch = { ...EMPTY, ...start };
  let frame = null, held = null, keyed = null, typed = 0;
  let busy = false, waiting = null, seq = 0, rest = 0, codes = ["Python"], eases = [];
  const past = [], future = [], knots = new Map();

  // ----- the elements -----------------------------------------------------------------------------
  const plot = make("g"), grips = make("g");
  const svg = make("svg", { class: "plot", role: "group" }, plot, grips);
  const lines = make("div", { class: "lines" });
  const problem = make("pre", { role: "alert", class: "problem" });
  const run = make("input", { "aria-label": "Run", oninput: () => put({ run: run.value }) });
  const units = Object.fromEntries(["steps_per_epoch", "batch", "sequence"].map((name) => [name,
    make("input", { inputmode: "numeric", oninput: () => unit(name) })]));
  const axis = chosen(["steps", "epochs", "tokens", "shares"], () => put({ axis: axis.value }));
  const log = make("input", { type: "checkbox", onchange: () => put({ log: log.checked }) });
  const base = make("input", { inputmode: "decimal", onchange: () => put({ base: Number(base.value) || 1 }) });
  const numbers = make("div", { class: "numbers" }), pieces = make("ol", { class: "pieces" });
  const bound = make("p", { class: "bound", role: "status" });
  const readout = make("dl", { class: "readout" });
  const live = make("p", { "aria-live": "polite", class: "unseen" });
  const predicted = make("p", { class: "predicted" });
  const findings = make("ul", { class: "findings" }), measured = make("ul", { class: "measured" });
  const kind = chosen(codes, () => send(), { "aria-label": "Code for" });
  const code = make("pre", { tabindex: 0, "aria-label": "Code", class: "code" });
  const undo = button("Undo", () => swap(past, future)), redo = button("Redo", () => swap(future, past));
  const gallery = make("dialog", { "aria-label": "Start from" }), menu = make("dialog", { "aria-label": "Ease" });

  root.classList.add("lehr-studio");
  root.replaceChildren(make("div", { class: "body" },
    make("div", { class: "row bar" }, button("Start from…", () => gallery.showModal()), undo, redo,
      button("Copy link", () => copy(address())), make("span", { class: "copied", role: "status" })),
    make("div", { class: "edit" }, lines, problem,
      make("div", { class: "row" }, button("Add a line", addLine),
        button("Add a piece", () => act({ kind: "add" })),
        button("Repeat", () => act({ kind: "repeat", times: 4 }))),
      pieces,
      make("div", { class: "row fields" }, labelled("Run", run), labelled("Time in", axis),
        labelled("Base rate", base), make("label", { class: "check" }, log, " log axis")),
      make("details", {}, make("summary", {}, "Epochs and tokens"),
        labelled("Steps in an epoch", units.steps_per_epoch), labelled("Batch", units.batch),
        labelled("Tokens in a sample", units.sequence)),
      make("details", { open: true }, make("summary", {}, "Numbers"), numbers)),
    make("div", { class: "see" }, svg, bound, readout, predicted, findings, measured, live,
      make("div", { class: "row" }, kind, button("Copy code", () => copy(code.textContent)),
        button("Save SVG", () => save("svg")), button("Save PNG", () => save("png"))),
      code)), gallery, menu);

  // Some notebooks put a widget into a tree of its own.
  const focused = () => root.getRootNode().activeElement;

  // ----- undo -------------------------------------------------------------------------------------
  function remember() {
    past.push(sketch);
    if (past.length > MOST_UNDO) past.shift();
    future.length = 0;
  }
  function swap(from, to) {
    if (!from.length) return;
    to.push(sketch);
    sketch = from.pop();
    keyed = null;
    send();
  }
  function put(part) {
    // Typing without a pause is undone in one go.
    if (performance.now() - typed > GESTURE) remember();
    typed = performance.now();
    sketch = { ...sketch, ...part };
    send();
  }
  function unit(name) {
    const all = { ...sketch.units }, value = Number(units[name].value);
    if (Number.isInteger(value) && value > 0) all[name] = value;
    else delete all[name];
    put({ units: all });
  }
  function putLine(index, part) {
    put({ lines: sketch.lines.map((line, i) => (i === index ? { ...line, ...part } : line)) });
  }
  function select(index) {
    if (sketch.selected === index) return;
    sketch = { ...sketch, selected: index };
    send();
  }
  function addLine() {
    const last = sketch.lines.at(-1);
    const roles = sketch.lines.map((line) => line.role);
    const line = roles.includes("momentum") ? { ...last } : { role: "momentum", text: "constant(0.95)" };
    put({ lines: [...sketch.lines, line], selected: sketch.lines.length });
  }
  function dropLine(index) {
    if (sketch.lines.length > 1) {
      put({ lines: sketch.lines.filter((_, i) => i !== index), selected: 0 });
    }
  }

  // ----- asking: one request at a time, and of those that wait only the newest --------------------
  async function send(more = {}) {
    const width = svg.clientWidth || 640;
    const roles = new Set(sketch.lines.map((line) => line.role)).size;
    const height = (width < 500 ? 260 : 340) + 130 * (roles - 1);
    const request = { v: VERSION, sketch, size: [width, height], code: kind.value || "Python", ...more };
    if (busy) { waiting = request; return; }
    busy = true;
    request.seq = ++seq;
    try {
      show(await ask(request), request);
    } catch (error) {
      complain(`Python does not answer (${error.message}). If lehr studio was stopped, start it again: ` +
        "the link in the address bar has the whole design.");
    }
    busy = false;
    if (waiting) { const next = waiting; waiting = null; send(next); }
    else settle();
  }
  function settle() {
    clearTimeout(rest);
    if (held) return;
    rest = setTimeout(() => { if (!held && !busy) send({ slow: true }); }, REST);
  }
  function act(what) {
    remember();
    send({ act: { line: sketch.selected, ...what } });
  }

  // ----- showing ----------------------------------------------------------------------------------
  function show(answer, request) {
    if (answer.gallery) return;
    const wrong = Boolean(answer.error);
    complain(answer.error || "");
    lines.querySelectorAll("textarea").forEach((area, i) =>
      area.setAttribute("aria-invalid", wrong && i === (answer.line ?? sketch.selected)));
    if (wrong) {
      fields();
      if (request.act && !LOOKS[request.act.kind] && past.at(-1) === sketch) past.pop();
      return;
    }
    // Only the answer to an action may change the texts: others would undo what is being typed.
    if (request.act && (!waiting || waiting.act)) sketch = answer.sketch;
    if (!held) frame = answer.frame;
    svg.setAttribute("viewBox", `0 0 ${answer.size[0]} ${answer.size[1]}`);
    svg.setAttribute("height", answer.size[1]);
    svg.setAttribute("aria-label", answer.words);
    plot.innerHTML = answer.picture;
    showKnots(answer.handles);
    bound.textContent = answer.bound;
    code.textContent = answer.code;
    readout.replaceChildren(...["peak", "mean", "end", "area", "steps"].map((name) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, answer.readout[name]))));
    predicted.textContent = answer.predicted ? [answer.predicted.words, ...(answer.predicted.notes || [])].join(" ") : "";
    fields();
    showNumbers(answer.numbers[sketch.selected] || []);
    if (answer.sections) showPieces(answer.sections);
    if (request.slow) {
      live.textContent = answer.words;
      findings.replaceChildren(...answer.findings.map((found) => make("li", {}, found.message, " ",
        button("Go there", () => goThere(found)))));
      measured.replaceChildren(...answer.measured.map((text) => make("li", {}, text)));
      changed(sketch);
    }
    root.dispatchEvent(new CustomEvent("lehr-shown", { detail: { request, answer } }));
  }
  function complain(text) {
    // The words may wrap; the line with the caret under it may not.
    const at = text.search(/\n {2}[^\n]*\n *\^$/);
    const words = at < 0 ? text : text.slice(0, at);
    problem.replaceChildren(...(text ? [make("span", {}, words), text.slice(words.length)] : []));
  }
  function showKnots(handles) {
    const seen = new Set();
    for (const one of handles) {
      const key = `${one.line}:${one.id}`;
      seen.add(key);
      let knot = knots.get(key);
      if (!knot) {
        knot = make("g", { role: "slider", tabindex: 0, "aria-roledescription": one.bend ? "bend" : "knot",
          onpointerdown: (event) => grab(event, knot), onkeydown: (event) => press(event, knot) },
          make("circle", { r: 22, class: "hit" }), make("circle", { r: one.bend ? 4.5 : 6.5, class: "dot" }));
        knots.set(key, knot);
      }
      knot.handle = one;
      knot.setAttribute("class", `knot l${one.line}${one.bend ? " bend" : ""}${held?.knot === knot ? " held" : ""}`);
      // One that is held stays at the pointer until the newest place is answered.
      if (held?.knot !== knot || !waiting) knot.setAttribute("transform", `translate(${one.cx} ${one.cy})`);
      knot.setAttribute("aria-label", one.label);
      knot.setAttribute("aria-valuetext", one.valuetext);
      knot.setAttribute("aria-valuenow", one.now);
      knot.setAttribute("aria-valuemin", one.min);
      knot.setAttribute("aria-valuemax", one.max);
      knot.setAttribute("aria-orientation", one.axes === "y" ? "vertical" : "horizontal");
    }
    for (const [key, knot] of knots) if (!seen.has(key) && held?.knot !== knot) { knot.remove(); knots.delete(key); }
    // In the order of time, for Tab; one that keeps its place keeps the focus.
    handles.forEach((one, i) => {
      const knot = knots.get(`${one.line}:${one.id}`);
      if (grips.children[i] !== knot) grips.insertBefore(knot, grips.children[i] || null);
    });
  }
  function fields() {
    const set = (field, value) => { if (field.value !== value && focused() !== field) field.value = value; };
    if (lines.children.length !== sketch.lines.length) lines.replaceChildren(...sketch.lines.map((_, i) => lineRow(i)));
    sketch.lines.forEach((line, i) => {
      const row = lines.children[i], area = row.querySelector("textarea");
      row.classList.toggle("chosen", i === sketch.selected);
      area.setAttribute("aria-label", `${line.role}, as text`);
      set(area, line.text);
      // While a knot is held, the field that has the cursor is written too.
      if (focused() === area && held) area.value = line.text;
      row.querySelector("select").value = line.role;
      row.querySelector(".remove").hidden = sketch.lines.length < 2;
    });
    set(run, sketch.run);
    set(base, String(sketch.base));
    for (const [name, field] of Object.entries(units)) set(field, String(sketch.units[name] ?? ""));
    axis.value = sketch.axis;
    log.checked = sketch.log;
    undo.disabled = !past.length;
    redo.disabled = !future.length;
  }
  function lineRow(i) {
    const area = make("textarea", { rows: 2, spellcheck: "false", oninput: () => { putLine(i, { text: area.value }); grow(area); },
      onfocus: () => select(i) });
    requestAnimationFrame(() => grow(area));
    const role = chosen(["rate", "momentum", "weight decay"], () => putLine(i, { role: role.value }), { "aria-label": "Role" });
    return make("div", { class: `line l${i}` }, make("div", { class: "row" }, make("span", { class: "swatch", "aria-hidden": "true" }), role,
      button("Remove", () => dropLine(i), { class: "remove" })), area);
  }
  function grow(area) { area.rows = Math.min(12, Math.max(2, area.value.split("\n").length)); }
  function showNumbers(list) {
    const rows = [...numbers.children];
    const same = rows.length === list.length && rows.every((row, i) => row.title === list[i].name);
    if (!same) {
      numbers.replaceChildren(...list.map((one, index) => make("label", { title: one.name },
        make("span", {}, one.name.replace(".", " ")),
        make("input", { onchange: (event) => act({ kind: "number", number: index, text: event.target.value }) }))));
    }
    list.forEach((one, i) => {
      const row = numbers.children[i], field = row.lastChild;
      row.className = one.written ? "" : "default";
      if (field !== focused() && field.value !== one.text) field.value = one.text;
    });
  }
  function showPieces(list) {
    if (pieces.contains(focused()) && pieces.children.length === list.length) return;
    pieces.replaceChildren(...list.map((one, i) => make("li", {}, make("code", {}, one.text),
      make("span", { class: "row" },
        one.ease && one.ease !== "hold" ? button(one.ease, () => chooseEase(i), { "aria-label": `Ease of piece ${i + 1}: ${one.ease}` }) : null,
        one.ease ? null : button("Take apart", () => act({ kind: "apart", piece: i })),
        i + 1 < list.length && one.ease && list[i + 1].ease ? button("Join with next", () => act({ kind: "join", piece: i })) : null,
        list.length > 1 ? button("Delete", () => act({ kind: "delete", piece: i }), { "aria-label": `Delete piece ${i + 1}` }) : null))));
    svg.sections = list;
  }
  function chooseEase(piece) {
    menu.replaceChildren(make("div", { class: "row" }, make("h2", {}, "Ease"), button("Close", () => menu.close())),
      make("div", { class: "cards" }, ...eases.map((one) => make("button", { type: "button", onclick: () => {
        menu.close();
        act({ kind: "ease", piece, ease: one.name });
      } }, picture(one.picture), one.name))));
    menu.showModal();
  }
  function goThere(found) {
    const area = lines.children[found.line].querySelector("textarea");
    select(found.line);
    area.focus();
    area.setSelectionRange(found.at, found.at);
    area.scrollIntoView({ block: "center" });
  }

  // ----- moving -----------------------------------------------------------------------------------
  function place(event) {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    return [(event.clientX - box.left) * view.width / box.width, (event.clientY - box.top) * view.height / box.height];
  }
  function grab(event, knot) {
    if (event.button || !frame) return;
    event.preventDefault();
    knot.focus();
    svg.setPointerCapture(event.pointerId);
    const [x, y] = place(event), handle = knot.handle;
    keyed = null;
    remember();
    held = { knot, handle, sketch, frame, dx: handle.cx - x, dy: handle.cy - y, pointer: event.pointerId, moved: false };
    knot.classList.add("held");
  }
  svg.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.pointer) return;
    const [x, y] = place(event), px = x + held.dx, py = y + held.dy, handle = held.handle;
    const one = Math.abs(px - handle.cx) > Math.abs(py - handle.cy) ? "x" : "y";
    held.moved = true;
    // The dot follows at once, the curve when Python has answered.
    held.knot.setAttribute("transform", `translate(${handle.axes.includes("x") ? px : handle.cx} ${handle.axes.includes("y") ? py : handle.cy})`);
    send({ sketch: held.sketch, frame: held.frame,
      act: { kind: "drag", line: handle.line, handle: handle.id, px, py, ripple: event.altKey, only: event.shiftKey ? one : "" } });
  });
  function drop(event) {
    if (!held || event.pointerId !== held.pointer) return;
    const { knot, moved } = held;
    const end = () => {
      // The last place may still be on its way.
      if (busy) { setTimeout(end, 5); return; }
      held = null;
      knot.classList.remove("held");
      if (!moved) past.pop();
      send();
    };
    end();
  }
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointercancel", drop);
  svg.addEventListener("dblclick", (event) => {
    if (!event.target.closest(".knot")) act({ kind: "split", px: place(event)[0] });
  });
  function press(event, knot) {
    const key = KEYS[event.key], handle = knot.handle;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      const piece = (svg.sections || []).findIndex((one) => one.end != null && Math.abs(one.end - handle.cx) < 1);
      if (piece >= 0 && piece + 1 < svg.sections.length) act({ kind: "join", piece });
      return;
    }
    if (!key || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [along, by] = key;
    if (!handle.axes.includes(along)) return;
    // Quick presses add up, and are undone together.
    if (!keyed || keyed.knot !== knot || keyed.axis !== along) {
      remember();
      keyed = { knot, axis: along, sketch, by: 0, id: handle.id, line: handle.line };
    }
    keyed.by += by * (event.shiftKey ? 10 : 1);
    const now = keyed;
    clearTimeout(now.timer);
    now.timer = setTimeout(() => { if (keyed === now) keyed = null; }, GESTURE);
    send({ sketch: now.sketch, act: { kind: "nudge", line: now.line, handle: now.id, axis: along, by: now.by } });
  }
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.matches("textarea, input")) return;
    event.preventDefault();
    if (event.shiftKey) swap(future, past); else swap(past, future);
  });

  // ----- saving -----------------------------------------------------------------------------------
  const address = () => `${location.href.split("#")[0]}#${encodeURIComponent(JSON.stringify(sketch))}`;
  async function copy(text) {
    const said = root.querySelector(".copied");
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      said.textContent = "The browser does not allow copying: select the text and copy it";
    }
    setTimeout(() => { said.textContent = ""; }, 2000);
  }
  async function save(type) {
    const answer = await ask({ v: VERSION, seq: ++seq, sketch, size: [960, 540], file: true });
    if (answer.error) { complain(answer.error); return; }
    let blob = new Blob([answer.file], { type: "image/svg+xml" });
    if (type === "png") blob = await painted(blob, 960, 540);
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: `schedule.${type}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
  async function painted(blob, width, height) {
    const url = URL.createObjectURL(blob), image = new Image();
    await new Promise((loaded, failed) => { image.onload = loaded; image.onerror = () => failed(new Error("no picture")); image.src = url; });
    const canvas = make("canvas", { width: width * 2, height: height * 2 });
    canvas.getContext("2d").drawImage(image, 0, 0, width * 2, height * 2);
    URL.revokeObjectURL(url);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  // ----- beginning --------------------------------------------------------------------------------
  async function begin() {
    try {
      const known = await ask({ v: VERSION, seq: ++seq, gallery: true });
      codes = known.codes;
      eases = known.eases;
      kind.replaceChildren(...codes.map((name) => make("option", {}, name)));
      gallery.replaceChildren(make("div", { class: "row" }, make("h2", {}, "Start from"), button("Close", () => gallery.close())),
        make("div", { class: "cards" }, ...known.gallery.map((one) => make("button", { type: "button", title: one.summary, onclick: () => {
          gallery.close();
          typed = 0;
          putLine(sketch.selected, { text: one.text });
        } }, picture(one.picture), one.name))));
    } catch { /* the first picture says that Python does not answer */ }
    fields();
    send();
    new ResizeObserver(() => { if (Math.abs((svg.viewBox.baseVal?.width || 0) - svg.clientWidth) > 1) send(); }).observe(svg);
  }
  begin();
  return {
    get sketch() { return sketch; },
    set(next) { if (JSON.stringify(next) !== JSON.stringify(sketch)) { remember(); sketch = { ...EMPTY, ...next }; send(); } },
  };
}

/** Show the studio of the page: requests go to its own server, and the address holds the sketch. */
export function page(root) {
  const read = () => { try { return JSON.parse(decodeURIComponent(location.hash.slice(1))); } catch { return {}; } };
  const ask = async (request) => {
    const reply = await fetch("ask", { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify(request), signal: AbortSignal.timeout(30_000) });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    return reply.json();
  };
  const studio = mount(root, ask, read(), (sketch) =>
    history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(sketch))}`));
  addEventListener("hashchange", () => studio.set(read()));
  return studio;
}

/** The notebook widget, for anywidget. */
export default {
  render({ model, el }) {
    const waiting = new Map();
    const got = (answer) => { waiting.get(answer.seq)?.(answer); waiting.delete(answer.seq); };
    const ask = (request) => new Promise((done) => { waiting.set(request.seq, done); model.send(request); });
    const studio = mount(el, ask, model.get("sketch"), (sketch) => {
      model.set("sketch", sketch);
      model.save_changes();
    });
    const follow = () => studio.set(model.get("sketch"));
    model.on("msg:custom", got);
    model.on("change:sketch", follow);
    return () => { model.off("msg:custom", got); model.off("change:sketch", follow); };
  },
};
