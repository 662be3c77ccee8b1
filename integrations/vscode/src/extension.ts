// Puts the parts together: the language server shows its spend in the status bar and its sessions in a tree, its commands are in the
// palette, and its models are offered to chat.

import * as vscode from "vscode";
import { Client } from "./client";
import { serveCodeFiles } from "./codefiles";
import { registerPalette } from "./commands";
import { CLINE, CONTINUE, connect, disconnect } from "./connect";
import { sendContext } from "./context";
import { showMenu } from "./menu";
import { offerModels } from "./models";
import { findServer, offerToInstall } from "./server";
import { showSpend } from "./statusbar";
import { Sessions, type Node } from "./tree";

const MENU = "stepfare.ui.menu";
const SHOW_LOG = "Show the log";

/** What other extensions, and tests, may look at. */
export interface Api {
  readonly status: vscode.StatusBarItem;
  readonly client: Client;
  readonly sessions: Sessions;
}

let active: Client | undefined;

/** The server is given time to end. */
export async function deactivate(): Promise<void> {
  await active?.stop();
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const log = vscode.window.createOutputChannel("stepfare", { log: true });
  const client = new Client(log);
  active = client;
  const status = showSpend(client, MENU);
  const sessions = new Sessions(client);
  const register = vscode.commands.registerCommand;
  context.subscriptions.push(
    log,
    client,
    status,
    sessions,
    sendContext(client),
    serveCodeFiles(client),
    offerModels(client),
    ...registerPalette(client),
    register(MENU, () => showMenu(client)),
    register("stepfare.ui.restart", () => start(client, log)),
    register("stepfare.ui.showLog", () => log.show()),
    register("stepfare.ui.refresh", () => sessions.refresh()),
    register("stepfare.ui.connectCline", () => connect(CLINE, client, log)),
    register("stepfare.ui.connectContinue", () => connect(CONTINUE, client, log)),
    register("stepfare.ui.disconnectCline", () => disconnect(CLINE, client, log)),
    register("stepfare.ui.disconnectContinue", () => disconnect(CONTINUE, client, log)),
    register("stepfare.ui.row.show", ({ row }: Node) => vscode.commands.executeCommand("stepfare.ui.showSession", { session: row.id })),
    register("stepfare.ui.row.pin", ({ row }: Node) => vscode.commands.executeCommand("stepfare.ui.pinSession", { session: row.id })),
    register("stepfare.ui.row.unpin", ({ row }: Node) => vscode.commands.executeCommand("stepfare.ui.unpinSession", { session: row.id })),
    vscode.workspace.onDidGrantWorkspaceTrust(() => client.configure()),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("stepfare.server")) await start(client, log);
      else if (change.affectsConfiguration("stepfare")) await client.configure();
    }),
  );
  // The editor does not wait for an answer to the offer to install.
  void start(client, log);
  return { status, client, sessions };
}

async function start(client: Client, log: vscode.LogOutputChannel): Promise<void> {
  const found = findServer();
  const program = "path" in found ? found.path : await offerToInstall(found.missing);
  if (!program) return;
  try {
    await client.start(program);
  } catch (error) {
    log.error(`${program} could not be started: ${String(error)}`);
    const answer = await vscode.window.showErrorMessage(`stepfare's language server could not be started from ${program}.`, SHOW_LOG);
    if (answer === SHOW_LOG) log.show();
  }
}
