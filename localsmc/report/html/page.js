"use strict";
// Draws the list of problems and the trees of particles. Model output is only inserted as text, never as HTML.

const root = document.documentElement;
addEventListener("error", (event) => { root.dataset.error = event.message; });

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const SIGNS = { right: "✓", wrong: "✗" };
const SHOWN = 100;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "width%") node.style.width = `${value}%`;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

function percent(share) {
  if (share > 0 && share < 0.005) return "<1%";
  if (share < 1 && share >= 0.995) return ">99%";
  return `${Math.round(100 * share)}%`;
}
const WORDS = { "no-answer": "no answer", "grader-failed": "grader failed", ungraded: "not graded", refusal: "refused" };
const ENDS = { stop: "by itself", length: "at the limit", cancelled: "stopped" };
const word = (verdict) => WORDS[verdict] || verdict || "";
const counted = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
const tone = (verdict) => (verdict === "right" || verdict === "wrong" ? verdict : "other");
const sign = (verdict) => SIGNS[verdict] || "";
// An answer, or the reason why there is none.
function named(answer, verdict) {
  if (answer === false) return "others";
  if (answer !== null && answer !== undefined) return answer;
  return verdict === "truncated" || verdict === "refusal" ? word(verdict) : "no answer";
}
// An answer with its verdict; the verdict alone if there is no answer.
const judged = (answer, verdict) => (answer === null || answer === undefined ? named(answer, verdict)
  : verdict === "ungraded" ? answer : `${answer} · ${word(verdict)} ${sign(verdict)}`);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// --- trees --------------------------------------------------------------------------------------

// Sets the depth in tokens, the row, the parent and the preceding text of every node; returns the leaves.
function laidOut(tree) {
  const leaves = [];
  const visit = (node, depth, parent, before) => {
    node.from = depth; node.to = depth + node.n; node.parent = parent; node.before = before;
    if (!node.k) { node.row = leaves.length; leaves.push(node); return; }
    const children = [...node.k].sort((a, b) => (a.d || 0) - (b.d || 0) || b.w - a.w);
    for (const child of children) visit(child, node.to, node, before + node.t);
    node.row = (children[0].row + children[children.length - 1].row) / 2;
  };
  visit(tree, 0, null, "");
  return leaves;
}

function everyNode(tree) {
  const found = [tree];
  for (let i = 0; i < found.length; i++) found.push(...(found[i].k || []));
  return found;
}

function leafLabel(leaf) {
  if (leaf.d) return `† step ${leaf.s}`;
  const label = leaf.a === undefined ? leaf.f : named(leaf.a, leaf.v);
  return `${percent(leaf.w)} ${sign(leaf.v)} ${cut(label || "", 12)}`;
}

