/* The statistics that a reader's choice needs; their formulas are those of harness/compare/chosen.py, subsets.py and stratified.py. */
xdr.statistics = (function () {
  /* ln Gamma by Lanczos' approximation (g = 7, n = 9). */
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  function logGamma(x) {
    let sum = LANCZOS[0];
    for (let i = 1; i < 9; i++) sum += LANCZOS[i] / (x - 1 + i);
    const t = x + 6.5;
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /* ln B(a, 1/2): from a = 10 up by the series of ln Gamma(a + 1/2) - ln Gamma(a), since large logarithms lose their digits. */
  function logBetaHalf(a) {
    if (a < 10) return logGamma(a) + 0.5 * Math.log(Math.PI) - logGamma(a + 0.5);
    const s = 1 / (a * a);
    return 0.5 * Math.log(Math.PI / a) + (1 / 8 - s * (1 / 192 - s * (1 / 640 - s * (17 / 14336 - (s * 31) / 18432)))) / a;
  }

  /* Regularised incomplete beta function, a or b being 1/2, by Lentz' continued fraction. */
  function incompleteBeta(x, a, b) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
    const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBetaHalf(a === 0.5 ? b : a)) / a;
    const tiny = 1e-300;
    let c = 1, d = 1 - ((a + b) * x) / (a + 1);
    d = 1 / (Math.abs(d) < tiny ? tiny : d);
    let fraction = d;
    for (let m = 1; m <= 10000; m++) {
      for (const term of [
        (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
        (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
      ]) {
        d = 1 + term * d;
        d = 1 / (Math.abs(d) < tiny ? tiny : d);
        c = 1 + term / c;
        if (Math.abs(c) < tiny) c = tiny;
        fraction *= c * d;
      }
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return front * fraction;
  }

  /* Two-sided p of Student's t. */
  function tProbability(t, freedom) {
    const x = freedom / (freedom + t * t), a = freedom / 2;
    /* Near x = 1 the complement is taken from t itself, where 1 - x would lose its digits. */
    if (x > (a + 1) / (a + 2.5)) return 1 - incompleteBeta((t * t) / (freedom + t * t), 0.5, a);
    return incompleteBeta(x, a, 0.5);
  }

  /* The t that a two-sided test at 1 - level would need: bisection, since it is asked for rarely. */
  function tQuantile(level, freedom) {
    let low = 0, high = 1;
    while (tProbability(high, freedom) > 1 - level) high *= 2;
    for (let i = 0; i < 200 && high - low > 1e-13 * high; i++) {
      const middle = (low + high) / 2;
      if (tProbability(middle, freedom) > 1 - level) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }

  /* Means of a system over chosen parts; null where it has no scores on one of them. */
  function macro(measure, system, parts) {
    let sum = 0;
    for (const part of parts) {
      const mean = measure.means[system * measure.topics.length + part];
      if (Number.isNaN(mean)) return null;
      sum += mean;
    }
    return sum / parts.length;
  }

  /* The stratified t test of system against reference over chosen parts, from the reference's forms against all systems. */
  function macroT(measure, forms, system, reference, parts) {
    const one = macro(measure, system, parts), two = macro(measure, reference, parts);
    if (one === null || two === null) return null;
    const estimate = one - two, count = parts.length, chosen = new Set(parts);
    const systems = measure.means.length / measure.topics.length;
    let shared = false, units = 0;
    const unitsOf = new Map(parts.map((part) => [part, 0]));
    for (const [pattern, number] of measure.patterns) {
      const within = pattern.filter((part) => chosen.has(part));
      if (!within.length) continue;
      units += number;
      if (within.length > 1) shared = true;
      for (const part of within) unitsOf.set(part, unitsOf.get(part) + number);
    }
    let variance = 0, satterthwaite = 0;
    measure.pairs.forEach(([l, m], row) => {
      if (!chosen.has(l) || !chosen.has(m)) return;
      const form = forms[row * systems + system];
      if (shared) {
        variance += (l === m ? 1 : 2) * form;
      } else if (l === m) {
        const share = ((unitsOf.get(l) / (unitsOf.get(l) - 1)) * form) / (count * count);
        variance += share;
        satterthwaite += (share * share) / (unitsOf.get(l) - 1);
      }
    });
    let freedom;
    if (shared) {
      variance *= units / (units - 1) / (count * count);
      freedom = units - 1;
    } else {
      freedom = variance > 0 ? (variance * variance) / satterthwaite : units - count;
    }
    if (!(freedom > 0)) return { estimate, p: null, interval: null };
    const error = Math.sqrt(Math.max(0, variance));
    if (error <= 1e-12 * Math.abs(estimate) || error === 0)
      return estimate === 0 ? { estimate: 0, p: 1, interval: [0, 0] } : { estimate, p: null, interval: null };
    const half = tQuantile(0.95, freedom) * error;
    return { estimate, p: tProbability(estimate / error, freedom), interval: [estimate - half, estimate + half], freedom };
  }

  /* The exact two-sided p of McNemar's test: the topics that one system alone hits are fair coins. */
  function mcNemar(wins, losses) {
    const tosses = wins + losses, fewer = Math.min(wins, losses);
    if (wins === losses) return 1;
    let term = Math.exp(logGamma(tosses + 1) - logGamma(fewer + 1) - logGamma(tosses - fewer + 1) - tosses * Math.LN2);
    let tail = 0;
    for (let i = fewer; i >= 0; i--) {
      tail += term;
      term *= i / (tosses - i + 1);
    }
    return Math.min(1, 2 * tail);
  }

  const Z = 1.959963984540054; /* The normal quantile of a two-sided 95%. */

  function wilson(hits, topics) {
    const rate = hits / topics, scale = 1 + (Z * Z) / topics;
    const centre = (rate + (Z * Z) / (2 * topics)) / scale;
    const half = (Z * Math.sqrt((rate * (1 - rate)) / topics + (Z * Z) / (4 * topics * topics))) / scale;
    return [hits === 0 ? 0 : centre - half, hits === topics ? 1 : centre + half];
  }

  /* Newcombe's method 10 for paired hits: numbers hit by both, the first alone, the second alone, neither. */
  function newcombe(both, first, second, neither) {
    const topics = both + first + second + neither;
    const one = (both + first) / topics, two = (both + second) / topics;
    const [lower1, upper1] = wilson(both + first, topics), [lower2, upper2] = wilson(both + second, topics);
    const margins = (both + first) * (second + neither) * (both + second) * (first + neither);
    let numerator = both * neither - first * second;
    if (numerator > 0) numerator = Math.max(0, numerator - topics / 2);
    const phi = margins ? numerator / Math.sqrt(margins) : 0;
    const distance = (x, y) => Math.sqrt(Math.max(0, x * x - 2 * phi * x * y + y * y));
    return [Math.max(-1, one - two - distance(one - lower1, upper2 - two)), Math.min(1, one - two + distance(upper1 - one, two - lower2))];
  }

  /* The fourfold table of two systems' hits on one part, out of their means and their form; null where a unit holds several
     topics of the part. The squares of differences sum to n^2 Q + n d^2, and those of hits are 1. */
  function fourfold(measure, forms, system, reference, part) {
    const topics = measure.topics[part], count = measure.topics.length, systems = measure.means.length / count;
    const units = measure.patterns.reduce((sum, [pattern, number]) => sum + (pattern.includes(part) ? number : 0), 0);
    const row = measure.pairs.findIndex(([l, m]) => l === part && m === part);
    if (units !== topics) return null;
    const hits = [system, reference].map((place) => Math.round(measure.means[place * count + part] * topics));
    const net = hits[0] - hits[1];
    const differing = Math.round(topics * topics * forms[row * systems + system] + (net * net) / topics);
    const first = (differing + net) / 2, second = (differing - net) / 2;
    return [hits[0] - first, first, second, topics - hits[0] - second];
  }

  /* A pair that the reader chose; see harness/compare/chosen.py. */
  function chosenPair(measure, forms, system, reference, parts) {
    const test = macroT(measure, forms, system, reference, parts);
    if (!test) return null;
    const tables = measure.hits ? parts.map((part) => fourfold(measure, forms, system, reference, part)) : [null];
    const countable = tables.every((found) => found !== null);
    if (countable && parts.length === 1)
      return { estimate: test.estimate, p: mcNemar(tables[0][1], tables[0][2]), interval: newcombe(...tables[0]), floor: null };
    const floor = countable ? Math.min(1, 2 ** (1 - tables.reduce((sum, [, first, second]) => sum + first + second, 0))) : null;
    const interval = test.interval && test.interval[0] < test.interval[1] ? test.interval : null;
    return { estimate: test.estimate, p: test.p === null ? null : Math.max(test.p, floor || 0), interval, floor };
  }

  /* The p of two systems adjusted for all pairs; null where one has no scores in that column. */
  function pairP(found, other) {
    const count = found ? found.atLeast[other] : -1;
    if (count < 0) return { p: null, floor: null };
    const drawn = found.exact ? 0 : 1;
    return { p: (count + drawn) / (found.resamples + drawn), floor: found.exact ? null : 1 / (found.resamples + 1) };
  }

  return { tProbability, tQuantile, mcNemar, newcombe, macro, macroT, chosenPair, pairP };
})();
