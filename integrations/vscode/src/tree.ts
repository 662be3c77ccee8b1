// The tree of sessions and their steps: rows that the server worded, fetched when they are looked at.

import * as vscode from "vscode";
import type { Client } from "./client";
import { ROWS, type Row, type Rows } from "./protocol.gen";

const QUIET_MS = 250;

const ICONS: Record<Row["icon"], vscode.ThemeIcon> = {
  session: new vscode.ThemeIcon("comment-discussion"),
  frugal: new vscode.ThemeIcon("circle-filled", new vscode.ThemeColor("charts.green")),
  balanced: new vscode.ThemeIcon("circle-filled", new vscode.ThemeColor("charts.blue")),
  premium: new vscode.ThemeIcon("circle-filled", new vscode.ThemeColor("charts.purple")),
  error: new vscode.ThemeIcon("error", new vscode.ThemeColor("errorForeground")),
  running: new vscode.ThemeIcon("sync~spin"),
};

/** A session, or a step of `session`. */
export interface Node {
  readonly row: Row;
  readonly session?: string;
}

export class Sessions implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private readonly view: vscode.TreeView<Node>;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly client: Client) {
    this.view = vscode.window.createTreeView("stepfare.sessions", { treeDataProvider: this, showCollapseAll: true });
    client.onSpend(() => this.refreshSoon());
    client.onReady(() => this.refreshSoon());
  }

  async getChildren(parent?: Node): Promise<Node[]> {
    if (!this.client.live) return [];
    try {
      const { rows } = await this.client.ask<Rows>(ROWS, parent ? { session: parent.row.id } : {});
      delete this.view.message;
      return rows.map((row) => (parent ? { row, session: parent.row.id } : { row }));
    } catch (error) {
      this.view.message = error instanceof Error ? error.message : String(error);
      return [];
    }
  }

  getTreeItem({ row, session }: Node): vscode.TreeItem {
    const { Collapsed, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(row.label, row.expandable ? Collapsed : None);
    // A step is known below its session only: the same decision may be shown in two places after a merge.
    item.id = session ? `${session}/${row.id}` : row.id;
    item.description = row.description;
    item.tooltip = new vscode.MarkdownString(row.tooltip);
    item.iconPath = ICONS[row.icon];
    item.contextValue = session ? "step" : "session";
    if (session) item.command = { command: "stepfare.ui.showDecision", title: "Explain", arguments: [{ decision: row.id }] };
    return item;
  }

  refresh(): void {
    this.changes.fire(undefined);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.view.dispose();
    this.changes.dispose();
  }

  private refreshSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), QUIET_MS);
  }
}
