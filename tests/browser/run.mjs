// Opens every page of a rendered report folder over file:// and checks what a reader needs: nothing missing, nothing
// from outside, no accessibility violation, both languages, a table behind every chart, a print style.
//
//   node run.mjs <site folder> [--screenshots <folder>]
//
// The browser is the system's Chromium (GOYONG_CHROMIUM names another one).

import { readdir, readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { checkCatalog } from "./catalog.mjs";
import { checkDossiers } from "./dossiers.mjs";
import { checkModels } from "./models.mjs";

const [folder, option, screenshots] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node run.mjs <site folder> [--screenshots <folder>]");
  process.exit(2);
}
const site = path.resolve(folder);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

async function pagesBelow(root) {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

const pages = await pagesBelow(site);
if (pages.length === 0) {
  console.error(`no page below ${site}: render the site first`);
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env.GOYONG_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
// The pages' policy forbids scripts but the catalogue's search; the checks bring their own.
const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1200, height: 900 } });
// The same pages under their own policy, as a reader gets them.
const strict = await browser.newContext({ viewport: { width: 360, height: 740 } });

let passed = 0;
let failed = 0;
function check(page, name, problems) {
  if (problems.length === 0) {
    passed += 1;
  } else {
    failed += 1;
    console.error(`${page}: ${name}: ${problems.slice(0, 5).join("; ")}`);
  }
}

function watch(tab) {
  const seen = { console: [], requests: [] };
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.console.push(message.text());
  });
  tab.on("pageerror", (error) => seen.console.push(error.message));
  tab.on("requestfailed", (request) => {
    // Leaving a page cuts off what it still asks for, its icon most often; a missing file fails in another way.
    if (request.failure()?.errorText === "net::ERR_ABORTED") return;
    seen.requests.push(`failed ${request.url()}`);
  });
  tab.on("request", (request) => {
    const url = request.url();
    if (url.startsWith("data:")) return;
    const inside = url.startsWith("file:") && fileURLToPath(url.split("#")[0]).startsWith(site + path.sep);
    if (!inside) seen.requests.push(`outside ${url}`);
  });
  return seen;
}

async function visit(file, narrow, seen, tab) {
  const name = path.relative(site, file);
  const address = pathToFileURL(file).href;

  await narrow.goto(address, { waitUntil: "load" });
  check(name, "console", seen.console.splice(0));
  check(name, "requests", seen.requests.splice(0));

  await tab.goto(address, { waitUntil: "load" });
  await tab.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await tab.evaluate(axe);
  const result = await tab.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), standards);
  check(name, "accessibility", result.violations.map((item) => `${item.id} at ${item.nodes[0].target}`));

  const found = await tab.evaluate(() => {
    const problems = { language: [], charts: [], print: [], landmarks: [], tables: [] };
    const alternates = [...document.querySelectorAll("link[rel=alternate][hreflang]")].map((link) => link.hreflang);
    const switches = [...document.querySelectorAll("a[hreflang]")];
    if (!["ko", "en"].includes(document.documentElement.lang)) problems.language.push("no lang");
    if (!alternates.includes("ko") || !alternates.includes("en")) problems.language.push("no alternate");
    if (switches.length === 0) problems.language.push("no link to the other language");
    for (const figure of document.querySelectorAll("figure.lineage")) {
      const svg = figure.querySelector("svg");
      const name = svg?.getAttribute("aria-labelledby")?.split(" ").map((id) => document.getElementById(id)?.textContent);
      if (!name?.length || name.some((text) => !text)) problems.charts.push("a lineage picture without title and description");
      if (!figure.parentElement.querySelector("details.table-behind")) problems.charts.push("a lineage picture without its text");
      for (const box of svg.querySelectorAll("g.node")) {
        const frame = box.querySelector("rect").getBBox();
        for (const text of box.querySelectorAll("text")) {
          const place = text.getBBox();
          if (place.x + place.width > frame.x + frame.width) problems.charts.push(`cut off: ${text.textContent}`);
        }
      }
    }
    for (const figure of document.querySelectorAll("figure:not(.lineage)")) {
      const svg = figure.querySelector("svg[role=img]");
      if (!svg?.querySelector("title")?.textContent || !svg.querySelector("desc")?.textContent) {
        problems.charts.push("a chart without title and description");
      }
      const table = figure.parentElement.querySelector("details.table-behind table");
      if (!table || table.rows.length < 2) problems.charts.push("a chart without a table behind it");
      const box = svg?.viewBox.baseVal;
      for (const text of svg?.querySelectorAll("text") ?? []) {
        const place = text.getBBox();
        if (place.x < -1 || place.x + place.width > box.width + 1) problems.charts.push(`cut off: ${text.textContent}`);
      }
    }
    for (const table of document.querySelectorAll("table")) {
      if (!table.caption?.textContent.trim()) problems.tables.push("a table without caption");
      if (![...table.querySelectorAll("th")].every((cell) => cell.scope)) problems.tables.push("a heading without scope");
    }
    const rules = [...document.styleSheets].flatMap((sheet) => {
      try {
        return [...sheet.cssRules];
      } catch {
        return []; // file: sheets are opaque to scripts in some configurations; looked at from outside instead
      }
    });
    if (rules.length > 0 && !rules.some((rule) => rule.media?.mediaText === "print")) problems.print.push("no print style");
    if (document.styleSheets.length === 0) problems.print.push("no style sheet");
    if (document.querySelectorAll("main").length !== 1) problems.landmarks.push("not one main landmark");
    if (document.querySelectorAll("h1").length !== 1) problems.landmarks.push("not one h1");
    return problems;
  });
  for (const [kind, problems] of Object.entries(found)) check(name, kind, problems);

  // Nothing may need sideways scrolling on a phone but the tables themselves.
  await tab.setViewportSize({ width: 360, height: 740 });
  const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  check(name, "reflow", overflow > 1 ? [`${overflow} px wider than a phone`] : []);
  await tab.setViewportSize({ width: 1200, height: 900 });

  if (option === "--screenshots") {
    await mkdir(screenshots, { recursive: true });
    const target = path.join(screenshots, name.replaceAll("/", "_").replace(".html", ".png"));
    await tab.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = false)));
    await tab.screenshot({ path: target, fullPage: true });
  }
}

// Every reader keeps its two tabs and takes the next page that nobody has.
const waiting = pages.values();
async function read() {
  const narrow = await strict.newPage();
  const seen = watch(narrow);
  const tab = await context.newPage();
  for (const file of waiting) await visit(file, narrow, seen, tab);
  await narrow.close();
  await tab.close();
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, read));

// The print style is read from the file: a sheet opened over file:// may not show its rules to a script.
const sheet = await readFile(path.join(site, "assets/site.css"), "utf8");
check("assets/site.css", "print", sheet.includes("@media print") && sheet.includes("@page") ? [] : ["no print style"]);

// The report site has a catalogue and pages of models, the folder of cases has dossiers.
const has = (address) => pages.some((page) => path.relative(site, page) === address);
const parts = [
  ["catalog", has("ko/catalog/index.html"), checkCatalog],
  ["models", has("ko/models/index.html"), checkModels],
  ["dossiers", !has("ko/catalog/index.html"), checkDossiers],
];
for (const [part, isThere, checkPart] of parts) {
  if (!isThere) continue;
  for (const [name, problems] of Object.entries(await checkPart(strict, site, watch))) check(part, name, problems);
}

await browser.close();
console.log(`${pages.length} pages`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