function treeView(tree, dropped) {
  const leaves = laidOut(tree), nodes = everyNode(tree);
  const box = html("div", { class: "tree" }), detail = html("div", { class: "node-text", "aria-live": "polite" });
  const draw = () => {
    const width = Math.max(280, box.clientWidth || 600), labels = 118, high = leaves.length > 60 ? 12 : 19;
    const deepest = Math.max(1, ...leaves.map((leaf) => leaf.to));
    const x = (depth) => 6 + (width - labels - 12) * depth / deepest;
    const y = (row) => 12 + row * high;
    const picture = svg("svg", { width, height: 24 + (leaves.length - 1) * high, role: "img",
      "aria-label": `Tree of ${leaves.length} histories` });
    for (const node of nodes) {
      const from = y(node.parent ? node.parent.row : node.row), to = y(node.row);
      const x0 = x(node.from), x1 = Math.max(x0 + 1, x(node.to)), bend = Math.min(x1, x0 + 14);
      const path = `M${x0} ${from}C${(x0 + bend) / 2} ${from} ${(x0 + bend) / 2} ${to} ${bend} ${to}H${x1}`;
      const kind = node.d ? " dead" : node.k ? "" : node.v === "right" ? " r" : node.v === "wrong" ? " w" : "";
      const edge = svg("path", { d: path, class: `edge${kind}`, "stroke-width": (1 + 9 * node.w).toFixed(1) });
      const words = `${percent(node.w)}, ${node.c} particles, ${node.n} tokens: ${node.t}`;
      const choose = () => { show(node); for (const old of picture.querySelectorAll(".chosen")) old.classList.remove("chosen"); edge.classList.add("chosen"); };
      picture.append(edge, svg("path", { d: path, class: "hit", onpointerenter: choose, onclick: choose }, svg("title", {}, words)));
    }
    for (const leaf of leaves) {
      if (high < 15 && leaf.d) continue;
      picture.append(svg("text", { x: width - labels, y: y(leaf.row) + 4, class: tone(leaf.v) }, leafLabel(leaf)));
    }
    box.replaceChildren(picture);
  };
  const show = (node) => {
    detail.replaceChildren(
      html("div", { class: "note" }, `${percent(node.w)} of the weight, ${counted(node.c, "particle")}, ${node.n ? `tokens ${node.from + 1} to ${node.to}` : "at the end of the prompt"}${node.d ? ", died out" : ""}`),
      html("pre", { class: "text" }, html("span", { class: "before" }, node.before), html("mark", {}, node.t)));
  };
  show(nodes[0]);
  new ResizeObserver(draw).observe(box);
  draw();
  return html("div", {}, box,
    html("p", { class: "note" }, `The width of an edge is its weight, its length the number of tokens. Hover over an edge or tap it to see its text.${dropped ? ` ${dropped} lighter branches are left out.` : ""}`),
    detail);
}

// The distinct completions of a tree, the heaviest first.
function completions(tree, dropped) {
  const leaves = laidOut(tree).filter((leaf) => !leaf.d).sort((a, b) => b.w - a.w);
  const has = (key) => leaves.some((leaf) => leaf[key] !== undefined);
  const columns = [
    ["weight", "n", (leaf) => percent(leaf.w)],
    ["particles", "n", (leaf) => String(leaf.c)],
    ["answer", null, (leaf) => html("span", { class: tone(leaf.v) }, leaf.a ?? "–")],
    has("v") ? ["verdict", null, (leaf) => html("span", { class: tone(leaf.v) }, `${word(leaf.v)} ${sign(leaf.v)}`)] : null,
    has("p") ? ["log p", "n", (leaf) => (leaf.p === undefined ? "–" : leaf.p.toFixed(2))] : null,
    ["tokens", "n", (leaf) => String(leaf.to)],
    ["ended", null, (leaf) => ENDS[leaf.f] || leaf.f || ""],
    ["completion", "whole", (leaf) => html("pre", { class: "text", tabindex: 0 }, leaf.before + leaf.t)],
  ].filter((column) => column !== null);
  const head = columns.map(([name, kind]) => html("th", { scope: "col", class: kind }, name));
  const rows = leaves.map((leaf) => html("tr", {}, columns.map(([, kind, cell]) => html("td", { class: kind }, cell(leaf)))));
  return html("div", {}, html("h3", {}, counted(leaves.length + dropped, "distinct completion")),
    html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Distinct completions" },
      html("table", {}, html("thead", {}, html("tr", {}, head)), html("tbody", {}, rows))),
    dropped ? html("p", { class: "note" }, `${dropped} lighter ones are left out.`) : null);
}

// --- one problem --------------------------------------------------------------------------------

function bars(shares) {
  return html("div", { class: "bars" }, shares.map(([answer, weight, verdict]) => [
    html("span", { class: tone(verdict) }, `${cut(named(answer, verdict), 40)} ${sign(verdict)}`),
    html("span", { class: tone(verdict) }, html("i", { "width%": (100 * weight).toFixed(2) })),
    html("span", { class: "n" }, percent(weight)),
  ]));
}

