/* The statistics that a reader's choice needs; their formulas are those of harness/compare/subsets.py and stratified.py. */
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

  return { tProbability, tQuantile, macro, macroT };
})();
