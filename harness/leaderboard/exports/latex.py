r"""The leaderboard as a LaTeX table with booktabs: plain ASCII, for any LaTeX engine and any encoding.

Escaped by hand, since the table is set in papers whose preamble nobody here knows. What pylatexenc gives for letters such as
ð, ą or П (``\dh``, ``\k``, ``\CYRP``) is an error of LaTeX unless fonts of other encodings are loaded; it leaves ``|``
and hyphens as they are, which LaTeX sets as dashes; and it lacks letters with a dot below.
"""

from __future__ import annotations

import re
import unicodedata

from harness.leaderboard.exports.table import SEEN_MEANS, Entry, Line, Table, table_of
from harness.leaderboard.table import Leaderboard

FILE_NAME = "leaderboard.tex"
_MARKS = {"": "", "better": r"\uparrow", "worse": r"\downarrow"}
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "`": r"\`{}", "\0": "{}",
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\dots{}", "\u00a0": "~",
    "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "→": r"$\rightarrow$", "←": r"$\leftarrow$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "−": "$-$",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "å": r"\aa{}", "Å": r"\AA{}", "§": r"\S{}", "¶": r"\P{}",
    "ε": r"$\varepsilon$", "ϵ": r"$\epsilon$", "ϑ": r"$\vartheta$", "ϕ": r"$\phi$", "φ": r"$\varphi$",
    "ς": r"$\varsigma$", "ο": "o",
}  # fmt: skip
_GREEK = re.compile("GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")
_IN_TEX = frozenset(
    re.findall(
        r"\w+",
        """alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon chi psi omega
        Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega""",
    )
)
_LIKE_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0323": "d", "\u0331": "b",
}  # fmt: skip


def to_latex(board: Leaderboard) -> str:
    """A ``table*`` environment. It needs the package booktabs, and xcolor where a row was withdrawn."""
    table = table_of(board)
    packages = ["booktabs", *(["xcolor"] if any(line.withdrawn for line in table.lines) else [])]
    header = " & ".join(["", "System", *(escaped(name) for name in table.columns)])
    lines = [
        rf"% \usepackage{{{','.join(packages)}}}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{_caption(board, table)}}}",
        rf"\label{{tab:xdr-{board.track.name}}}",
        rf"\begin{{tabular}}{{rl{'r' * len(table.columns)}}}",
        r"\toprule",
        rf"{header} \\",
        r"\midrule",
        *(rf"{_line(line)} \\" for line in table.lines),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""The text in ASCII that LaTeX sets as it reads: accents as commands, and other scripts by their code points.

    What the default fonts of LaTeX lack is shown as its code point, so that the file compiles everywhere.

    >>> print(escaped("50% of R&D, na\u00efve \u65e5"))
    50\% of R\&D, na\"{\i}ve \texttt{U+65E5}
    """
    # Between two hyphens stands something that is nothing, or they would become one dash.
    kept_apart = re.sub("-(?=-)", "-\0", " ".join(text.replace("\0", "").split()))
    return "".join(_character(character) for character in unicodedata.normalize("NFC", kept_apart))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character if character.isprintable() else ""
    if greek := _greek(character):
        return greek
    base, accents = (taken := unicodedata.normalize("NFD", character))[0], taken[1:]
    if accents in _ACCENTS and base.isascii() and base.isalpha():
        return rf"\{_ACCENTS[accents]}{{{_undotted(base, accents)}}}"
    # Control and format characters (direction marks, joiners) show nothing by themselves.
    return "" if unicodedata.category(character) in ("Cc", "Cf") else rf"\texttt{{U+{ord(character):04X}}}"


def _greek(character: str) -> str:
    """A letter as Unicode names it, which is how TeX names those that look unlike Latin ones; nothing for all else."""
    if character in _LIKE_LATIN:
        return _LIKE_LATIN[character]
    found = _GREEK.fullmatch(unicodedata.name(character, ""))
    if found is None:
        return ""
    # Unicode spells one letter differently.
    name = found[2].replace("LAMDA", "LAMBDA")
    command = name.lower() if found[1] == "SMALL" else name.capitalize()
    return rf"$\{command}$" if command in _IN_TEX else ""


def _undotted(base: str, accent: str) -> str:
    above = accent not in ("\u0327", "\u0323", "\u0331")
    return {"i": r"\i", "j": r"\j"}.get(base, base) if above else base


def _caption(board: Leaderboard, table: Table) -> str:
    track, tests = board.track, board.comparison
    sentences = [
        rf"{escaped(table.measure)} $\times$ 100, {escaped(track.title)} (track {escaped(track.name)}, "
        rf"version {track.version}).",
        rf"$\uparrow$, $\downarrow$: significantly better, worse than {escaped(tests.baseline)} "
        rf"($\alpha$ = {tests.alpha}; {escaped(tests.test)}; unit: {escaped(tests.unit)}).",
        rf"Families: {escaped('; '.join(table.families))}.",
        r"Bold: highest of the column. --: a language that the system does not declare.",
    ]
    if any(line.seen for line in table.lines):
        sentences.append(rf"$\dagger$: {escaped(SEEN_MEANS)}.")
    sentences += [
        rf"$\dagger$ {escaped(line.title)}: {escaped('; '.join(line.seen))}." for line in table.lines if line.seen
    ]
    sentences += [
        rf"Grey: withdrawn on {line.withdrawn.date}: {escaped(line.title)}. {escaped(line.withdrawn.reason)}"
        for line in table.lines
        if line.withdrawn
    ]
    sentences += [
        rf"--, {escaped(line.title)}, {escaped(part)}: {escaped(reason)}."
        for line in table.lines
        for part, reason in line.lacking.items()
    ]
    return " ".join(sentences)


def _line(line: Line) -> str:
    title = escaped(line.title) + (" (withdrawn)" if line.withdrawn else "")
    cells = [escaped(line.rank), title, *map(_shown, line.entries)]
    return " & ".join(rf"\textcolor{{black!60}}{{{cell}}}" if line.withdrawn else cell for cell in cells)


def _shown(entry: Entry) -> str:
    text = escaped(entry.text)
    signs = (r"\dagger" if entry.seen else "") + _MARKS[entry.mark]
    return (rf"\textbf{{{text}}}" if entry.best else text) + (rf"\rlap{{$^{{{signs}}}$}}" if signs else "")
