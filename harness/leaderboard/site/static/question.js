/* One question: its answers, and the first passages of two systems, with answers, relevant passages and the token budget's cut. */
xdr.pages.question = function (board) {
  const { element, option, state, setState, percent } = xdr.dom;
  const box = document.getElementById("question");

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

  async function column(system, own, part, questions, place, budget) {
    const title = element("h3", {}, element("a", { href: "systems/" + encodeURIComponent(system.name) + ".html" }, system.title));
    if (!own[part.name]) return element("section", {}, title, element("p", {}, "This system does not serve the language."));
    const values = board.measures.map((measure, index) => measure.name + " " + percent(xdr.scores(own[part.name].scores[index], questions.ids.length)[place], measure.name.startsWith("R@") || measure.name.startsWith("Success") ? 0 : 1));
    const lengths = xdr.numbers(own[part.name].lengths);
    const start = lengths.slice(0, place).reduce((sum, length) => sum + length, 0);
    const numbers = xdr.numbers(own[part.name].heads).slice(start, start + lengths[place]);
    const relevant = new Set(questions.relevant[place]);
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
    return element("section", {}, title, element("p", { class: "values" }, values.join(" · ")),
      items.length ? element("ol", {}, ...items) : element("p", {}, "No passage ranked."),
      ...(budget !== null && left > 0 && items.length ? [element("p", { class: "values" }, "The token budget of " + budget + " reaches beyond these passages.")] : []));
  }

  async function neighbours(part, questions, place) {
    const step = (id, label, to) => {
      const button = element("button", { type: "button", id, class: "plain-button", disabled: to < 0 || to >= questions.ids.length }, label);
      button.addEventListener("click", () => setState({ q: questions.ids[to] }));
      return button;
    };
    return [step("previous", "Previous question", place - 1), step("next", "Next question", place + 1)];
  }

  async function show(isLatest) {
    const current = state();
    const part = board.parts.find((found) => found.name === current.part) || board.parts[0];
    const named = (name, fallback) => board.systems.find((system) => system.name === name) || fallback;
    const a = named(current.a, board.systems[0]), b = named(current.b, named(board.baseline));
    const measure = xdr.measure(board, current.measure);
    const [questions, one, two] = await Promise.all([xdr.load("questions/" + part.name), xdr.load("scores/" + a.name), xdr.load("scores/" + b.name)]);
    const place = Math.max(0, questions.ids.indexOf(current.q));
    const sides = await Promise.all([[a, one], [b, two]].map(([system, own]) => column(system, own, part, questions, place, measure.budget)));
    const buttons = await neighbours(part, questions, place);
    if (!isLatest()) return;
    const pick = (label, key, value, options) => {
      const select = element("select", { id: key }, ...options);
      select.value = value;
      select.addEventListener("change", () => setState({ [key]: select.value }));
      return element("label", {}, label + " ", select);
    };
    const systems = () => board.systems.map((system) => option(system.name, system.title));
    const focused = document.activeElement && document.activeElement.id;
    box.replaceChildren(
      element("blockquote", { class: "asked" }, element("bdi", { class: "question", lang: part.code, dir: part.direction }, questions.texts[place])),
      element("p", { class: "answers" }, part.language + " question ", element("code", {}, questions.ids[place]),
        ...(questions.answers[place].length ? [". Answers: ", ...questions.answers[place].flatMap((answer, i) => [i ? ", " : "", element("strong", {}, answer)])] : [])),
      element("div", { class: "controls filters" }, pick("First", "a", a.name, systems()), pick("Second", "b", b.name, systems()),
        pick("Language", "part", part.name, board.parts.map((found) => option(found.name, found.language))),
        pick("Measure", "measure", measure.name, board.measures.map((found) => option(found.name))), ...buttons,
        element("a", { href: "compare.html#" + new URLSearchParams({ a: a.name, b: b.name, part: part.name }) }, "All questions")),
      element("div", { class: "tops" }, ...sides));
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  return show;
};
