// stepfare's profiles as chat models, where the host lets extensions offer models. Asks the inference port, with the address and token
// that the language server gives; nothing is counted or priced here.

import * as vscode from "vscode";
import { partsOf, requestOf, textOf } from "./chat";
import type { Client } from "./client";
import { ENDPOINT, type Endpoint } from "./protocol.gen";

const VENDOR = "stepfare";

export function offerModels(client: Client): vscode.Disposable {
  const offered = vscode.workspace.getConfiguration("stepfare").get("chatModels", true);
  if (!offered || typeof vscode.lm?.registerLanguageModelChatProvider !== "function") return new vscode.Disposable(() => {});
  const models = new Models(client);
  return vscode.Disposable.from(models, vscode.lm.registerLanguageModelChatProvider(VENDOR, models));
}

class Models implements vscode.LanguageModelChatProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly listening: vscode.Disposable;
  private mode: string | undefined;
  readonly onDidChangeLanguageModelChatInformation = this.changes.event;

  constructor(private readonly client: Client) {
    // A daemon that came, went, or got its first key may serve other models.
    this.listening = client.onSpend((spend) => {
      if (spend?.mode === this.mode) return;
      this.mode = spend?.mode;
      this.changes.fire();
    });
  }

  async provideLanguageModelChatInformation(
    options: { readonly silent: boolean },
    token: vscode.CancellationToken,
  ): Promise<vscode.LanguageModelChatInformation[]> {
    try {
      const answer = await this.fetch("models", token);
      const { data } = (await answer.json()) as { data: Model[] };
      return data.filter((model) => model.owned_by === VENDOR).map(described);
    } catch (error) {
      if (options.silent) return [];
      throw error;
    }
  }

  async provideLanguageModelChatResponse(
    model: vscode.LanguageModelChatInformation,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelTextPart | vscode.LanguageModelToolCallPart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const mustCall = options.toolMode === vscode.LanguageModelChatToolMode.Required;
    const answer = await this.fetch("chat/completions", token, requestOf(model.id, messages, options.tools ?? [], mustCall));
    if (!answer.body) throw new Error("The answer is empty.");
    for await (const part of partsOf(answer.body)) {
      if ("text" in part) progress.report(new vscode.LanguageModelTextPart(part.text));
      else progress.report(new vscode.LanguageModelToolCallPart(part.call.id, part.call.name, part.call.input));
    }
  }

  async provideTokenCount(
    model: vscode.LanguageModelChatInformation,
    text: string | vscode.LanguageModelChatRequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const content = typeof text === "string" ? text : textOf(text.content);
    if (!content) return 0;
    const answer = await this.fetch("messages/count_tokens", token, { model: model.id, messages: [{ role: "user", content }] });
    return ((await answer.json()) as { input_tokens: number }).input_tokens;
  }

  dispose(): void {
    this.listening.dispose();
    this.changes.dispose();
  }

  /** Ask the inference port; with a body it is a POST. Raises in the daemon's words. */
  private async fetch(path: string, token: vscode.CancellationToken, body?: object): Promise<Response> {
    const { base_url, token: key } = await this.client.ask<Endpoint>(ENDPOINT, {});
    const leaving = new AbortController();
    token.onCancellationRequested(() => leaving.abort());
    const folder = vscode.workspace.workspaceFolders?.[0];
    const answer = await fetch(`${base_url}/${path}`, {
      method: body ? "POST" : "GET",
      headers: {
        authorization: `Bearer ${key}`,
        ...(body && { "content-type": "application/json" }),
        ...(folder?.uri.scheme === "file" && { "x-stepfare-workspace": folder.uri.fsPath }),
      },
      signal: leaving.signal,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await refusal(answer));
    return answer;
  }
}

interface Model {
  id: string;
  owned_by: string;
  context_length: number;
  max_output_tokens: number;
}

function described(model: Model): vscode.LanguageModelChatInformation {
  return {
    id: model.id,
    name: `stepfare ${model.id}`,
    family: VENDOR,
    version: "1",
    maxInputTokens: model.context_length,
    maxOutputTokens: model.max_output_tokens,
    capabilities: { toolCalling: true, imageInput: true },
  };
}

async function refusal(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return `The daemon answered ${answer.status}: ${text.slice(0, 200)}`;
  }
}
