/* Small things that all pages share, and what starts a page. */
xdr.dom = (function () {
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (typeof value === "boolean") made.toggleAttribute(key, value);
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }
  function option(value, text) {
    const made = element("option", { value }, text || value);
    return made;
  }
  function state() {
    return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  }
  function setState(changes) {
    const next = new URLSearchParams(location.hash.slice(1));
    for (const [key, value] of Object.entries(changes)) if (value) next.set(key, value); else next.delete(key);
    go(next.toString());
  }
  /* Replaced, not pushed: the way back leads to the page before, not through every letter typed. */
  function go(hash) {
    history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  }
  /* As harness/figures.py: halves are rounded away from zero, on twelve decimals of the value; there is no -0.0. */
  function rounded(value, digits) {
    const scaled = Number(Math.abs(value).toFixed(12)) * 100 * 10 ** digits;
    return (Math.floor(scaled + 0.5 + 1e-10) / 10 ** digits).toFixed(digits);
  }
  const sign = (text, value, plus) => (Number(text) === 0 ? "" : value < 0 ? "−" : plus) + text;
  const percent = (value, digits = 1) => (value === null ? "–" : sign(rounded(value, digits), value, ""));
  const signed = (value, digits = 1) => (value === null ? "–" : sign(rounded(value, digits), value, "+"));
  /* As harness/figures.py: never 0; at the floor, the smallest p that the test could have given, only a bound. */
  function probability(value, floor = null) {
    if (value === null) return "–";
    if (floor && value <= floor * (1 + 1e-9)) {
      const nine = Number(value.toFixed(9)), unit = 10 ** (Math.floor(Math.log10(nine) + 1e-12) - 1);
      return "≤ " + Number((Math.ceil(nine / unit - 1e-6) * unit).toPrecision(2)).toFixed(9).replace(/\.?0+$/, "");
    }
    return value >= 0.0001 ? value.toFixed(5) : "< 0.0001";
  }
  return { element, option, state, setState, clearState: () => go(""), percent, signed, probability };
})();

/* The board's measure of that name, else the primary one. */
xdr.measure = function (board, name) {
  return board.measures.find((measure) => measure.name === name) || board.measures.find((measure) => measure.name === board.primary);
};

/* Whether the system's training may have held data of one of the parts. */
xdr.seen = function (board, system, parts) {
  return parts.some((part) => board.systems[system].seen.includes(part));
};

/* Whether a question, its answers, its id, the title of what should be found or its English version hold a text in lower case. */
xdr.mentions = function (questions, place, wanted) {
  const texts = [questions.texts[place], questions.ids[place], questions.titles[place], (questions.english || [])[place] || "", ...questions.answers[place]];
  return texts.some((text) => text.toLowerCase().includes(wanted));
};

xdr.withMeans = async function (measure) {
  if (!measure.means) measure.means = xdr.floats64(await xdr.load("means/" + measure.slug));
  return measure;
};

xdr.unpacked = function (holder, key, unpack) {
  if (typeof holder[key] === "string") holder[key] = unpack(holder[key]);
  return holder[key];
};

/* A button that copies: what stands in a box, or, with data-copies="address", where the reader is. */
xdr.copying = function () {
  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      /* A browser may grant no clipboard to a page from the disk. */
      const area = xdr.dom.element("textarea", { class: "unseen", "aria-hidden": "true" }, text);
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }
  function button(label, about, text) {
    const made = xdr.dom.element("button", { type: "button", class: "copy", "aria-label": label + " " + about }, label);
    made.addEventListener("click", async () => {
      made.textContent = (await copied(text())) ? "Copied" : "Select and copy by hand";
      setTimeout(() => (made.textContent = label), 2000);
    });
    return made;
  }
  for (const box of document.querySelectorAll("pre")) {
    const holder = xdr.dom.element("div", { class: "copied" });
    box.before(holder);
    holder.append(box, button("Copy", (box.getAttribute("aria-label") || "").toLowerCase(), () => box.textContent.trimEnd()));
  }
  for (const place of document.querySelectorAll("[data-copies=address]")) place.append(button("Copy link", "to this view", () => location.href));
};

/* A page's script builds its controls and gives a function that shows the state of the address. That function may wait for
   data; it asks before it touches the page whether it is still the latest, since a later choice can overtake it. */
document.addEventListener("DOMContentLoaded", async () => {
  xdr.copying();
  const page = xdr.pages[document.body.dataset.page];
  if (!page) return;
  const where = document.getElementById("compare") || document.getElementById("question") || document.getElementById("notice");
  const trouble = xdr.dom.element("p", { class: "notice", role: "alert", hidden: true });
  where.before(trouble);
  let show = null;
  let started = null;
  let latest = 0;
  async function refresh() {
    const turn = ++latest;
    const isLatest = () => turn === latest;
    document.body.dataset.ready = "no";
    try {
      started = started || xdr.load("board").then(page);
      show = show || (await started);
      await show(isLatest);
      if (!isLatest()) return;
      trouble.hidden = true;
      document.body.dataset.ready = "yes";
    } catch (error) {
      if (!show) started = null;
      if (!isLatest()) return;
      trouble.hidden = false;
      trouble.textContent = "This page could not load its data (" + error.message + "). Keep the folder of the site together, or make it again.";
    }
  }
  /* The address holds the page's state, which a jump to #main would replace. */
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  window.addEventListener("hashchange", refresh);
  await refresh();
});
