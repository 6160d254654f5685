/* Head to head of any two systems: differences by language with intervals, and every question on which they differ. */
xdr.pages.compare = function (board) {
  const { element, option, state, setState, percent, signed, probability } = xdr.dom;
  const STEP = 100;
  const box = document.getElementById("compare");
  const places = new Map(board.systems.map((system, place) => [system.name, place]));
  const systems = () => board.systems.map((system) => option(system.name, system.title));
  const first = element("select", { id: "first" }, ...systems());
  const second = element("select", { id: "second" }, ...systems());
  const measures = element("select", { id: "measure" }, ...board.measures.map((measure) => option(measure.name)));
  const part = element("select", { id: "part" }, option("", "all of the macro average"), ...board.parts.map((one) => option(one.name, one.language)));
  const search = element("input", { type: "search", id: "search", autocomplete: "off" });
  const swap = element("button", { type: "button", class: "plain-button" }, "Swap");
  const result = element("div", {});
  const list = element("ol", { class: "questions" });
  const count = element("p", { role: "status" });
  const more = element("button", { type: "button", class: "plain-button", hidden: true }, "Show more");
  for (const [input, key] of [[first, "a"], [second, "b"], [measures, "measure"], [part, "part"]])
    input.addEventListener("change", () => setState({ [key]: input.value }));
  search.addEventListener("input", () => setState({ find: search.value }));
  swap.addEventListener("click", () => {
    const [a, b] = chosen(state()).map((place) => board.systems[place].name);
    setState({ a: b, b: a });
  });
  const labelled = (text, input) => element("label", {}, text + " ", input);
  box.append(
    element("div", { class: "controls filters" }, labelled("First", first), labelled("Second", second), swap, labelled("Measure", measures)),
    result,
    element("h2", {}, "Questions on which they differ"),
    element("div", { class: "controls filters" }, labelled("Language", part), labelled("Search in questions, answers, titles", search)),
    count, list, more);

  function chosen(current) {
    const a = places.get(current.a) ?? 0;
    let b = places.get(current.b) ?? places.get(board.baseline);
    if (a === b && current.b === undefined) b = (a + 1) % board.systems.length;
    return [a, b];
  }

  /* What belongs to each of the parts, by its name. */
  async function ofParts(folder, parts) {
    return Object.fromEntries(await Promise.all(parts.map(async (found) => [found.name, await xdr.load(folder + found.name)])));
  }

  async function show(isLatest) {
    const current = state();
    const [a, b] = chosen(current);
    const measure = await xdr.withMeans(xdr.measure(board, current.measure));
    const wantedParts = board.parts.filter((one) => (current.part ? one.name === current.part : one.inMacro));
    const [planned, plannedOther, packed, one, two, ...questions] = await Promise.all([
      xdr.load("planned/" + board.systems[a].name),
      xdr.load("planned/" + board.systems[b].name),
      xdr.load("forms/" + measure.slug + "/" + board.systems[b].name),
      ofParts("scores/" + board.systems[a].name + "/", wantedParts),
      ofParts("scores/" + board.systems[b].name + "/", wantedParts),
      ...wantedParts.map((found) => xdr.load("questions/" + found.name)),
    ]);
    if (!isLatest()) return;
    first.value = board.systems[a].name;
    second.value = board.systems[b].name;
    measures.value = measure.name;
    part.value = current.part || "";
    search.value = current.find || "";
    result.replaceChildren(...chart(measure, xdr.unpacked(packed, "forms", xdr.floats64), a, b, measure.name === board.primary ? [planned, plannedOther] : null));
    const rows = differing(measure, wantedParts, questions, one, two);
    const upTo = (limit) => {
      showQuestions(current, measure, a, b, rows, limit);
      more.onclick = () => upTo(limit + STEP);
    };
    upTo(STEP);
  }

  /* planned: what the declared tests say of each of the two, of the primary measure alone. */
  function chart(measure, forms, a, b, planned) {
    const macroParts = board.parts.flatMap((found, place) => (found.inMacro ? [place] : []));
    const lines = [["Average", macroParts, "macro"], ...board.parts.map((found, place) => [found.language, [place], found.name])].map(([label, parts, column]) => ({
      label,
      together: a === b || !planned ? { p: null, floor: null } : xdr.statistics.pairP(planned[0].pairs[column], b),
      declared: a === b || !planned ? { p: null, floor: null } : against(planned, a, b, column),
      one: xdr.statistics.macro(measure, a, parts),
      two: xdr.statistics.macro(measure, b, parts),
      test: a === b ? null : xdr.statistics.chosenPair(measure, forms, a, b, parts),
    }));
    const limits = lines.flatMap(({ test }) => (test && test.interval ? test.interval.map(Math.abs) : []));
    const most = Math.max(0.1, Math.ceil(10 * Math.max(0, ...limits)) / 10);
    const head = ["Language", "First", "Second", "Difference", "95% interval", null, "p, this pair alone", ...(planned ? ["p, planned", "p, all pairs"] : [])].map((text) => text === null
      ? element("th", { scope: "col", class: "wide" }, element("span", { class: "axis" }, element("span", {}, "−" + 100 * most), element("span", {}, "second better · first better"), element("span", {}, "+" + 100 * most)))
      : element("th", { scope: "col", class: text === "Language" ? "system" : "" }, text));
    const rows = lines.map(({ label, one, two, test, together, declared }) => element("tr", {},
      element("th", { scope: "row", class: "system" }, label),
      element("td", {}, percent(one)), element("td", {}, percent(two)),
      element("td", {}, element("strong", {}, signed(test ? test.estimate : null))),
      element("td", {}, test && test.interval ? signed(test.interval[0]) + " to " + signed(test.interval[1]) : "–"),
      element("td", { class: "wide" }, ...(test && test.interval ? [whisker(test, most)] : [])),
      element("td", {}, probability(test ? test.p : null)),
      ...(planned ? [declared, together].map(({ p, floor }) => element("td", {}, probability(p, floor))) : [])));
    const table = element("table", {}, element("caption", {}, captionOf(measure, planned)),
      element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Differences by language" }, table);
    const seen = [a, b].map((place) => xdr.seen(board, place, macroParts));
    const said = seen[0] === seen[1] ? verdict(lines[0]) : "No verdict: the training of " + board.systems[seen[0] ? a : b].title + " may have held this data, that of the other not.";
    return [...(planned ? [element("p", { class: "verdict" }, said)] : []), scroll];
  }

  /* The p of a planned test, which there is against the baseline alone. */
  function against(planned, a, b, column) {
    const [one, two] = [a, b].map((place) => board.systems[place].name);
    const other = one === board.baseline ? planned[1] : two === board.baseline ? planned[0] : null;
    return (other && other.against[column]) || { p: null, floor: null };
  }

  function verdict({ test, together, declared }) {
    if (!test || together.p === null) return "No test of all pairs holds these two.";
    const words = ({ p, floor }) => (p <= board.alpha ? (test.estimate > 0 ? "the first is better" : "the second is better") : "they cannot be told apart") + " (p " + probability(p, floor) + ")";
    return "On the macro average, with all pairs tested together " + words(together) + (declared.p === null ? "." : "; as a planned comparison with the baseline " + words(declared) + ".");
  }

  function captionOf(measure, planned) {
    const how = measure.hits
      ? "This pair alone: McNemar’s exact test and Newcombe’s interval in one language of independent questions; else the stratified t test, its p never below 2^(1 − k) where only k questions differ."
      : "This pair alone: paired t tests, stratified on the macro average.";
    return measure.name + " × 100. " + how + (planned ? " Planned: against the baseline, corrected in its family. All pairs: corrected for every pair of systems." : "");
  }

  function whisker(test, most) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const place = (value) => (50 + (50 * value) / most).toFixed(2);
    const line = (x1, x2, y1, y2, name) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of Object.entries({ x1, x2, y1, y2, class: name })) made.setAttribute(key, value);
      svg.append(made);
    };
    svg.setAttribute("class", "whisker");
    svg.setAttribute("viewBox", "0 0 100 12");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    line(50, 50, 0, 12, "zero");
    line(place(test.interval[0]), place(test.interval[1]), 6, 6, "");
    line(place(test.estimate), place(test.estimate), 6, 6, "dot");
    return svg;
  }

  function differing(measure, parts, questions, one, two) {
    const index = board.measures.indexOf(measure);
    return parts.flatMap((found, place) => {
      if (!one[found.name] || !two[found.name]) return [];
      const own = questions[place];
      const { ids, texts } = own;
      const left = xdr.scores(one[found.name].scores[index], ids.length);
      const right = xdr.scores(two[found.name].scores[index], ids.length);
      return ids.map((id, i) => ({ part: found, id, text: texts[i], one: left[i], two: right[i], questions: own, place: i }));
    });
  }

  function showQuestions(current, measure, a, b, all, limit) {
    const wanted = (current.find || "").toLowerCase();
    const found = all.filter(({ one, two, questions, place }) => (wanted ? xdr.mentions(questions, place, wanted) : one !== two && one !== null));
    found.sort((x, y) => Math.abs(y.one - y.two) - Math.abs(x.one - x.two) || y.one - y.two - (x.one - x.two));
    const better = all.filter(({ one, two }) => one > two).length, worse = all.filter(({ one, two }) => one < two).length;
    count.textContent = wanted ? found.length + " questions found" : "First better on " + better + ", second better on " + worse + ", of " + all.filter(({ one }) => one !== null).length + " questions";
    list.replaceChildren(...found.slice(0, limit).map(({ part: own, id, text, one, two }) => {
      const target = new URLSearchParams({ part: own.name, a: board.systems[a].name, b: board.systems[b].name, q: id, measure: measure.name, ...(wanted ? { find: current.find } : { list: "differ" }) });
      return element("li", {}, element("a", { href: "question.html#" + target }, element("bdi", { class: "question", lang: own.code, dir: own.direction }, text)), " ",
        element("span", { class: "values" }, own.language + ", " + measure.hits ? (one ? "found" : "missed") + " / " + (two ? "found" : "missed") : percent(one) + " against " + percent(two)));
    }));
    more.hidden = found.length <= limit;
  }

  return show;
};
