/* The results table: sort, filter, choose languages and a reference. All of it is in the address, so that it can be linked. */
xdr.pages.table = function (board) {
  const { element, option, state, setState, percent, probability } = xdr.dom;
  const measure = xdr.measure(board, document.body.dataset.measure);
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const places = new Map(board.systems.map((system, place) => [system.name, place]));
  const rows = Array.from(body.rows, (row) => ({ row, system: places.get(row.dataset.system) }));
  const headers = Array.from(table.tHead.rows[0].cells);
  const columns = headers.map((header) => header.dataset.column || null);
  const macroColumn = columns.indexOf("macro");
  const partOf = new Map(board.parts.map((part, place) => [part.name, place]));
  const declared = board.parts.flatMap((part, place) => (part.inMacro ? [place] : []));
  const baseline = places.get(board.baseline);
  const notice = document.getElementById("notice");
  const sorts = headers.map((header, column) => sortButton(header, column)).filter(Boolean);
  const exploratory = element("th", { scope: "col", class: "exploratory", hidden: true }, "p, exploratory");
  headers[macroColumn].after(exploratory);
  for (const { row } of rows) row.cells[macroColumn].after(element("td", { class: "exploratory", hidden: true }));
  for (const row of table.tFoot.rows)
    row.cells[macroColumn].after(element("td", { class: "exploratory", hidden: true }));
  const original = rows.map(({ row }) => Array.from(row.cells, (cell) => cell.innerHTML));
  const kinds = [...new Set(board.systems.map((system) => system.kind))].sort();
  const training = [...new Set(board.systems.flatMap((system) => system.training))].sort();
  const statuses = [...new Set(board.systems.map((system) => system.status))].sort();
  const controls = buildControls();

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
    const reference = element("select", { id: "reference" },
      ...board.systems.map((system) => option(system.name, system.title + (system.name === board.baseline ? " (baseline)" : ""))));
    const languages = board.parts.map((part, place) => {
      const input = element("input", { type: "checkbox", id: "language-" + part.name });
      input.addEventListener("change", () => setState({ languages: chosenFrom(place, input.checked) }));
      return { input, label: element("label", {}, input, " " + part.language) };
    });
    const reset = element("button", { type: "button", class: "plain-button" }, "Reset");
    const shown = element("span", { role: "status", class: "shown" });
    for (const [input, key] of [[kind, "kind"], [data, "training"], [status, "status"], [reference, "against"]])
      input.addEventListener("change", () => setState({ [key]: input.value }));
    search.addEventListener("input", () => setState({ find: search.value }));
    reset.addEventListener("click", () => xdr.dom.clearState());
    const labelled = (text, input) => element("label", {}, text + " ", input);
    const wide = window.matchMedia("(min-width: 48rem)").matches;
    box.append(element("details", { open: wide }, element("summary", {}, "Filter, compare, choose languages"),
      element("div", { class: "filters" }, labelled("Find", search), labelled("Type", kind),
        ...(training.length ? [labelled("Trained on", data)] : []), ...(statuses.length > 1 ? [labelled("Status", status)] : []), labelled("Compare with", reference), reset, shown),
      element("fieldset", { class: "languages" }, element("legend", {}, "Macro average over"), ...languages.map(({ label }) => label))));
    box.hidden = false;
    return { search, kind, data, status, reference, languages, shown };
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

  let latest = 0;
  async function update() {
    const turn = ++latest;
    const current = state();
    const chosen = languagesOf(current);
    const reference = places.has(current.against) ? places.get(current.against) : baseline;
    const own = reference !== baseline || String(chosen) !== String(declared);
    const forms = own ? await xdr.load("forms/" + measure.slug + "/" + board.systems[reference].name) : null;
    if (turn !== latest) return;
    showValues(current, chosen, reference, own ? forms : null);
    arrange(current, chosen, own);
    controls.search.value = current.find || "";
    controls.kind.value = current.kind || "";
    controls.data.value = current.training || "";
    controls.status.value = current.status || "";
    controls.reference.value = board.systems[reference].name;
    controls.languages.forEach(({ input }, place) => (input.checked = chosen.includes(place)));
    for (const link of document.querySelectorAll(".tabs a")) link.hash = location.hash;
  }

  let valuesOf = "";
  function showValues(current, chosen, reference, packed) {
    const forms = packed ? xdr.unpacked(packed, "forms", xdr.floats64) : null;
    const counts = packed && packed.counts ? xdr.unpacked(packed, "counts", xdr.counts32) : null;
    /* A number of the subset, which only tracks of few languages have counts for. */
    const subset = chosen.reduce((bits, part) => bits + 2 ** part, 0);
    const wanted = packed ? chosen + " " + reference : "";
    if (wanted === valuesOf) return;
    valuesOf = wanted;
    for (const cell of table.querySelectorAll(".exploratory")) cell.hidden = !packed;
    rows.forEach(({ row, system }, place) => {
      Array.from(row.cells).forEach((cell, column) => (cell.innerHTML = original[place][column]));
      if (!packed) return;
      const found = xdr.statistics.macro(measure, system, chosen);
      for (const sign of row.querySelectorAll(".sign")) sign.remove();
      const result = system === reference || board.systems[system].withdrawn ? null : xdr.statistics.macroT(measure, forms, system, reference, chosen);
      const p = !result ? null : counts ? (counts[(subset - 1) * board.systems.length + system] + 1) / (board.resamples + 1) : result.p;
      const cell = row.cells[macroColumn];
      cell.textContent = percent(found);
      if (p !== null && p <= board.alpha && result.estimate !== 0)
        cell.append(element("span", { class: "sign open", role: "img", "aria-label": result.estimate > 0 ? "better, unadjusted" : "worse, unadjusted" }, result.estimate > 0 ? "△" : "▽"));
      row.cells[macroColumn + 1].textContent = system === reference ? "reference" : probability(p);
    });
    const unused = columns.map((name) => partOf.has(name) && packed && !chosen.includes(partOf.get(name)));
    headers.forEach((header, column) => header.classList.toggle("unchosen", Boolean(unused[column])));
    notice.hidden = !packed;
    if (packed)
      notice.textContent = "Your choice: macro over " + chosen.map((part) => board.parts[part].language).join(", ") + ", compared with " +
        board.systems[reference].title + " by " + (counts ? "the randomization test (B = " + board.resamples.toLocaleString("en") + ")" : "the stratified t test") +
        ". Exploratory and unadjusted (△ ▽ mark p ≤ " + board.alpha + "); only the declared columns carry adjusted marks.";
  }

  function arrange(current, chosen, own) {
    const sort = columns.includes(current.sort) ? current.sort : current.sort === "system" ? "system" : own ? "macro" : "";
    const ascending = (current.order || (sort === "system" ? "ascending" : "descending")) === "ascending";
    for (const { column, header } of sorts) {
      const name = columns[column] || "system";
      if (name === sort) header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else header.removeAttribute("aria-sort");
    }
    const column = columns.indexOf(sort);
    const keyed = rows.map((entry, place) => ({ ...entry, place, key: sort && sort !== "system" ? value(entry.system, column, chosen) : null }));
    if (sort === "system") keyed.sort((a, b) => board.systems[a.system].title.localeCompare(board.systems[b.system].title, "en") * (ascending ? 1 : -1));
    else if (sort)
      keyed.sort((a, b) => (a.key === null) - (b.key === null) || (ascending ? a.key - b.key : b.key - a.key) || a.place - b.place);
    const wanted = (current.find || "").toLowerCase();
    let visible = 0;
    const macros = keyed.map((entry) => board.systems[entry.system].withdrawn ? null : xdr.statistics.macro(measure, entry.system, chosen));
    const ordered = macros.filter((found) => found !== null).sort((a, b) => b - a);
    body.append(...keyed.map(({ row, system }, place) => {
      const about = board.systems[system];
      const fits = (!wanted || (about.title + " " + about.name).toLowerCase().includes(wanted)) &&
        (!current.kind || about.kind === current.kind) && (!current.training || about.training.includes(current.training)) && (!current.status || about.status === current.status);
      row.hidden = !fits;
      visible += fits;
      if (own) row.cells[0].textContent = macros[place] === null ? "–" : String(1 + ordered.findIndex((found) => found <= macros[place] + 1e-12));
      return row;
    }));
    controls.shown.textContent = visible + " of " + rows.length + " systems";
  }

  window.addEventListener("hashchange", update);
  return update();
};
