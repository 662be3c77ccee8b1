// Code files: what the server offers there without being handed their text. Source actions on demand; a lens only where it was switched on.

import * as vscode from "vscode";
import { CodeActionRequest, CodeLensRequest } from "vscode-languageclient/node";
import type { Client } from "./client";

const KIND = vscode.CodeActionKind.Source.append("stepfare");
const CODE: vscode.DocumentSelector = { scheme: "file" };
const OURS = /\.stepfare\.toml$/;

export function serveCodeFiles(client: Client): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.languages.registerCodeActionsProvider(CODE, new Actions(client), { providedCodeActionKinds: [KIND] }),
    vscode.languages.registerCodeLensProvider(CODE, new Lenses(client)),
  );
}

class Actions implements vscode.CodeActionProvider {
  constructor(private readonly client: Client) {}

  async provideCodeActions(
    document: vscode.TextDocument,
    range: vscode.Range,
    _context: vscode.CodeActionContext,
    token: vscode.CancellationToken,
  ): Promise<(vscode.CodeAction | vscode.Command)[]> {
    const live = this.client.live;
    if (!live || OURS.test(document.fileName)) return [];
    const { code2ProtocolConverter: to, protocol2CodeConverter: from } = live;
    const found = await live.sendRequest(
      CodeActionRequest.type,
      { textDocument: to.asTextDocumentIdentifier(document), range: to.asRange(range), context: { diagnostics: [], only: [KIND.value] } },
      token,
    );
    return (await from.asCodeActionResult(found ?? [], token)) ?? [];
  }
}

class Lenses implements vscode.CodeLensProvider {
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(private readonly client: Client) {
    const changes = new vscode.EventEmitter<void>();
    this.onDidChangeCodeLenses = changes.event;
    client.onSpend(() => changes.fire());
  }

  async provideCodeLenses(document: vscode.TextDocument, token: vscode.CancellationToken): Promise<vscode.CodeLens[]> {
    const live = this.client.live;
    const wanted = vscode.workspace.getConfiguration("stepfare").get("lens.files", false);
    if (!live || !wanted || OURS.test(document.fileName)) return [];
    const { code2ProtocolConverter: to, protocol2CodeConverter: from } = live;
    const found = await live.sendRequest(CodeLensRequest.type, { textDocument: to.asTextDocumentIdentifier(document) }, token);
    return (await from.asCodeLenses(found, token)) ?? [];
  }
}
