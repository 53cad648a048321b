// Pages of models: from the list to each version, every gate with its verdict in words, the picture's table on paper.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What is wrong, by what was looked at. */
export async function checkModels(context, site, watch) {
  const found = { list: [], gates: [], print: [] };
  const tab = await context.newPage();
  const seen = watch(tab);
  await tab.goto(pathToFileURL(path.join(site, "en/models/index.html")).href, { waitUntil: "load" });
  const versions = await tab.$$eval("main table a", (anchors) => anchors.map((anchor) => anchor.href));
  if (versions.length === 0) found.list.push("there is no version");
  for (const version of versions) {
    await tab.goto(version, { waitUntil: "load" });
    const name = path.relative(site, fileURLToPath(version));
    // What the registry lists stands in the download; the page has as many rows, each with a verdict.
    const data = path.join(site, "data", ...path.dirname(path.relative("en", name)).split(path.sep));
    const listed = (await readFile(path.join(data, "gates.csv"), "utf8")).trim().split("\r\n").length - 1;
    const verdicts = await tab.$$eval("#gates table.figures tbody tr", (rows) => rows.map((row) => row.cells[7].textContent.trim()));
    if (verdicts.length !== listed) found.gates.push(`${name}: ${verdicts.length} of ${listed} gates`);
    for (const verdict of verdicts) {
      if (!["passed", "refused", "cannot test"].includes(verdict)) found.gates.push(`${name}: a verdict ${verdict}`);
    }
    await tab.emulateMedia({ media: "print" });
    const heights = await tab.$$eval(".table-behind table", (tables) => tables.map((table) => table.getBoundingClientRect().height));
    if (heights.length === 0 || heights.some((height) => height === 0)) found.print.push(`${name}: a table behind a picture is not printed`);
    await tab.emulateMedia({ media: "screen" });
  }
  found.console = seen.console;
  found.requests = seen.requests;
  await tab.close();
  return found;
}
