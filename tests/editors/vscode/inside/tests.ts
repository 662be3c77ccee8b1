// Runs inside a real extension host, with the whole API of Visual Studio Code. What belongs to the daemon comes with the environment.

import * as assert from "node:assert";
import * as vscode from "vscode";
import type { Api } from "../src/extension";

const EXTENSION = "stepfare.stepfare";
const WAIT_MS = 30_000;

async function until<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`in vain: ${what}`);
}

const TESTS: Record<string, (api: Api) => Promise<void>> = {
  async "the status bar says what the server says"(api) {
    const spend = await until(() => api.client.spend, `the first line of ${api.client.server}, ${api.client.live?.state}, ${process.env["PATH"]}`);
    assert.equal(api.status.text, spend.text);
    assert.match(spend.text, /^\$\d/);
  },
};

export async function run(): Promise<void> {
  const extension = vscode.extensions.getExtension<Api>(EXTENSION);
  assert.ok(extension, `${EXTENSION} is not there`);
  const api = await extension.activate();
  const failed: string[] = [];
  for (const [name, test] of Object.entries(TESTS)) {
    try {
      await test(api);
      console.log(`ok: ${name}`);
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (failed.length) throw new Error(`${failed.length} failed\n${failed.join("\n")}`);
}
