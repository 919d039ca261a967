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
const tone = (verdict) => (verdict === "right" || verdict === "wrong" ? verdict : "other");
const sign = (verdict) => SIGNS[verdict] || "";
function named(answer, verdict) {
  if (answer === false) return "others";
  return answer === null || answer === undefined ? (verdict === "truncated" || verdict === "refusal" ? verdict : "no answer") : answer;
}
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
      "aria-label": `Tree of ${leaves.length} histories; the table below lists their texts` });
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
      html("div", { class: "note" }, `${percent(node.w)} of the weight, ${node.c} ${node.c === 1 ? "particle" : "particles"}, tokens ${node.from + 1} to ${node.to}${node.d ? ", died out" : ""}`),
      html("pre", { class: "text" }, html("span", { class: "before" }, node.before), html("mark", {}, node.t)));
  };
  const rows = leaves.filter((leaf) => !leaf.d).map((leaf) => html("tr", {},
    html("td", { class: "n" }, percent(leaf.w)), html("td", { class: "n" }, String(leaf.c)),
    html("td", { class: tone(leaf.v) }, `${named(leaf.a, leaf.v)} ${sign(leaf.v)}`),
    html("td", {}, html("pre", { class: "text" }, leaf.before + leaf.t))));
  const heads = ["weight", "particles", "answer", "completion"].map((head, i) => html("th", { scope: "col", class: i < 2 ? "n" : null }, head));
  show(nodes[0]);
  new ResizeObserver(draw).observe(box);
  draw();
  return html("div", {}, box,
    html("p", { class: "note" }, `The width of an edge is its weight, its length the number of tokens. Hover over an edge or tap it to see its text.${dropped ? ` ${dropped} lighter branches are left out.` : ""}`),
    detail,
    html("details", {}, html("summary", {}, `${rows.length} final histories`),
      html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Histories" },
        html("table", {}, html("thead", {}, html("tr", {}, heads)), html("tbody", {}, rows)))));
}

// --- one problem --------------------------------------------------------------------------------

function bars(shares) {
  return html("div", { class: "bars" }, shares.map(([answer, weight, verdict]) => [
    html("span", { class: tone(verdict) }, `${cut(named(answer, verdict), 40)} ${sign(verdict)}`),
    html("span", { class: tone(verdict) }, html("i", { style: `width:${(100 * weight).toFixed(2)}%` })),
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
  const group = data.groups[line.g], parts = [];
  const verdict = line.v === "failed" ? `failed: ${line.e || "no reason given"}` : `${named(line.a, line.v)} (${line.v})${line.e ? `: ${line.e}` : ""}`;
  parts.push(html("p", {}, "Answer: ", html("strong", { class: tone(line.v) }, `${verdict} ${sign(line.v)}`)));
  if (line.w.length) parts.push(bars(line.w));
  const drawn = html("div", { class: "figures" });
  if (line.ess && line.ess.length > 1 && group.n > 1) drawn.append(curve(line, group.n));
  parts.push(drawn);
  if (line.tree) parts.push(html("h3", {}, "Genealogy of the particles"), treeView(line.tree, line.dropped));
  else if (line.v !== "failed") parts.push(html("p", { class: "note" }, "The tree of this run is left out to keep the page small; report fewer problems to see it."));
  return parts;
}

function problemView(problem, lines, selected) {
  const place = html("div", {});
  const choice = html("select", { onchange: () => place.replaceChildren(...lineView(lines[choice.value])) },
    lines.map((line, i) => html("option", { value: i, selected: line === selected }, `${data.groups[line.g].label} · seed ${line.s} ${sign(line.v)}`)));
  place.replaceChildren(...lineView(selected));
  return [html("p", { class: "question" }, problem.q),
    html("p", {}, "Right answer: ", html("strong", {}, problem.gold === null ? "unknown" : problem.gold)),
    html("div", { class: "filters" }, html("label", {}, "run", choice)), place];
}

// --- the list -----------------------------------------------------------------------------------

function problemList(place) {
  const byProblem = data.problems.map(() => []);
  for (const line of data.lines) byProblem[line.p].push(line);
  const seeds = [...new Set(data.lines.map((line) => line.s))].sort((a, b) => a - b);
  const several = data.groups.findIndex((group) => group.n > 1);
  const state = { text: "", family: "", level: "", verdict: "", group: String(Math.max(0, several)), seed: String(seeds[0]),
    sort: "order", down: false, shown: SHOWN, open: null };

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
    const toggle = () => { state.open = state.open === i ? null : i; draw(); };
    const answers = line ? line.w.slice(0, 4).map(([answer, weight, verdict]) =>
      html("span", { class: tone(verdict) }, `${cut(named(answer, verdict), 24)} ${percent(weight)} ${sign(verdict)}`)) : ["not done"];
    const cells = line && line.v === "failed" ? [html("span", { class: "wrong" }, "failed")] : answers;
    return html("tr", {},
      html("td", {}, html("button", { type: "button", class: "open", "aria-expanded": String(state.open === i), onclick: toggle }, problem.id),
        html("span", { class: "asked" }, problem.q)),
      html("td", { "data-name": "family" }, problem.family || "–"), html("td", { "data-name": "level" }, problem.level === null ? "–" : String(problem.level)),
      html("td", { "data-name": "right answer" }, problem.gold === null ? "–" : cut(problem.gold, 40)),
      html("td", { class: "answers" }, cells),
      html("td", { "data-name": "right in" }, `${nRight(i)} of ${all}`));
  }

  function draw() {
    const key = keys[state.sort], found = data.problems.map((_, i) => i).filter(fits);
    found.sort((a, b) => { const p = key(a), q = key(b); return (p < q ? -1 : p > q ? 1 : a - b) * (state.down ? -1 : 1); });
    const rows = [];
    for (const i of found.slice(0, state.shown)) {
      rows.push(row(i));
      if (state.open === i && byProblem[i].length) {
        rows.push(html("tr", { class: "detail" }, html("td", { colspan: 6 }, problemView(data.problems[i], byProblem[i], lineOf(i) || byProblem[i][0]))));
      }
    }
    body.replaceChildren(...rows);
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
      pick("outcome", "verdict", [["", "all"], ...["right", "wrong", "no-answer", "truncated", "grader-failed", "failed"].map((one) => [one, one]), ["differ", "right in some runs only"]]),
      pick("sort by", "sort", sorts)),
    count, html("table", { class: "list" }, head, body), more);
  if (data.bare) place.append(html("p", { class: "note" }, `The trees of ${data.bare} runs are left out to keep the page small.`));
  const first = data.problems.findIndex((_, i) => lineOf(i) && lineOf(i).tree);
  state.open = first < 0 ? null : first;
  draw();
}

const list = document.getElementById("list");
if (list) problemList(list);
for (const place of document.querySelectorAll("[data-trace]")) {
  const trace = data.traces[Number(place.dataset.trace)];
  if (trace.tree.k && trace.tree.k.length) place.append(html("h3", {}, "Genealogy, including branches that died out"), treeView(trace.tree, trace.dropped));
}
root.dataset.drawn = String(document.querySelectorAll("svg").length);
