// The connection to the language server: started with a program, restarted, stopped; what it says is passed on as events.

import { homedir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import {
  DidChangeConfigurationNotification,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type DocumentSelector,
  type ShowDocumentRequest,
} from "vscode-languageclient/node";
import { SPEND, type Options, type Spend } from "./protocol.gen";

/** The scheme of pages that the server writes: sessions and decisions. */
const PAGES = "stepfare";

export class Client implements vscode.Disposable {
  private running: LanguageClient | undefined;
  private program: string | undefined;
  private told: Spend | undefined;
  private readonly spends = new vscode.EventEmitter<Spend | undefined>();
  private readonly states = new vscode.EventEmitter<boolean>();
  /** The server's line changed; undefined where the server is gone. */
  readonly onSpend = this.spends.event;
  /** The server can be asked from now on, or cannot any more. */
  readonly onReady = this.states.event;

  constructor(private readonly log: vscode.LogOutputChannel) {}

  get spend(): Spend | undefined {
    return this.told;
  }

  /** Where the server's program lies, if it was started. */
  get server(): string | undefined {
    return this.program;
  }

  /** The library's client while the server can be asked. */
  get live(): LanguageClient | undefined {
    return this.running?.state === State.Running ? this.running : undefined;
  }

  async start(program: string): Promise<void> {
    await this.stop();
    this.program = program;
    // Neither the folder that the server works in nor anything that it is given comes from a project.
    const server = { command: program, args: [], options: { cwd: homedir() } };
    const client = new LanguageClient("stepfare", "stepfare", server, {
      documentSelector: ourFiles(),
      initializationOptions: options(),
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: { window: { showDocument } },
    });
    this.running = client;
    client.onNotification(SPEND, (spend: Spend) => this.tell(spend));
    client.onDidChangeState(({ newState }) => {
      this.states.fire(newState === State.Running);
      if (newState !== State.Running) this.tell(undefined);
    });
    await client.start();
  }

  async stop(): Promise<void> {
    const client = this.running;
    this.running = undefined;
    this.tell(undefined);
    // A server that does not end is left to the library, which ends its process.
    await client?.dispose().catch((error: unknown) => this.log.warn(`The server did not stop in time: ${String(error)}`));
  }

  /** The server's answer. Raises in words where there is none. */
  async ask<T>(method: string, params: object): Promise<T> {
    if (!this.live) throw new Error("stepfare's language server is not running. Start it with the command “stepfare: Restart the language server”.");
    return this.live.sendRequest<T>(method, params);
  }

  async notify(method: string, params: object): Promise<void> {
    await this.live?.sendNotification(method, params);
  }

  /** Tell the server what the user's settings say now. */
  async configure(): Promise<void> {
    await this.live?.sendNotification(DidChangeConfigurationNotification.type, { settings: { stepfare: options() } });
  }

  dispose(): void {
    void this.stop();
    this.spends.dispose();
    this.states.dispose();
  }

  private tell(spend: Spend | undefined): void {
    this.told = spend;
    this.spends.fire(spend);
  }
}

/** The server's own pages are shown as they are meant to be read, all else as ever. */
const showDocument: ShowDocumentRequest.MiddlewareSignature = async (params, token, next) => {
  const uri = vscode.Uri.parse(params.uri);
  if (uri.scheme !== PAGES) return next(params, token);
  try {
    await vscode.commands.executeCommand("markdown.showPreview", uri);
    return { success: true };
  } catch {
    // Somebody has switched the preview off: the text will do.
    return next(params, token);
  }
};

/** Files that the server is handed with their text: the projects' and the user's own settings, no code. */
function ourFiles(): DocumentSelector {
  const home = process.env["STEPFARE_HOME"];
  const settings = ["**/stepfare/config.toml", ...(home ? [join(home, "config.toml")] : [])];
  return [".stepfare.toml", ...settings].map((name) => ({ scheme: "file", pattern: name.startsWith(".") ? `**/${name}` : name }));
}

function options(): Options {
  const settings = vscode.workspace.getConfiguration("stepfare");
  return {
    trusted: vscode.workspace.isTrusted,
    lens: { dotfile: settings.get("lens.dotfile", true), files: settings.get("lens.files", false) },
    hints: settings.get("hints", true),
    offer_to_start: settings.get("offerToStart", true),
  };
}