function curve(line, n) {
  const width = 340, height = 180, left = 40, bottom = 150, most = Math.max(n, ...line.hist, ...line.ess, 1);
  const x = (i) => left + (width - left - 8) * (line.ess.length > 1 ? i / (line.ess.length - 1) : 0);
  const y = (value) => bottom - (bottom - 8) * value / most;
  const path = (values) => `M${values.map((value, i) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}`;
  const grid = [0, most / 2, most].map((value) => [
    svg("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "grid" }),
    svg("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, String(Math.round(10 * value) / 10)),
  ]);
  const last = (line.ess.length - 1) * line.every + 1;
  return html("figure", {}, html("figcaption", {}, "ESS (solid) and distinct histories (dashed), in particles"),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img",
      "aria-label": `Effective sample size from ${line.ess[0]} to ${line.ess[line.ess.length - 1]} over ${last} steps` },
    grid, svg("text", { x: left, y: bottom + 14 }, "1"),
    svg("text", { x: width - 8, y: bottom + 14, "text-anchor": "end" }, String(last)),
    svg("text", { x: (left + width) / 2, y: bottom + 26, "text-anchor": "middle", class: "name" }, "step"),
    svg("g", { class: "c0" }, svg("path", { d: path(line.ess), class: "curve" })),
    svg("g", { class: "c1" }, svg("path", { d: path(line.hist), class: "curve dash1" }))));
}

function lineView(line) {
  const group = data.groups[line.g], parts = [html("h3", {}, `${group.label}${several.seeds ? `, seed ${line.s}` : ""}`)];
  if (line.v === "failed") return [...parts, html("p", { class: "wrong" }, `failed: ${line.e || "no reason given"}`)];
  const chosen = line.sel && group.n > 1 ? `Selected answer (${line.sel}): ` : "Answer: ";
  parts.push(html("p", {}, chosen, html("strong", { class: tone(line.v) }, judged(line.a, line.v)), line.e ? ` (${line.e})` : ""));
  if (line.w.length > 1) parts.push(bars(line.w));
  if (!line.tree) return [...parts, html("p", { class: "note" }, "The completions of this run are left out to keep the page small; results.jsonl in the run's folder has them.")];
  parts.push(completions(line.tree, line.dropped));
  if (line.tree.k) parts.push(html("h3", {}, "Tree of the particles"), treeView(line.tree, line.dropped));
  if (line.ess && line.ess.length > 1 && group.n > 1) parts.push(html("div", { class: "figures" }, curve(line, group.n)));
  return parts;
}

// All runs of a problem; a click shows one of them below.
function runTable(lines, selected, show) {
  const button = (line) => html("button", { type: "button", class: "open", "aria-pressed": String(line === selected),
    onclick: (event) => {
      for (const other of event.target.closest("table").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      event.target.setAttribute("aria-pressed", "true");
      show(line);
    } }, data.groups[line.g].label);
  const weight = (line) => { const share = line.w.find(([answer]) => answer === line.a); return share ? percent(share[1]) : "–"; };
  const columns = [
    ["run", null, button],
    several.seeds ? ["seed", "n", (line) => String(line.s)] : null,
    ["answer", null, (line) => html("span", { class: tone(line.v) }, line.v === "failed" ? "failed" : judged(line.a, line.v))],
    ["its weight", "n", weight],
    ["decoded tokens", "n", (line) => (line.cost ? String(line.cost[0]) : "–")],
    ["seconds", "n", (line) => (line.cost ? line.cost[1].toFixed(2) : "–")],
  ].filter((column) => column !== null);
  const head = columns.map(([name, kind]) => html("th", { scope: "col", class: kind }, name));
  const rows = lines.map((line) => html("tr", {}, columns.map(([, kind, cell]) => html("td", { class: kind }, cell(line)))));
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs of this problem" },
    html("table", {}, html("thead", {}, html("tr", {}, head)), html("tbody", {}, rows)));
}

