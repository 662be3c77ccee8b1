// The palette: each `stepfare.ui.*` asks what its server command is best asked for in a picker, and runs it. The server shows what came of it.

import * as vscode from "vscode";
import type { Client } from "./client";
import { COMMANDS, type Ask } from "./protocol.gen";

/** A command of the server or of ours, with the arguments that it was offered with; what it needs besides is asked for. */
export async function run(client: Client, command: string, ...given: readonly unknown[]): Promise<unknown> {
  const known = COMMANDS.find((one) => one.id === command);
  if (!known) return vscode.commands.executeCommand(command, ...given);
  if (!client.live) return vscode.commands.executeCommand("stepfare.ui.restart");
  const named = { ...(given[0] as Record<string, unknown> | undefined) };
  for (const ask of known.asks) {
    if (named[ask.name] !== undefined) continue;
    const answer = await answered(ask);
    if (!answer) return undefined;
    named[ask.name] = answer;
  }
  try {
    return await client.ask("workspace/executeCommand", { command, arguments: [named] });
  } catch (error) {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

export function registerPalette(client: Client): vscode.Disposable[] {
  return COMMANDS.map(({ id, ui }) => vscode.commands.registerCommand(ui, (...given: unknown[]) => run(client, id, ...given)));
}

function answered({ prompt, options }: Ask): Thenable<string | undefined> {
  return options.length ? vscode.window.showQuickPick(options, { title: prompt }) : vscode.window.showInputBox({ title: prompt });
}
