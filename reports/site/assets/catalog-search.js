// The search of the data catalogue. Its data come from catalog-index.js, a script beside this one, so that it works on a
// page opened from a folder. Everything is written as text, never as markup.
(() => {
  "use strict";
  const catalog = globalThis.goyongCatalog;
  const box = document.getElementById("catalog-search");
  if (!catalog || !box) return;
  const query = document.getElementById("catalog-query");
  const count = document.getElementById("catalog-count");
  const results = document.getElementById("catalog-results");
  const list = document.getElementById("catalog-list");
  const korean = document.documentElement.lang === "ko";
  const MOST_SHOWN = 50;
  const MOST_COLUMNS = 6;

  // Hangul syllables stand in order: 19 initial consonants × 21 vowels × 28 finals.
  const FIRST = 0xac00;
  const LAST = 0xd7a3;
  const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
  // For each final the final that stays and the initial that may move on: 공 is also the beginning of 고용.
  const FINALS = [
    "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹㅎ",
    "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
  ];
  const letter = (code) => String.fromCharCode(code);
  const initialRange = (initial) =>
    `${letter(FIRST + initial * 588)}-${letter(FIRST + initial * 588 + 587)}`;

  // What one letter of the query may stand for. Only the last one may be unfinished.
  function pattern(character, isLast) {
    const code = character.codePointAt(0);
    const initial = INITIALS.indexOf(character);
    if (initial >= 0) return `[${character}${initialRange(initial)}]`;
    if (code < FIRST || code > LAST || !isLast) return character.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    const final = (code - FIRST) % 28;
    if (final === 0) return `[${letter(code)}-${letter(code + 27)}]`;
    const parts = FINALS[final];
    const moved = INITIALS.indexOf(parts[parts.length - 1]);
    const kept = parts.length > 1 ? FINALS.indexOf(parts[0]) : 0;
    return `(?:${character}|${letter(code - final + kept)}[${initialRange(moved)}])`;
  }

  function matcher(term) {
    const characters = [...term];
    const body = characters.map((character, index) => pattern(character, index === characters.length - 1)).join("");
    return { anywhere: new RegExp(body), atStart: new RegExp(`(?:^|[^\\p{L}\\p{N}])${body}`, "u") };
  }

  const plain = (text) => text.normalize("NFC").toLowerCase();
  const both = (pair) => plain(`${pair[0]}\n${pair[1]}`);
  const inLanguage = (pair) => (korean || !pair[1] ? pair[0] : pair[1]);

  const columns = catalog.columns.map((column) => ({
    name: column.name,
    plainName: plain(column.name),
    text: plain(`${column.title.join("\n")}\n${column.fields.join("\n")}\n${column.text.join("\n")}`),
    title: inLanguage(column.title) || column.fields[0] || "",
  }));
  const entries = catalog.entries.map((entry) => ({
    ...entry,
    plainName: plain(entry.name),
    plainTitle: both(entry.title),
    plainText: both(entry.text),
    rest: plain(`${entry.kind}\n${entry.tags.join("\n")}`) + "\n" + both(entry.owner),
  }));

  // Weights: a name before a title before a column before a description. A beginning of a word counts more.
  function grade(entry, term, found) {
    const weigh = (text, weight) =>
      term.atStart.test(text) ? weight : term.anywhere.test(text) ? weight / 2 : 0;
    let best = Math.max(
      weigh(entry.plainName, 100),
      weigh(entry.plainTitle, 60),
      weigh(entry.rest, 12),
      weigh(entry.plainText, 20),
    );
    for (const position of entry.columns) {
      const column = columns[position];
      const weight = Math.max(weigh(column.plainName, 40), weigh(column.text, 16));
      if (weight > 0) found.add(position);
      best = Math.max(best, weight);
    }
    return best;
  }

  function search(text) {
    const terms = plain(text).split(/\s+/).filter(Boolean).map(matcher);
    const hits = [];
    for (const entry of entries) {
      const found = new Set();
      let total = 0;
      for (const term of terms) {
        const weight = grade(entry, term, found);
        if (weight === 0) {
          total = 0;
          break;
        }
        total += weight;
      }
      if (total > 0) hits.push({ entry, total, found });
    }
    // What weighs the same stays in the order of names.
    return hits.sort((one, other) => other.total - one.total);
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  }

  function shown({ entry, found }) {
    const item = document.createElement("li");
    const link = element("a", "", entry.name);
    link.href = entry.at;
    const kind = box.getAttribute(`data-kind-${entry.kind}`) ?? entry.kind;
    item.append(link, " ", element("span", "badge", kind));
    const description = inLanguage(entry.title) || inLanguage(entry.text);
    if (description) item.append(element("p", "", description));
    const named = [...found].slice(0, MOST_COLUMNS).map((position) => {
      const { name, title } = columns[position];
      return title ? `${name} (${title})` : name;
    });
    if (named.length > 0) item.append(element("p", "unit", `${box.dataset.columns}: ${named.join(", ")}`));
    return item;
  }

  function update() {
    const text = query.value.trim();
    list.hidden = text !== "";
    results.hidden = text === "";
    if (text === "") {
      results.replaceChildren();
      count.textContent = "";
    } else {
      const hits = search(text);
      results.replaceChildren(...hits.slice(0, MOST_SHOWN).map(shown));
      const { none, found, shown: some } = box.dataset;
      const message = hits.length === 0 ? none : hits.length > MOST_SHOWN ? some : found;
      count.textContent = message.replace("{count}", hits.length).replace("{shown}", MOST_SHOWN);
    }
    try {
      history.replaceState(null, "", text ? `#q=${encodeURIComponent(text)}` : location.href.split("#")[0]);
    } catch {
      // Some browsers forbid it on a page opened from a folder: then the search is not in the address.
    }
  }

  const links = () => [...results.querySelectorAll("a")];
  function move(step) {
    const all = links();
    const here = all.indexOf(document.activeElement);
    const next = here + step;
    if (next < 0) query.focus();
    else if (next < all.length) all[next].focus();
  }

  query.addEventListener("input", update);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && event.target === query) move(1);
    else if (event.key === "Escape") {
      query.value = "";
      query.focus();
      update();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    query.focus();
    event.preventDefault();
  });

  box.hidden = false;
  const asked = location.hash.match(/^#q=(.*)$/);
  if (asked) {
    try {
      query.value = decodeURIComponent(asked[1]);
    } catch {
      // A broken address is no search.
    }
  }
  if (query.value) update();
})();
