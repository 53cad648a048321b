// The data catalogue under its own policy, as a reader gets it: the search, the keyboard, the lineage's links, the page
// without its script.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";

function initials(text) {
  return [...text]
    .map((letter) => {
      const place = letter.codePointAt(0) - 0xac00;
      return place >= 0 && place < 11172 ? INITIALS[Math.floor(place / 588)] : letter;
    })
    .join("");
}

/** What is wrong, by what was looked at. `watch` collects a tab's errors and its requests to the outside. */
export async function checkCatalog(context, site, watch) {
  const list = (language) => pathToFileURL(path.join(site, language, "catalog/index.html")).href;
  const script = await readFile(path.join(site, "assets/catalog-index.js"), "utf8");
  const catalog = JSON.parse(script.slice(script.indexOf("=") + 1).trim().replace(/;$/, ""));
  const tab = await context.newPage();
  const seen = watch(tab);
  const results = () => tab.$$eval("#catalog-results a", (links) => links.map((link) => link.textContent));
  const counted = () => tab.textContent("#catalog-count");
  const ask = async (text) => {
    await tab.fill("#catalog-query", text);
    return results();
  };
  const found = {};

  // A title in Korean is found by its initial consonants and while its last syllable is being typed.
  await tab.goto(list("ko"), { waitUntil: "load" });
  const titled = catalog.entries.find((entry) => /^[가-힣]{4,}/.test(entry.title[0]));
  const word = titled.title[0].match(/^[가-힣]+/)[0];
  const typing = word.slice(0, 2) + String.fromCodePoint(word.codePointAt(2) - ((word.codePointAt(2) - 0xac00) % 28));
  found.korean = [];
  for (const query of [initials(word), word.slice(0, 2), typing, word.normalize("NFD")]) {
    const names = await ask(query);
    if (!names.includes(titled.name)) found.korean.push(`${query} does not find ${titled.name} (${word})`);
  }
  if ((await ask("ㅎㅎㅎㅎㅎㅎㅎ")).length > 0) found.korean.push("seven ㅎ find something");

  // A table by its own name comes first; by the name of a column and of a provider's field it comes.
  found.names = [];
  const largest = catalog.entries.filter((entry) => entry.columns.length > 0);
  for (const entry of largest.slice(0, 5)) {
    const first = (await ask(entry.name))[0];
    if (first !== entry.name) found.names.push(`${entry.name} finds ${first} first`);
    const column = catalog.columns[entry.columns.at(-1)];
    const names = await ask(`${column.name} ${entry.name}`);
    if (!names.includes(entry.name)) found.names.push(`${column.name} does not find ${entry.name}`);
  }
  const field = catalog.columns.flatMap((column) => column.fields).find((name) => /^[가-힣]{3,}$/.test(name));
  if (field) {
    const holders = largest.filter((entry) => entry.columns.some((at) => catalog.columns[at].fields.includes(field)));
    const names = await ask(field);
    for (const holder of holders.slice(0, 5)) {
      if (!names.includes(holder.name)) found.names.push(`${field} does not find ${holder.name}`);
    }
  }

  // The number found is announced; nothing is found in words; markup in a query stays text.
  found.count = [];
  const names = await ask("person_key");
  const announced = Number((await counted()).match(/\d+/)?.[0] ?? 0);
  if (announced < names.length || announced === 0) found.count.push(`${announced} announced, ${names.length} shown`);
  await ask("<img src=x onerror=alert(1)>");
  if (!(await counted()).includes("없습니다")) found.count.push("nothing found is not said");
  if ((await tab.getAttribute("#catalog-count", "aria-live")) !== "polite") found.count.push("the count is not announced");

  // Keyboard: / to the field, arrows through the results, Enter opens, Escape clears and brings the list back.
  found.keyboard = [];
  await ask("");
  await tab.click("h1");
  await tab.keyboard.press("/");
  const focused = () => tab.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  if ((await focused()) !== "catalog-query") found.keyboard.push("/ does not lead to the field");
  await tab.keyboard.type("person_key");
  const [one, two] = await results();
  await tab.keyboard.press("ArrowDown");
  if ((await focused()) !== one) found.keyboard.push("the down arrow does not lead to the first result");
  await tab.keyboard.press("ArrowDown");
  if (two && (await focused()) !== two) found.keyboard.push("the down arrow does not lead to the second result");
  await tab.keyboard.press("ArrowUp");
  await tab.keyboard.press("ArrowUp");
  if ((await focused()) !== "catalog-query") found.keyboard.push("the up arrow does not lead back");
  await tab.keyboard.press("Escape");
  const hidden = await tab.evaluate(() => document.getElementById("catalog-list").hidden);
  if (hidden) found.keyboard.push("Escape does not bring the list back");
  await ask("person_key");
  await tab.keyboard.press("Enter");
  await Promise.all([tab.waitForURL(/catalog\/[^/]+\/[^/]+\/index\.html/), tab.keyboard.press("Enter")]);
  if (!(await tab.textContent("h1")).includes(one)) found.keyboard.push(`Enter opens another page than ${one}`);
  await tab.goBack({ waitUntil: "load" });
  if ((await tab.inputValue("#catalog-query")) !== "person_key") found.keyboard.push("going back loses the search");
  if ((await results())[0] !== one) found.keyboard.push("going back loses the results");

  // Each box of a picture leads to a page of its own.
  found.lineage = [];
  const pictured = catalog.entries.find((entry) => entry.name === "core.employment_spell") ?? largest[0];
  const address = pathToFileURL(path.join(site, "en/catalog", pictured.at)).href;
  await tab.goto(address, { waitUntil: "load" });
  const boxes = await tab.$$eval("svg.lineage a", (links) => links.map((link) => link.href.baseVal));
  if (boxes.length === 0) found.lineage.push(`${pictured.name} has no picture`);
  for (const box of boxes) {
    await tab.goto(new URL(box, address).href, { waitUntil: "load" });
    if ((await tab.$$("h1")).length !== 1) found.lineage.push(`${box} leads nowhere`);
  }
  await tab.goto(address, { waitUntil: "load" });
  await tab.focus("svg.lineage a");
  const frame = await tab.$eval("svg.lineage a:focus-visible rect", (box) => getComputedStyle(box).strokeWidth).catch(() => "0");
  if (parseFloat(frame) < 2) found.lineage.push("a box does not show that it has the focus");

  found.console = seen.console;
  found.requests = seen.requests;
  await tab.close();

  // Without scripts the list is complete and the search is not there.
  found.plain = [];
  const still = await context.browser().newContext({ javaScriptEnabled: false });
  const silent = await still.newPage();
  await silent.goto(list("en"), { waitUntil: "load" });
  if (await silent.isVisible("#catalog-search")) found.plain.push("a search that cannot search is shown");
  const tables = catalog.entries.filter((entry) => entry.kind !== "check").length;
  const listed = await silent.locator("#catalog-list tbody tr").count();
  if (listed !== tables) found.plain.push(`${listed} of ${tables} tables are listed`);
  await still.close();
  return found;
}