function problemView(i, selected) {
  const problem = data.problems[i], lines = byProblem[i], place = html("div", {}), last = data.problems.length - 1;
  const show = (line) => place.replaceChildren(...lineView(line));
  show(selected);
  const link = (to, label) => html("a", { href: `#${to}` }, label);
  const facts = [problem.task, problem.family, problem.level === null ? null : `level ${problem.level}`].filter((fact) => fact);
  return [html("nav", {}, link("problems", "← all problems"), i > 0 ? link(`problem-${i - 1}`, "previous") : null,
    i < last ? link(`problem-${i + 1}`, "next") : null),
  html("h2", {}, problem.id), html("p", { class: "note" }, facts.join(" · ")),
  html("p", { class: "question" }, problem.q),
  html("p", {}, "Right answer: ", html("strong", {}, problem.gold === null ? "unknown" : problem.gold)),
  lines.length > 1 ? runTable(lines, selected, show) : null, place].filter((part) => part !== null);
}

// --- the list -----------------------------------------------------------------------------------

function problemList(place) {
  const state = { text: "", family: "", level: "", verdict: "", group: String(preferred), seed: String(seeds[0]),
    sort: "order", down: false, shown: SHOWN };

  const lineOf = (i) => byProblem[i].find((line) => String(line.g) === state.group && String(line.s) === state.seed);
  const nRight = (i) => byProblem[i].filter((line) => line.v === "right").length;
  const heaviest = (i) => { const line = lineOf(i); return line && line.w.length ? line.w[0][1] : -1; };
  const keys = { order: (i) => i, problem: (i) => data.problems[i].id, family: (i) => data.problems[i].family || "",
    level: (i) => data.problems[i].level ?? -1, gold: (i) => Number(data.problems[i].gold) || 0, right: nRight, weight: heaviest };

  const fits = (i) => {
    const problem = data.problems[i], line = lineOf(i), all = byProblem[i].length, right = nRight(i);
    const words = `${problem.id} ${problem.q} ${problem.gold} ${line ? line.w.map((share) => share[0]).join(" ") : ""}`.toLowerCase();
    return words.includes(state.text.toLowerCase())
      && (!state.family || problem.family === state.family) && (!state.level || String(problem.level) === state.level)
      && (!state.verdict || (state.verdict === "differ" ? right > 0 && right < all : line && line.v === state.verdict));
  };

  const body = html("tbody", {}), count = html("p", { class: "note", "aria-live": "polite" });
  const more = html("button", { type: "button", onclick: () => { state.shown += SHOWN; draw(); } }, "Show more");

  function row(i) {
    const problem = data.problems[i], line = lineOf(i), all = byProblem[i].length;
    const answers = line ? line.w.slice(0, 4).map(([answer, weight, verdict]) =>
      html("span", { class: tone(verdict) }, `${cut(named(answer, verdict), 24)} ${percent(weight)} ${sign(verdict)}`)) : ["not done"];
    const cells = line && line.v === "failed" ? [html("span", { class: "wrong" }, "failed")] : answers;
    return html("tr", {},
      html("td", {}, html("a", { class: "open", href: `#problem-${i}` }, problem.id),
        html("span", { class: "asked" }, problem.q)),
      html("td", { "data-name": "family" }, problem.family || "–"), html("td", { "data-name": "level" }, problem.level === null ? "–" : String(problem.level)),
      html("td", { "data-name": "right answer" }, problem.gold === null ? "–" : cut(problem.gold, 40)),
      html("td", { class: "answers" }, cells),
      html("td", { "data-name": "right in" }, `${nRight(i)} of ${all}`));
  }

  function draw() {
    const key = keys[state.sort], found = data.problems.map((_, i) => i).filter(fits);
    found.sort((a, b) => { const p = key(a), q = key(b); return (p < q ? -1 : p > q ? 1 : a - b) * (state.down ? -1 : 1); });
    body.replaceChildren(...found.slice(0, state.shown).map(row));
    count.textContent = `${found.length} of ${data.problems.length} problems${found.length > state.shown ? `, showing the first ${state.shown}` : ""}`;
    more.hidden = found.length <= state.shown;
    for (const button of head.querySelectorAll("button")) {
      const is = button.dataset.key === state.sort;
      button.parentElement.setAttribute("aria-sort", is ? (state.down ? "descending" : "ascending") : "none");
      button.textContent = button.dataset.name + (is ? (state.down ? " ▼" : " ▲") : "");
    }
  }

  const column = (key, name) => html("th", { scope: "col" }, html("button", { type: "button", "data-key": key, "data-name": name,
    onclick: () => { state.down = state.sort === key && !state.down; state.sort = key; draw(); } }, name));
  const head = html("thead", {}, html("tr", {}, column("problem", "problem"), column("family", "family"), column("level", "level"),
    column("gold", "right answer"), column("weight", "answers by weight"), column("right", "right in")));

  const pick = (name, key, options) => html("label", {}, name, html("select", { onchange: (event) => { state[key] = event.target.value; state.shown = SHOWN; draw(); } },
    options.map(([value, label]) => html("option", { value, selected: String(value) === state[key] }, label))));
  const values = (key) => [...new Set(data.problems.map((problem) => problem[key]).filter((value) => value !== null))].sort().map((value) => [String(value), String(value)]);
  const sorts = [["order", "as run"], ["problem", "problem"], ["level", "level"], ["weight", "heaviest weight"], ["right", "right in"]];
  place.append(
    html("div", { class: "filters" },
      html("label", {}, "search", html("input", { type: "search", oninput: (event) => { state.text = event.target.value; state.shown = SHOWN; draw(); } })),
      pick("answers of", "group", data.groups.map((group, i) => [i, group.label])),
      seeds.length > 1 ? pick("seed", "seed", seeds.map((seed) => [seed, String(seed)])) : null,
      values("family").length > 1 ? pick("family", "family", [["", "all"], ...values("family")]) : null,
      values("level").length > 1 ? pick("level", "level", [["", "all"], ...values("level")]) : null,
      pick("outcome", "verdict", [["", "all"], ...["right", "wrong", "no-answer", "refusal", "truncated", "grader-failed", "failed"].map((one) => [one, word(one)]), ["differ", "right in some runs only"]]),
      pick("sort by", "sort", sorts)),
    count, html("table", { class: "list" }, head, body), more);
  if (data.bare) place.append(html("p", { class: "note" }, `The completions of ${counted(data.bare, "run")} are left out to keep the page small; results.jsonl in the run's folder has them.`));
  draw();
}

