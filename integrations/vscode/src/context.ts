// What the editor knows of a workspace that the daemon may make use of: which files are open and how many problems each has. No text of
// any file leaves the editor; in a folder that is not trusted nothing is sent at all.

import * as vscode from "vscode";
import type { Client } from "./client";
import { CONTEXT, type ContextDocument, type EditorContext } from "./protocol.gen";

const QUIET_MS = 300;
const DOCUMENTS_MAX = 200;

export function sendContext(client: Client): vscode.Disposable {
  const told = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;

  const send = (): void => {
    const wanted = vscode.workspace.getConfiguration("stepfare").get("sendContext", true);
    if (!client.live || !vscode.workspace.isTrusted || !wanted) return;
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      const context = contextOf(folder);
      const said = JSON.stringify(context);
      if (told.get(context.root) === said) continue;
      told.set(context.root, said);
      void client.notify(CONTEXT, context);
    }
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(send, QUIET_MS);
  };
  const anew = (): void => {
    told.clear();
    soon();
  };

  return vscode.Disposable.from(
    vscode.window.tabGroups.onDidChangeTabs(soon),
    vscode.window.onDidChangeActiveTextEditor(soon),
    vscode.languages.onDidChangeDiagnostics(soon),
    vscode.workspace.onDidChangeWorkspaceFolders(soon),
    vscode.workspace.onDidGrantWorkspaceTrust(anew),
    vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration("stepfare") && anew()),
    client.onReady(anew),
    new vscode.Disposable(() => clearTimeout(timer)),
  );
}

function contextOf(folder: vscode.WorkspaceFolder): EditorContext {
  const inside = (uri: vscode.Uri): boolean =>
    uri.scheme === "file" && vscode.workspace.getWorkspaceFolder(uri)?.uri.toString() === folder.uri.toString();
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs).map((tab) => tab.input);
  const open = tabs.flatMap((input) => (input instanceof vscode.TabInputText && inside(input.uri) ? [input.uri] : []));
  const active = vscode.window.activeTextEditor?.document.uri;
  const documents = new Map(open.slice(0, DOCUMENTS_MAX).map((uri) => [uri.toString(), counted(uri)]));
  return {
    root: folder.uri.toString(),
    active: active && inside(active) ? active.toString() : null,
    documents: [...documents.values()],
    trusted: vscode.workspace.isTrusted,
  };
}

function counted(uri: vscode.Uri): ContextDocument {
  const problems = vscode.languages.getDiagnostics(uri);
  const count = (severity: vscode.DiagnosticSeverity): number => problems.filter((one) => one.severity === severity).length;
  return { uri: uri.toString(), errors: count(vscode.DiagnosticSeverity.Error), warnings: count(vscode.DiagnosticSeverity.Warning) };
}
