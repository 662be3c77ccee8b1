// The person at the browser, as a program: one line of JSON in is one thing to do, one line out is what came of it.
// Waits for what is to be seen, never for a time. Nothing beyond this machine is loaded.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [library, executablePath] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(`${library}/node_modules/playwright-core/index.mjs`).href);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const context = await browser.newContext({ viewport: { width: 1120, height: 700 } });
const page = await context.newPage();
const said = [];
const refused = new Set();
let ended;
const testsEnded = new Promise((resolve) => (ended = resolve));
page.setDefaultTimeout(60_000);
page.on("console", (message) => said.push(message.text().slice(0, 500)));
await context.route("**/*", (route) => {
  const url = new URL(route.request().url());
  if (["127.0.0.1", "localhost"].includes(url.hostname) || !url.protocol.startsWith("http")) return route.continue();
  refused.add(url.host);
  return route.abort();
});

const found = ({ selector, text }) => {
  const all = page.locator(selector);
  return text === undefined ? all : all.filter({ hasText: new RegExp(text) });
};
const uri = (authority, path) => ({ $mid: 1, scheme: "vscode-remote", authority, path });

const verbs = {
  goto: ({ url }) => page.goto(url).then(() => null),
  wait: async (what) => {
    await found(what).first().waitFor({ state: what.gone ? "detached" : "visible", timeout: what.timeout_ms });
    return what.gone ? null : found(what).first().innerText();
  },
  reads: async ({ text, timeout_ms }) => {
    const words = new RegExp(text);
    for (const end = Date.now() + timeout_ms; Date.now() < end; await page.waitForTimeout(100)) {
      for (const frame of page.frames().slice(1)) {
        if (await frame.getByText(words).first().isVisible().catch(() => false)) return null;
      }
    }
    throw new Error(`no page inside the editor says ${text}`);
  },
  texts: (what) => found(what).allInnerTexts(),
  attribute: (what) => found(what).first().getAttribute(what.name),
  style: (what) => found(what).first().evaluate((element, name) => getComputedStyle(element)[name], what.name),
  click: (what) => found(what).first().click({ button: what.button ?? "left" }).then(() => null),
  hover: (what) => found(what).first().hover().then(() => null),
  press: ({ keys }) => page.keyboard.press(keys).then(() => null),
  type: ({ text }) => page.keyboard.type(text).then(() => null),
  screenshot: ({ path }) => page.screenshot({ path }).then(() => null),
  property: (what) => found(what).first().evaluate((element, name) => element[name], what.name),
  fill: (what) => found(what).first().fill(what.value).then(() => null),
  look: ({ width, height, scheme }) => page.setViewportSize({ width, height }).then(() => page.emulateMedia({ colorScheme: scheme })).then(() => null),
  refused: () => [...refused],
  console: () => said.slice(-30),
  // VS Code runs a module as tests inside its extension host when its start page says so. The page is asked to say so where it is read: a
  // page that was rewritten on its way would count as foreign, and its connections would be cut.
  tests: async ({ address, folder, extension, module, timeout_ms }) => {
    await page.exposeFunction("codeAutomationLog", (kind, words) => said.push(`${kind}: ${[words].flat().join(" ").slice(0, 2000)}`));
    await page.exposeFunction("codeAutomationExit", (code) => ended(code));
    await page.addInitScript(
      (options) => {
        const read = Element.prototype.getAttribute;
        Element.prototype.getAttribute = function (name) {
          const value = read.call(this, name);
          if (name !== "data-settings" || this.id !== "vscode-workbench-web-configuration") return value;
          return JSON.stringify({ ...JSON.parse(value), developmentOptions: options });
        };
      },
      { extensions: [uri(address, extension)], extensionTestsPath: uri(address, module) },
    );
    await page.goto(`http://${address}/?folder=${folder}`);
    return Promise.race([testsEnded, new Promise((resolve) => setTimeout(() => resolve("no end in time"), timeout_ms))]);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...what } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await verbs[verb](what) };
  } catch (error) {
    answer = { error: String(error).slice(0, 2000) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
