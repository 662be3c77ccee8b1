// The language server on this machine: found, or, after asking, installed.

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import * as vscode from "vscode";
import { findProgram, type Machine } from "./find";

const SERVER = "stepfare-lsp";
const LOOK_EVERY_MS = 2_000;
const LOOK_FOR_MS = 600_000;

const INSTALLERS = [
  { program: "uv", label: "Install with uv", words: ["tool", "install", "stepfare"] },
  { program: "pipx", label: "Install with pipx", words: ["install", "stepfare"] },
];
const CHOOSE = "Choose the program";

export type Found = { readonly path: string } | { readonly missing: string };

/** The server's program. A path that the user set is taken or complained of, never replaced by another one. */
export function findServer(): Found {
  const set = vscode.workspace.getConfiguration("stepfare").get<string>("server.path")?.trim();
  if (set) {
    return runs(set) ? { path: set } : { missing: `stepfare.server.path names ${set}, which is no program that can be run.` };
  }
  const found = findProgram(SERVER, machine());
  return found ? { path: found } : { missing: "stepfare is not installed here, or not where it is looked for." };
}

/** The `stepfare` command that belongs to a server: beside it, else on the machine. */
export function findCommand(server: string | undefined): string | undefined {
  return findProgram("stepfare", machine(), server ? [dirname(server)] : []);
}

/** Say that the server is missing and offer what helps. Resolves once it is there, or with undefined if the user leaves it. */
export async function offerToInstall(missing: string): Promise<string | undefined> {
  const here = INSTALLERS.flatMap((one) => {
    const path = findProgram(one.program, machine());
    return path ? [{ ...one, path }] : [];
  });
  const help = here.length ? "" : " Install uv or pipx to have it installed from here.";
  const answer = await vscode.window.showWarningMessage(`${missing}${help}`, ...here.map((one) => one.label), CHOOSE);
  if (answer === CHOOSE) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "stepfare.server.path");
    return undefined;
  }
  const installer = here.find((one) => one.label === answer);
  if (!installer) return undefined;
  const terminal = vscode.window.createTerminal({ name: "stepfare", cwd: homedir(), message: "Installing stepfare for you." });
  terminal.show();
  terminal.sendText([quoted(installer.path), ...installer.words].join(" "));
  return untilInstalled();
}

async function untilInstalled(): Promise<string | undefined> {
  for (let waited = 0; waited < LOOK_FOR_MS; waited += LOOK_EVERY_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const found = findServer();
    if ("path" in found) return found.path;
  }
  return undefined;
}

function machine(): Machine {
  const projects = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  return { platform: process.platform, env: process.env, home: homedir(), runs, projects };
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function quoted(path: string): string {
  return /^[\w./:\\-]+$/.test(path) ? path : `"${path}"`;
}