// --- the pages of problems ----------------------------------------------------------------------

const byProblem = data.problems.map(() => []);
for (const line of data.lines) byProblem[line.p].push(line);
for (const lines of byProblem) lines.sort((a, b) => a.g - b.g || a.s - b.s);
const seeds = [...new Set(data.lines.map((line) => line.s))].sort((a, b) => a - b);
const several = { seeds: seeds.length > 1 };
const preferred = Math.max(0, data.groups.findIndex((group) => group.n > 1));

// The address after # chooses between the report and the page of a problem, so that links and "back" work.
function route() {
  const number = /^#problem-(\d+)$/.exec(location.hash), article = document.getElementById("problem");
  if (!article) return;
  const i = number === null ? -1 : Number(number[1]), isProblem = i >= 0 && i < data.problems.length;
  document.body.classList.toggle("on-problem", isProblem);
  article.hidden = !isProblem;
  article.replaceChildren();
  if (isProblem) {
    const lines = byProblem[i];
    article.replaceChildren(...problemView(i, lines.find((line) => line.g === preferred) || lines[0]));
    scrollTo(0, 0);
  } else if (location.hash === "#problems") document.getElementById("problems").scrollIntoView();
}

const list = document.getElementById("list");
if (list) problemList(list);
addEventListener("hashchange", route);
route();
for (const place of document.querySelectorAll("[data-trace]")) {
  const trace = data.traces[Number(place.dataset.trace)];
  if (trace.tree.k && trace.tree.k.length) place.append(completions(trace.tree, 0), html("h3", {}, "Tree of the particles, including branches that died out"), treeView(trace.tree, trace.dropped));
}
root.dataset.drawn = String(document.querySelectorAll("svg").length);
