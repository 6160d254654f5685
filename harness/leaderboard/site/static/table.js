/* The results table: sort, filter, choose languages and a reference. All of it is in the address, so that it can be linked. */
xdr.pages.table = async function (board) {
  const { element, option, state, setState, percent, probability } = xdr.dom;
  const FIRST = Math.ceil(innerHeight / 40) + 2; /* Rows that are set in order before the first frame: more than a screen shows, of two lines each. */
  const DECLARED = "declared";
  const measure = xdr.measure(board, document.body.dataset.measure);
  const table = document.getElementById("table");
  const results = document.getElementById("results");
  const body = table.tBodies[0];
  const places = new Map(board.systems.map((system, place) => [system.name, place]));
  const rows = Array.from(body.rows, (row) => ({ row, system: places.get(row.dataset.system) }));
  const ranksOf = document.getElementById("ranks-of");
  const headers = Array.from(table.tHead.rows[0].cells);
  const columns = headers.map((header) => header.dataset.column || null);
  const macroColumn = columns.indexOf("macro");
  const partOf = new Map(board.parts.map((part, place) => [part.name, place]));
  const declared = board.parts.flatMap((part, place) => (part.inMacro ? [place] : []));
  const baseline = places.get(board.baseline);
  const notice = document.getElementById("notice");
  const macroOver = document.getElementById("macro-over");
  const namesOf = (chosen) => chosen.map((part) => board.parts[part].language).join(", ");
  const sorts = headers.map((header, column) => sortButton(header, column)).filter(Boolean);
  const exploratory = element("th", { scope: "col", class: "exploratory", hidden: true }, "p, exploratory");
  headers[macroColumn].after(exploratory);
  const COSTS = ["Parameters", "Dimensions", "A question", "A passage", "Peak memory"];
  const costHeads = [];
  const costCells = [];
  const MOST_PINNED = 4;

  function addPin(entry) {
    const system = board.systems[entry.system];
    entry.pin = element("button", { type: "button", class: "pin", "aria-pressed": String(entry.pinned), title: "Keep this row on top" }, "Pin");
    entry.pin.setAttribute("aria-label", "Pin " + system.title);
    entry.pin.addEventListener("click", () => {
      const pinned = pinsOf(state());
      setState({ pin: (pinned.includes(entry.system) ? pinned.filter((place) => place !== entry.system) : [...pinned, entry.system].slice(-MOST_PINNED)).map((place) => board.systems[place].name).join(",") });
    });
    entry.row.querySelector("th.system small").append(" ", entry.pin);
  }
  const pinsOf = (current) => (current.pin || "").split(",").filter((name) => places.has(name)).map((name) => places.get(name)).slice(0, MOST_PINNED);
  const noneFits = document.getElementById("none-fits");
  noneFits.querySelector("button").addEventListener("click", () => setState({ find: "", kind: "", training: "", status: "", seen: "" }));
  for (const { row } of rows) row.cells[macroColumn].after(element("td", { class: "exploratory", hidden: true }));
  for (const row of table.tFoot.rows)
    row.cells[macroColumn].after(element("td", { class: "exploratory", hidden: true }));
  for (const entry of rows) Object.assign(entry, { shows: DECLARED, pin: null, pinned: false, ranked: "macro", rank: entry.row.cells[0].innerHTML, macro: entry.row.cells[macroColumn].innerHTML });
  const kinds = [...new Set(board.systems.map((system) => system.kind))].sort();
  const training = [...new Set(board.systems.flatMap((system) => system.training))].sort();
  const statuses = [...new Set(board.systems.map((system) => system.status))].sort();
  const controls = buildControls();
  let placed = rows.slice(); /* The rows as they stand on the page. */
  let more = null; /* Possible ranks by column, and costs, once they are loaded. */

  function sortButton(header, column) {
    if (header.classList.contains("rank")) return null;
    const link = header.querySelector("a");
    const label = link ? link.textContent : header.firstChild.textContent.trim();
    const button = element("button", { type: "button", class: "sort", title: "Sort by " + label }, link ? "" : label);
    if (link) {
      button.setAttribute("aria-label", "Sort by " + label);
      link.after(button);
    } else header.firstChild.replaceWith(button);
    button.addEventListener("click", () => {
      const current = state();
      const name = columns[column] || "system";
      const first = name === "system" ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      setState({ sort: name, order: current.sort === name && (current.order || first) === first ? other : first });
    });
    return { column, header };
  }

  function buildControls() {
    const box = document.getElementById("controls");
    const search = element("input", { type: "search", id: "filter", autocomplete: "off" });
    const kind = element("select", { id: "kind" }, option("", "all"), ...kinds.map((name) => option(name)));
    const data = element("select", { id: "training" }, option("", "any"), ...training.map((name) => option(name)));
    const status = element("select", { id: "status" }, option("", "any"), ...statuses.map((name) => option(name)));
    const seen = element("select", { id: "seen" }, option("", "any"), option("no", "not trained on this track's data"), option("maybe", "may have been (†)"));
    const reference = element("select", { id: "reference" },
      ...board.systems.map((system) => option(system.name, system.title + (system.name === board.baseline ? " (baseline)" : ""))));
    const shown = element("span", { role: "status", class: "shown" });
    const languages = board.parts.map((part, place) => {
      const input = element("input", { type: "checkbox", id: "language-" + part.name });
      input.addEventListener("change", () => {
        if (!input.checked && languagesOf(state()).length === 1) {
          input.checked = true;
          shown.textContent = "An average needs one language at least.";
        } else setState({ languages: chosenFrom(place, input.checked) });
      });
      return { input, label: element("label", {}, input, " " + part.language) };
    });
    const reset = element("button", { type: "button", class: "plain-button" }, "Reset");
    for (const [input, key] of [[kind, "kind"], [data, "training"], [status, "status"], [seen, "seen"], [reference, "against"]])
      input.addEventListener("change", () => setState({ [key]: input.value }));
    search.addEventListener("input", () => setState({ find: search.value }));
    reset.addEventListener("click", () => xdr.dom.clearState());
    const labelled = (text, input) => element("label", {}, text + " ", input);
    const costs = element("input", { type: "checkbox", id: "costs" });
    costs.addEventListener("change", () => setState({ costs: costs.checked ? "yes" : "" }));
    const pins = element("span", { class: "pins", hidden: true });
    const taken = [["CSV", "csv", asCsv], ["LaTeX", "tex", asLatex]].map(([label, ending, make]) => {
      const button = element("button", { type: "button", class: "plain-button" }, label + " of this view");
      button.addEventListener("click", () => saved("leaderboard-" + measure.slug + "." + ending, make(shownCells())));
      return button;
    });
    box.append(element("details", { open: location.hash.length > 1 }, element("summary", {}, "Filter, compare, choose languages"),
      element("div", { class: "filters" }, labelled("Find", search), labelled("Type", kind),
        ...(training.length ? [labelled("Trained on", data)] : []), ...(board.systems.some((system) => system.seen.length) ? [labelled("Seen", seen)] : []), ...(statuses.length > 1 ? [labelled("Status", status)] : []), labelled("Compare with", reference), element("label", {}, costs, " What it costs"), reset, shown, pins, ...taken),
      element("fieldset", { class: "languages" }, element("legend", {}, "Average over"), ...languages.map(({ label }) => label))));
    box.hidden = false;
    return { search, kind, data, status, seen, reference, languages, shown, pins, costs };
  }

  /* What stands on the screen, row by row: the head, then the rows that the filters leave, in their order. */
  function shownCells() {
    const text = (cell) => (cell.querySelector("a, button.sort") || cell).textContent.trim();
    const plain = (cell) => {
      const copy = cell.cloneNode(true);
      for (const extra of copy.querySelectorAll("small, svg, i")) extra.remove();
      return copy.textContent.trim();
    };
    const kept = (cell) => !cell.hidden;
    return [headers.concat(exploratory, costHeads).filter(kept).sort((a, b) => a.cellIndex - b.cellIndex).map(text),
      ...Array.from(body.rows).filter(kept).map((row) => Array.from(row.cells).filter(kept).map(plain))];
  }

  /* A cell that begins like a formula must not be one in a spreadsheet. */
  const csvCell = (text) => (/^[=+@\t\r-]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text);
  function asCsv(lines) {
    return lines.map((cells) => cells.map((text) => '"' + csvCell(text).replaceAll('"', '""') + '"').join(",") + "\r\n").join("");
  }

  const LATEX = { "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--" };
  function asLatex(lines) {
    const line = (cells) => cells.map((text) => text.replace(/[\\&%$#_{}~^–]/g, (sign) => LATEX[sign])).join(" & ") + " \\\\\n";
    const [head, ...others] = lines;
    return "% " + location.href.replace(/[\r\n]/g, " ") + "\n\\begin{tabular}{ll" + "r".repeat(Math.max(0, head.length - 2)) + "}\n\\toprule\n" + line(head) + "\\midrule\n" + others.map(line).join("") + "\\bottomrule\n\\end{tabular}\n";
  }

  function saved(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const link = element("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  /* Pinned rows stand on top, and lead to a comparison of the first two of them question by question. */
  function describePins(pinned) {
    for (const entry of rows) {
      const isPinned = pinned.includes(entry.system);
      if (isPinned === entry.pinned) continue;
      entry.pinned = isPinned;
      if (entry.pin) entry.pin.setAttribute("aria-pressed", String(isPinned));
      entry.row.classList.toggle("pinned", isPinned);
    }
    controls.pins.hidden = !pinned.length;
    const clear = element("button", { type: "button", class: "plain-button" }, "Unpin all");
    clear.addEventListener("click", () => setState({ pin: "" }));
    const links = pinned.slice(1).map((other) => element("a", { href: "compare.html#" + new URLSearchParams({ a: board.systems[pinned[0]].name, b: board.systems[other].name, measure: measure.name }) },
      board.systems[pinned[0]].title + " and " + board.systems[other].title));
    const reference = element("button", { type: "button", class: "plain-button" }, "Compare all with " + (pinned.length ? board.systems[pinned[0]].title : ""));
    reference.addEventListener("click", () => setState({ against: board.systems[pinned[0]].name }));
    controls.pins.replaceChildren(pinned.length + " pinned. ", reference, " ", ...links.flatMap((link) => [link, " "]), clear);
  }

  function chosenFrom(place, checked) {
    const chosen = new Set(languagesOf(state()));
    if (checked) chosen.add(place); else chosen.delete(place);
    const sorted = [...chosen].sort((a, b) => a - b);
    return sorted.length && String(sorted) !== String(declared) ? sorted.map((part) => board.parts[part].name).join(",") : "";
  }

  function languagesOf(current) {
    const named = (current.languages || "").split(",").filter((name) => partOf.has(name)).map((name) => partOf.get(name));
    return named.length ? [...new Set(named)].sort((a, b) => a - b) : declared;
  }

  const value = (system, column, chosen) => {
    if (columns[column] === "macro") return xdr.statistics.macro(measure, system, chosen);
    const mean = measure.means[system * board.parts.length + partOf.get(columns[column])];
    return Number.isNaN(mean) ? null : mean;
  };

  async function show(isLatest) {
    const current = state();
    for (const link of document.querySelectorAll(".tabs a")) link.hash = location.hash;
    const chosen = languagesOf(current);
    const reference = places.has(current.against) ? places.get(current.against) : baseline;
    const own = reference !== baseline || String(chosen) !== String(declared);
    const forms = own ? await xdr.load("forms/" + measure.slug + "/" + board.systems[reference].name) : null;
    const sort = sortOf(current, own);
    /* Possible ranks are those of the column that the table is sorted by; none were tested for a reader's own choice. */
    const ranked = ranksOf && !own && partOf.has(sort) ? sort : "macro";
    const asksForCosts = current.costs === "yes";
    if (!more && (asksForCosts || ranked !== "macro")) more = await xdr.load("rows");
    if (!measure.means && (own || (sort && sort !== "system"))) await xdr.withMeans(measure);
    if (!isLatest()) return;
    describe(chosen, reference, forms);
    if (ranksOf) ranksOf.textContent = own ? "your choice" : ranked === "macro" ? "average" : board.parts[partOf.get(ranked)].language;
    const showing = forms ? showingChoice(chosen, reference, forms) : showingDeclared;
    const fill = (entry) => {
      showing(entry);
      if (!own && ranksOf) showRanks(entry, ranked);
      if (!entry.pin) addPin(entry);
    };
    const ordered = arrange(current, chosen, sort);
    controls.search.value = current.find || "";
    controls.kind.value = current.kind || "";
    controls.data.value = current.training || "";
    controls.status.value = current.status || "";
    controls.seen.value = current.seen || "";
    controls.reference.value = board.systems[reference].name;
    controls.costs.checked = asksForCosts;
    showCosts(asksForCosts);
    controls.languages.forEach(({ input }, place) => (input.checked = chosen.includes(place)));
    const screen = ordered.filter(({ row }) => !row.hidden).slice(0, FIRST);
    screen.forEach(fill);
    const isFirst = new Set(screen);
    const rest = ordered.filter((entry) => !isFirst.has(entry));
    if (screen.some((entry, place) => placed[place] !== entry)) {
      placed = [...screen, ...placed.filter((entry) => !isFirst.has(entry))];
      body.prepend(...screen.map(({ row }) => row));
    }
    /* A browser lays out anew every row that is moved: those below the screen must not hold up those on it. */
    if (rest.length) await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    if (!isLatest()) return;
    rest.forEach(fill);
    /* What a sort or a choice will need, once all is shown; one that needs it before says so itself where it is missing. */
    if (!measure.means) xdr.withMeans(measure).catch(() => {});
    if (!more) xdr.load("rows").then((found) => (more = found)).catch(() => {});
    if (rest.some((entry, place) => placed[screen.length + place] !== entry)) {
      placed = [...screen, ...rest];
      body.append(...rest.map(({ row }) => row));
    }
  }

  /* What is chosen, above the table and in its head and foot. */
  function describe(chosen, reference, forms) {
    results.classList.toggle("chosen", Boolean(forms));
    results.classList.toggle("other-reference", Boolean(forms) && reference !== baseline);
    exploratory.hidden = !forms;
    for (const row of table.tFoot.rows) {
      const bounds = measure.bounds[row.dataset.bound];
      row.cells[macroColumn].textContent = percent(chosen.reduce((sum, part) => sum + bounds[part], 0) / chosen.length);
      row.cells[macroColumn + 1].hidden = !forms;
    }
    macroOver.textContent = namesOf(chosen);
    headers.forEach((header, column) => {
      const part = partOf.get(columns[column]);
      header.classList.toggle("unchosen", Boolean(forms) && part !== undefined && !chosen.includes(part));
    });
    notice.hidden = !forms;
    if (forms)
      notice.textContent = "Your choice: macro over " + namesOf(chosen) + ", compared with " +
        board.systems[reference].title + " by " + (forms.counts ? "the randomization test (B = " + board.resamples.toLocaleString("en") + ")" : chosen.length === 1 && measure.hits ? "McNemar’s exact test" : "the stratified t test") +
        ". Exploratory and unadjusted (△ ▽ mark p ≤ " + board.alpha + "); " +
        (reference === baseline ? "the languages’ own marks are the declared, adjusted ones." : "the declared, adjusted marks are against " + board.systems[baseline].title + " and are not shown.");
  }

  /* A row's cells that depend on the choice are written when the choice that they show is another one. */
  function showingDeclared(entry) {
    if (entry.shows === DECLARED) return;
    entry.shows = DECLARED;
    entry.row.cells[0].innerHTML = entry.rank;
    entry.row.cells[macroColumn].innerHTML = entry.macro;
    entry.ranked = "macro";
    entry.row.cells[macroColumn + 1].hidden = true;
    entry.row.cells[macroColumn + 1].textContent = "";
  }

  function showingChoice(chosen, reference, packed) {
    const forms = xdr.unpacked(packed, "forms", xdr.floats64);
    const counts = packed.counts ? xdr.unpacked(packed, "counts", xdr.counts32) : null;
    /* A number of the subset, which only tracks of few languages have counts for. */
    const subset = chosen.reduce((bits, part) => bits + 2 ** part, 0);
    const macros = board.systems.map((system, place) => (system.withdrawn ? null : xdr.statistics.macro(measure, place, chosen)));
    const ordered = macros.filter((found) => found !== null).sort((a, b) => b - a);
    const wanted = chosen + " " + reference;
    return (entry) => {
      if (entry.shows === wanted) return;
      entry.shows = wanted;
      const { row, system } = entry;
      const result = system === reference || board.systems[system].withdrawn ? null : xdr.statistics.chosenPair(measure, forms, system, reference, chosen);
      const p = !result ? null : counts ? (counts[(subset - 1) * board.systems.length + system] + 1) / (board.resamples + 1) : result.p;
      row.cells[0].textContent = macros[system] === null ? "–" : String(1 + ordered.findIndex((found) => found <= macros[system] + 1e-12));
      const cell = row.cells[macroColumn];
      const seen = xdr.seen(board, system, chosen);
      cell.textContent = percent(xdr.statistics.macro(measure, system, chosen));
      if (seen) cell.append(element("i", { class: "seen", title: "may have been trained on this data" }, " may have been trained on this data"));
      /* No mark rests on one system alone that may have been trained on the data. */
      if (p !== null && p <= board.alpha && result.estimate !== 0 && seen === xdr.seen(board, reference, chosen))
        cell.append(result.estimate > 0 ? element("i", { class: "open-up" }, " better, unadjusted") : element("i", { class: "open-down" }, " worse, unadjusted"));
      row.cells[macroColumn + 1].hidden = false;
      row.cells[macroColumn + 1].textContent = system === reference ? "reference" : probability(p);
    };
  }

  function showRanks(entry, column) {
    if (entry.ranked === column) return;
    entry.ranked = column;
    const cell = entry.row.cells[0];
    if (column === "macro") {
      cell.innerHTML = entry.rank;
      return;
    }
    const bar = cell.querySelector("rect");
    const standing = more.standings[column][entry.system];
    if (!bar || !standing) return;
    const share = (ranks) => ((100 * ranks) / board.systems.length).toFixed(1) + "%";
    cell.firstChild.data = standing[0] === standing[1] ? String(standing[0]) : standing[0] + "–" + standing[1];
    bar.setAttribute("x", share(standing[0] - 1));
    bar.setAttribute("width", share(standing[1] - standing[0] + 1));
  }

  /* What the systems cost, in columns that are made when a reader first asks for them. */
  function showCosts(wanted) {
    if (wanted && !costHeads.length) {
      costHeads.push(...COSTS.map((label) => element("th", { scope: "col", class: "cost" }, label)));
      table.tHead.rows[0].append(...costHeads);
      const add = (row, texts) => costCells.push(...COSTS.map((_, place) => row.appendChild(element("td", { class: "cost" }, texts[place]))));
      for (const { row, system } of rows) add(row, more.costs[system] || COSTS.map(() => "–"));
      for (const row of table.tFoot.rows) add(row, COSTS.map(() => ""));
    }
    for (const cell of [...costHeads, ...costCells]) cell.hidden = !wanted;
  }

  function sortOf(current, own) {
    return columns.includes(current.sort) || current.sort === "system" ? current.sort : own ? "macro" : "";
  }

  /* The rows in the wanted order, those that the filters leave out hidden. */
  function arrange(current, chosen, sort) {
    const ascending = (current.order || (sort === "system" ? "ascending" : "descending")) === "ascending";
    for (const { column, header } of sorts) {
      const name = columns[column] || "system";
      if (name === sort) header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else header.removeAttribute("aria-sort");
    }
    const column = columns.indexOf(sort);
    const keyed = rows.map((entry, place) => ({ entry, place, key: sort && sort !== "system" ? value(entry.system, column, chosen) : null }));
    if (sort === "system") keyed.sort((a, b) => board.systems[a.entry.system].title.localeCompare(board.systems[b.entry.system].title, "en") * (ascending ? 1 : -1));
    else if (sort)
      keyed.sort((a, b) => (a.key === null) - (b.key === null) || (ascending ? a.key - b.key : b.key - a.key) || a.place - b.place);
    const wanted = (current.find || "").toLowerCase();
    let visible = 0;
    for (const { row, system } of rows) {
      const about = board.systems[system];
      const fits = (!wanted || (about.title + " " + about.name).toLowerCase().includes(wanted)) &&
        (!current.kind || about.kind === current.kind) && (!current.training || about.training.includes(current.training)) && (!current.status || about.status === current.status) &&
        (!current.seen || (current.seen === "maybe") === about.seen.length > 0);
      row.hidden = !fits && !pinsOf(current).includes(system);
      visible += !row.hidden;
    }
    const pinned = pinsOf(current);
    describePins(pinned);
    noneFits.hidden = visible > 0;
    controls.shown.textContent = visible + " of " + rows.length + " systems";
    const sorted = keyed.map(({ entry }) => entry);
    return [...sorted.filter(({ system }) => pinned.includes(system)), ...sorted.filter(({ system }) => !pinned.includes(system))];
  }

  return show;
};
