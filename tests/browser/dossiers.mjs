// Dossiers as an investigator gets them: from the list by keyboard, without scripts, on paper with the table behind the
// picture, the notice on a page of its own and in the other language one key away.

import { readdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** What is wrong, by what was looked at. `watch` collects a tab's errors and its requests to the outside. */
export async function checkDossiers(context, folder, watch) {
  const found = { list: [], keyboard: [], plain: [], print: [], identity: [] };
  const names = await readdir(path.join(folder, "ko"));
  const cases = names.filter((name) => /^\d+$/.test(name)).sort((one, other) => one - other);
  const address = (language, number) => pathToFileURL(path.join(folder, language, number, "index.html")).href;
  if (cases.length === 0) return { ...found, list: ["there is no dossier"] };

  // From the list to a dossier and into its sections with Tab and Enter alone.
  const tab = await context.newPage();
  const seen = watch(tab);
  await tab.goto(pathToFileURL(path.join(folder, "en/index.html")).href, { waitUntil: "load" });
  const links = await tab.$$eval("main table a", (anchors) => anchors.map((anchor) => anchor.href));
  if (links.length !== cases.length) found.list.push(`${links.length} links to ${cases.length} dossiers`);
  await tab.focus("main table a");
  await Promise.all([tab.waitForURL(/en\/\d+\/index\.html/), tab.keyboard.press("Enter")]);
  const stops = [];
  for (let step = 0; step < 60; step += 1) {
    await tab.keyboard.press("Tab");
    const stop = await tab.evaluate(() => {
      const at = document.activeElement;
      return at === document.body ? "" : `${at.tagName.toLowerCase()}.${at.className}`;
    });
    if (stop === "") break;
    stops.push(stop);
  }
  const regions = await tab.$$eval("main .scroll", (boxes) => boxes.filter((box) => box.checkVisibility()).length);
  const reached = stops.filter((stop) => stop === "div.scroll").length;
  if (reached < regions) found.keyboard.push(`${reached} of ${regions} tables are reached by Tab`);
  for (const summary of await tab.$$("main summary")) {
    await summary.focus();
    await tab.keyboard.press("Enter");
    if (!(await summary.evaluate((element) => element.parentElement.open))) found.keyboard.push("Enter opens no part");
  }
  found.console = seen.console;
  found.requests = seen.requests;
  await tab.close();

  // Without scripts every part is there, in both languages.
  const still = await context.browser().newContext({ javaScriptEnabled: false });
  const silent = await still.newPage();
  for (const number of cases.slice(0, 20)) {
    for (const language of ["ko", "en"]) {
      await silent.goto(address(language, number), { waitUntil: "load" });
      for (const part of ["reasons", "days-heading", "evidence", "clearing", "similar", "events", "letter"]) {
        if (!(await silent.locator(`#${part}`).isVisible())) found.plain.push(`${language}/${number} lacks ${part}`);
      }
      const letter = await silent.locator(".letter-text").first();
      if ((await letter.getAttribute("lang")) !== language) found.plain.push(`${number}: a notice in another language`);
      if ((await letter.innerText()).trim().length < 30) found.plain.push(`${language}/${number}: a notice without words`);
    }
  }
  await still.close();

  // On paper.
  const paper = await context.newPage();
  await paper.emulateMedia({ media: "print" });
  for (const number of cases.slice(0, 20)) {
    await paper.goto(address("ko", number), { waitUntil: "load" });
    const problems = await paper.evaluate(() => {
      const found = [];
      const height = (element) => element?.getBoundingClientRect().height ?? 0;
      if (getComputedStyle(document.querySelector(".letter")).breakBefore !== "page") found.push("the notice begins no page");
      if (height(document.querySelector(".masthead nav")) > 0) found.push("the menu is printed");
      for (const table of document.querySelectorAll(".table-behind table")) {
        if (height(table) === 0) found.push("the table behind the picture is not printed");
      }
      return found;
    });
    found.print.push(...problems.map((problem) => `${number}: ${problem}`));
    const text = await paper.textContent("body");
    if (/\b\d{6}-[0-9]\d{6}\b/.test(text)) found.identity.push(`${number} may hold a resident number`);
  }
  await paper.close();
  return found;
}
