// “Connect Cline / Continue”: runs `stepfare connect`, which writes the agent's own settings, after asking; shows what it said.

import { execFile } from "node:child_process";
import { homedir } from "node:os";
import * as vscode from "vscode";
import type { Client } from "./client";
import { findCommand } from "./server";

const RUN_MS_MAX = 60_000;
const SHOW_ALL = "Show all of it";

export interface Agent {
  readonly id: string;
  readonly name: string;
}

export const CLINE: Agent = { id: "cline", name: "Cline" };
export const CONTINUE: Agent = { id: "continue", name: "Continue" };

export async function connect(agent: Agent, client: Client, log: vscode.LogOutputChannel): Promise<boolean> {
  const words = `Point ${agent.name} at stepfare? Its own settings file is changed, a copy is kept, and “stepfare disconnect ${agent.id}” brings it back.`;
  return asked(words, "Connect", ["connect", agent.id], client, log);
}

export async function disconnect(agent: Agent, client: Client, log: vscode.LogOutputChannel): Promise<boolean> {
  const words = `Give ${agent.name} back the settings that it had before stepfare?`;
  return asked(words, "Disconnect", ["disconnect", agent.id], client, log);
}

async function asked(words: string, yes: string, command: string[], client: Client, log: vscode.LogOutputChannel): Promise<boolean> {
  if ((await vscode.window.showInformationMessage(words, { modal: true }, yes)) !== yes) return false;
  const program = findCommand(client.server);
  if (!program) {
    void vscode.window.showErrorMessage(`The command “stepfare” was not found, so nothing was changed. In a terminal: stepfare ${command.join(" ")}`);
    return false;
  }
  const { ok, said } = await output(program, command);
  log.info(`stepfare ${command.join(" ")}\n${said}`);
  const show = ok ? vscode.window.showInformationMessage : vscode.window.showErrorMessage;
  const lines = said.split("\n");
  void show(lines[0] ?? "", ...(lines.length > 1 ? [SHOW_ALL] : [])).then((answer) => answer && log.show(true));
  return ok;
}

/** Run in the user's home: what a project holds must not change what is done. */
function output(program: string, words: string[]): Promise<{ ok: boolean; said: string }> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd: homedir(), timeout: RUN_MS_MAX }, (error, stdout, stderr) => {
      resolve({ ok: error === null, said: `${stdout}${stderr}`.trim() || (error ? error.message : "Done.") });
    });
  });
}
