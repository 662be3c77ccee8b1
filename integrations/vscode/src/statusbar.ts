// The item in the status bar: the server's own words, with a colour only where the server sees a budget near its end.

import * as vscode from "vscode";
import type { Client } from "./client";
import type { Spend } from "./protocol.gen";

const COLOURS: Record<Spend["severity"], string | undefined> = {
  info: undefined,
  warning: "statusBarItem.warningBackground",
  error: "statusBarItem.errorBackground",
};

export function showSpend(client: Client, menu: string): vscode.StatusBarItem {
  const item = vscode.window.createStatusBarItem("spend", vscode.StatusBarAlignment.Left, 50);
  item.name = "stepfare: spend";
  item.command = menu;
  const show = (spend: Spend | undefined): void => {
    item.text = spend?.text ?? "stepfare";
    item.tooltip = spend ? new vscode.MarkdownString(spend.tooltip) : "The language server is not running. Click for what can be done.";
    const colour = spend && COLOURS[spend.severity];
    item.backgroundColor = colour ? new vscode.ThemeColor(colour) : undefined;
  };
  show(client.spend);
  client.onSpend(show);
  item.show();
  return item;
}
