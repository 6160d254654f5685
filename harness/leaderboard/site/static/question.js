/* One question: its answers, and the first passages of two systems, with answers, relevant passages and the token budget's cut. */
xdr.pages.question = function (board) {
  const { element, option, state, setState, percent } = xdr.dom;
  const box = document.getElementById("question");
  const heading = document.querySelector("h1");
  const status = element("p", { role: "status", class: "unseen" });
  box.before(status);

  async function passage(pool, number) {
    const file = Math.floor(number / board.filePassages);
    return (await xdr.load("passages/" + pool + "-" + file))[number % board.filePassages];
  }

  /* The text cut at the answers: the longest answer first where several begin at one place. */
  function marked(text, answers) {
    const wanted = [...new Set(answers.filter((answer) => answer.trim()))].sort((x, y) => y.length - x.length);
    const pieces = [];
    for (let start = 0; start < text.length; ) {
      let place = -1, found = "";
      for (const answer of wanted) {
        const at = text.indexOf(answer, start);
        if (at >= 0 && (place < 0 || at < place)) [place, found] = [at, answer];
      }
      if (place < 0) { pieces.push(text.slice(start)); break; }
      if (place > start) pieces.push(text.slice(start, place));
      pieces.push(element("mark", {}, found));
      start = place + found.length;
    }
    return pieces;
  }

  /* Where the budget ends in this passage: null when after it, else the number of characters within. */
  function cut(entry, left) {
    if (!entry[3] || left === null) return { inside: null, left: null };
    const tokens = entry[3].length;
    if (left >= tokens) return { inside: null, left: left - tokens };
    return { inside: entry[3].slice(0, left).reduce((sum, step) => sum + step, 0), left: 0 };
  }

  function shown(entry, answers, inside) {
    if (entry[2] === undefined) return [element("em", {}, "The text of this passage is not part of the site.")];
    if (inside === null) return marked(entry[2], answers);
    const characters = Array.from(entry[2]);
    return [...marked(characters.slice(0, inside).join(""), answers), element("span", { class: "cut" }, "token budget ends here"),
      element("span", { class: "beyond" }, characters.slice(inside).join(""))];
  }

  const isHit = (scores) => scores.bits !== undefined;

  /* What a measure says of one question: found or missed where it is one or the other, else its value. */
  function said(measure, packed, place, count) {
    const value = xdr.scores(packed, count)[place];
    if (value === null) return measure.name + " not scored";
    return measure.name + " " + (isHit(packed) || measure.hits ? (value ? "found" : "missed") : percent(value));
  }

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  /* The ranks that a system gives the passages which should be found, in the order of the question's list; 0 for not found. */
  function ranksOf(own, questions, place) {
    const counts = questions.relevant.map((numbers) => Math.min(numbers.length, board.should));
    const start = sum(counts.slice(0, place));
    return xdr.numbers(own.ranks).slice(start, start + counts[place]);
  }

  const rankWords = (rank) => (rank ? "rank " + rank : "not among its first " + board.depth);

  async function column(system, own, part, questions, place, budget) {
    const title = element("h2", {}, element("a", { href: "systems/" + encodeURIComponent(system.name) + ".html" }, system.title));
    if (!own) return element("section", {}, title, element("p", {}, "This system does not serve the language."));
    const values = board.measures.map((measure, index) => said(measure, own.scores[index], place, questions.ids.length));
    const lengths = xdr.numbers(own.lengths);
    const start = sum(lengths.slice(0, place));
    const numbers = xdr.numbers(own.heads).slice(start, start + lengths[place]);
    const relevant = new Set(questions.relevant[place]);
    const right = ranksOf(own, questions, place).filter((rank) => rank > 0).sort((one, two) => one - two);
    let left = budget;
    const items = [];
    for (const number of numbers) {
      const entry = await passage(part.pool, number);
      const ended = left === 0;
      const { inside, left: rest } = cut(entry, left);
      left = rest;
      const gold = relevant.has(number);
      items.push(element("li", { class: (gold ? "gold" : "") + (ended ? " beyond" : "") }, element("strong", {}, entry[1] || entry[0]),
        ...(gold ? [" ", element("span", { class: "gold-word" }, "relevant")] : []), element("br", {}), ...shown(entry, questions.answers[place], ended ? null : inside)));
    }
    const first = !relevant.size ? [] : [right.length ? "first right passage at rank " + right[0] : "no right passage among its first " + board.depth];
    return element("section", {}, title, element("p", { class: "values" }, [...first, ...values].join(" · ")),
      items.length ? element("ol", {}, ...items) : element("p", {}, "No passage ranked."),
      ...(budget !== null && left > 0 && items.length ? [element("p", { class: "values" }, "The token budget of " + budget + " reaches beyond these passages.")] : []));
  }

  /* What should be found, whoever found it: title, text, and its rank in both systems. */
  async function wanted(part, questions, place, systems, own) {
    const numbers = questions.relevant[place].slice(0, board.should);
    const ranks = own.map((found) => (found ? ranksOf(found, questions, place) : null));
    const items = await Promise.all(numbers.map(async (number, i) => {
      const entry = await passage(part.pool, number);
      const where = systems.map((system, side) => system.title + ": " + (ranks[side] ? rankWords(ranks[side][i]) : "does not serve the language")).join("; ");
      return element("details", { class: "should" }, element("summary", {}, element("span", { class: "gold-word" }, "Should be found: "), element("strong", {}, entry[1] || entry[0]), " ", element("span", { class: "values" }, where)),
        element("p", {}, ...shown(entry, questions.answers[place], null)));
    }));
    const more = questions.relevant[place].length - numbers.length;
    return more > 0 ? [...items, element("p", { class: "values" }, more + " more passages are relevant.")] : items;
  }

  /* Places of the questions to walk through: those of the list that the reader came from, else all. */
  function walk(current, questions, one, two, index) {
    const text = (current.find || "").toLowerCase();
    const all = questions.ids.map((_, place) => place).filter((place) => !text || xdr.mentions(questions, place, text));
    if ((!text && current.list !== "differ") || !one || !two) return all;
    const [left, right] = [one, two].map((own) => xdr.scores(own.scores[index], questions.ids.length));
    const difference = (place) => left[place] - right[place];
    return all.filter((place) => text || (difference(place) !== 0 && left[place] !== null))
      .sort((x, y) => Math.abs(difference(y)) - Math.abs(difference(x)) || difference(y) - difference(x) || x - y);
  }

  function neighbours(places, questions, place, named) {
    const at = places.indexOf(place);
    const step = (id, label, to) => {
      const beyond = at < 0 ? to !== at + 1 || !places.length : to < 0 || to >= places.length;
      /* Not disabled, which would throw the focus out of the page at the end of a list. */
      const button = element("button", { type: "button", id, class: "plain-button", "aria-disabled": String(beyond) }, label);
      button.addEventListener("click", () => { if (!beyond) setState({ q: questions.ids[places[Math.max(0, to)]] }); });
      return button;
    };
    return [step("previous", "Previous question", at - 1), step("next", "Next question", at + 1),
      element("span", { class: "shown" }, (at < 0 ? "" : (at + 1).toLocaleString("en") + " of ") + places.length.toLocaleString("en") + " " + named)];
  }

  /* What an address asks for and the site does not have. */
  function missing(current, part, questions) {
    const found = [];
    if (current.part && part.name !== current.part) found.push("no language " + current.part);
    for (const key of ["a", "b"])
      if (current[key] && !board.systems.some((system) => system.name === current[key])) found.push("no system " + current[key]);
    if (current.q && part.name === (current.part || part.name) && !questions.ids.includes(current.q)) found.push("no question " + current.q + " in " + part.language);
    return found;
  }

  /* The same question as the perturbed forms of the language ask it. */
  function perturbed(part, questions, place) {
    const items = (questions.perturbed || []).filter((found) => found.texts[place]).map((found) =>
      element("li", {}, element("bdi", { class: "question", lang: part.code, dir: part.direction }, found.texts[place]), " ", element("span", { class: "values" }, found.what)));
    return items.length ? [element("details", { class: "perturbed", open: "" }, element("summary", {}, "Asked with perturbations, too"), element("ul", {}, ...items))] : [];
  }

  async function show(isLatest) {
    const current = state();
    const part = board.parts.find((found) => found.name === current.part) || board.parts[0];
    const named = (name, fallback) => board.systems.find((system) => system.name === name) || fallback;
    const a = named(current.a, board.systems[0]), b = named(current.b, named(board.baseline));
    const measure = xdr.measure(board, current.measure);
    const [questions, one, two] = await Promise.all([xdr.load("questions/" + part.name), xdr.load("scores/" + a.name + "/" + part.name), xdr.load("scores/" + b.name + "/" + part.name)]);
    const lacking = missing(current, part, questions);
    if (lacking.length) {
      if (!isLatest()) return;
      heading.textContent = "Not here";
      box.replaceChildren(element("p", { class: "notice", role: "alert" }, "This site has " + lacking.join(", and ") + " (any more). ",
        element("a", { href: "compare.html" }, "All questions on which systems differ"), "."));
      return;
    }
    const places = walk(current, questions, one, two, board.measures.indexOf(measure));
    const place = current.q ? questions.ids.indexOf(current.q) : places.length ? places[0] : 0;
    const id = questions.ids[place];
    const sides = await Promise.all([[a, one], [b, two]].map(([system, own]) => column(system, own, part, questions, place, measure.budget)));
    const should = await wanted(part, questions, place, [a, b], [one, two]);
    if (!isLatest()) return;
    const pick = (label, key, value, options) => {
      const select = element("select", { id: key }, ...options);
      select.value = value;
      /* A question's id is of one language. */
      select.addEventListener("change", () => setState({ [key]: select.value, ...(key === "part" ? { q: "" } : {}) }));
      return element("label", {}, label + " ", select);
    };
    const systems = () => board.systems.map((system) => option(system.name, system.title));
    const focused = document.activeElement && document.activeElement.id;
    const kind = current.find ? "that mention “" + current.find + "”" : current.list === "differ" ? "on which they differ" : "questions";
    heading.textContent = part.language + " question " + id;
    document.title = heading.textContent + ": " + a.title + " and " + b.title + " – " + board.track;
    status.textContent = heading.textContent;
    box.replaceChildren(
      element("blockquote", { class: "asked" }, element("bdi", { class: "question", lang: part.code, dir: part.direction }, questions.texts[place]),
        ...(questions.english && questions.english[place] ? [element("span", { class: "english", lang: "en" }, "In English: " + questions.english[place])] : [])),
      ...perturbed(part, questions, place),
      element("p", { class: "answers" }, part.language + " question ", element("code", {}, id),
        ...(questions.answers[place].length ? [". Answers: ", ...questions.answers[place].flatMap((answer, i) => [i ? ", " : "", element("strong", {}, answer)])] : [])),
      ...should,
      element("div", { class: "controls filters" }, pick("First", "a", a.name, systems()), pick("Second", "b", b.name, systems()),
        pick("Language", "part", part.name, board.parts.map((found) => option(found.name, found.language))),
        pick("Measure", "measure", measure.name, board.measures.map((found) => option(found.name))), ...neighbours(places, questions, place, kind),
        element("a", { href: "compare.html#" + new URLSearchParams({ a: a.name, b: b.name, part: part.name, ...(current.find ? { find: current.find } : {}) }) }, "All questions")),
      element("div", { class: "tops" }, ...sides));
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  return show;
};
