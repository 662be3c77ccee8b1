// What a click on the status bar offers: the server's list, or what helps where there is no server.

import * as vscode from "vscode";
import type { Client } from "./client";
import { MENU, type Menu } from "./protocol.gen";
import { run } from "./commands";

interface Offer extends vscode.QuickPickItem {
  readonly command: string;
  readonly arguments: readonly unknown[];
}

const WITHOUT_SERVER: readonly Offer[] = [
  { label: "Start the language server", detail: "Or install it, if it is not here.", command: "stepfare.ui.restart", arguments: [] },
  { label: "Show the log", detail: "What the language server said last.", command: "stepfare.ui.showLog", arguments: [] },
];

export async function showMenu(client: Client): Promise<void> {
  const { window } = vscode;
  try {
    const chosen = await window.showQuickPick(await offers(client), { title: client.spend?.text ?? "stepfare", matchOnDetail: true });
    if (chosen) await run(client, chosen.command, ...chosen.arguments);
  } catch (error) {
    void window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}

async function offers(client: Client): Promise<readonly Offer[]> {
  if (!client.live) return WITHOUT_SERVER;
  const { items } = await client.ask<Menu>(MENU, {});
  return items.map((item) => ({ label: item.label, detail: item.detail, command: item.command, arguments: item.arguments }));
}
