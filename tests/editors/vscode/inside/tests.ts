// Runs inside a real extension host, with the whole API of Visual Studio Code, in a project where an agent has worked before. What came of
// each test is written beside this module.

import * as assert from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { partsOf, requestOf } from "../src/chat";
import type { Api } from "../src/extension";
import { findProgram, type Machine } from "../src/find";
import { COMMANDS, ENDPOINT, MENU, type Endpoint, type Menu, type Spend } from "../src/protocol.gen";

const EXTENSION = "stepfare.stepfare";
const WAIT_MS = 30_000;

async function until<T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found as NonNullable<T>;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`in vain: ${what}`);
}

const at = (name: string): vscode.Uri => vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, name);
const execute = <T>(command: string, ...given: unknown[]): Thenable<T> => vscode.commands.executeCommand<T>(command, ...given);

/** The project's file in an editor, once the server has looked through it. */
async function dotfile(): Promise<{ uri: vscode.Uri; document: vscode.TextDocument; problems: vscode.Diagnostic[] }> {
  const uri = at(".stepfare.toml");
  const document = await vscode.workspace.openTextDocument(uri);
  await vscode.window.showTextDocument(document);
  const problems = await until("problems of the project's file", () => {
    const found = vscode.languages.getDiagnostics(uri);
    return found.length ? found : undefined;
  });
  return { uri, document, problems };
}

/** The place just behind a piece of the text. */
function behind(document: vscode.TextDocument, piece: string): vscode.Position {
  const offset = document.getText().indexOf(piece);
  assert.ok(offset >= 0, `${piece} is not in the text`);
  return document.positionAt(offset + piece.length);
}

const known = (api: Api): Promise<Spend> => until("the line of a session", () => (api.client.spend?.session ? api.client.spend : undefined));

const TESTS: Record<string, (api: Api) => Promise<void>> = {
  async "the status bar says what the server says"(api) {
    const spend = await known(api);
    assert.equal(api.status.text, spend.text);
    assert.match(spend.text, /^(<?\$\d|free)/);
    assert.equal((api.status.tooltip as vscode.MarkdownString).value, spend.tooltip);
    assert.ok(spend.tooltip.includes(spend.title), spend.tooltip);
    assert.equal(api.status.backgroundColor, undefined);
  },

  async "the project's file has a language and its problems"() {
    const { document, problems } = await dotfile();
    assert.equal(document.languageId, "stepfare");
    const said = problems.map((problem) => `${problem.range.start.line} ${vscode.DiagnosticSeverity[problem.severity]} ${problem.message}`);
    assert.ok(said.some((words) => words.startsWith("0 ") && words.includes("profile")), said.join("\n"));
    assert.ok(problems.every((problem) => problem.source === "stepfare"));
  },

  async "lenses and hints stand in the project's file"() {
    const { uri, document } = await dotfile();
    const lenses = await until("lenses", async () => {
      const found = await execute<vscode.CodeLens[]>("vscode.executeCodeLensProvider", uri, 20);
      return found.length ? found : undefined;
    });
    assert.ok(lenses.some((lens) => /\$/.test(lens.command?.title ?? "")), lenses.map((lens) => lens.command?.title).join("\n"));
    const whole = new vscode.Range(0, 0, document.lineCount, 0);
    const hints = await until("hints", async () => {
      const found = await execute<vscode.InlayHint[]>("vscode.executeInlayHintProvider", uri, whole);
      return found.length ? found : undefined;
    });
    assert.ok(hints.length > 0);
  },

  async "completion, hover and symbols know the project's file"() {
    const { uri, document } = await dotfile();
    const completed = await execute<vscode.CompletionList>("vscode.executeCompletionItemProvider", uri, behind(document, 'edit = "'));
    const labels = completed.items.map((item) => (typeof item.label === "string" ? item.label : item.label.label));
    for (const tier of ["frugal", "balanced", "premium"]) assert.ok(labels.some((label) => label.includes(tier)), labels.join());
    const hovers = await execute<vscode.Hover[]>("vscode.executeHoverProvider", uri, behind(document, "\nedit").translate(0, -2));
    assert.ok(hovers.length === 1, `${hovers.length} hovers`);
    const symbols = await execute<vscode.DocumentSymbol[]>("vscode.executeDocumentSymbolProvider", uri);
    assert.ok(symbols.some((symbol) => symbol.name.includes("steps")), symbols.map((symbol) => symbol.name).join());
  },

  async "a mistake can be mended, and actions are a palette"() {
    const { uri, problems } = await dotfile();
    const mends = await execute<vscode.CodeAction[]>("vscode.executeCodeActionProvider", uri, problems[0]!.range);
    assert.ok(mends.some((action) => action.title.includes("profile") && action.edit), mends.map((action) => action.title).join("\n"));
    for (const name of [".stepfare.toml", "shop/prices.py"]) {
      await vscode.workspace.openTextDocument(at(name));
      const source = vscode.CodeActionKind.Source.append("stepfare").value;
      const offered = await execute<vscode.CodeAction[]>("vscode.executeCodeActionProvider", at(name), new vscode.Range(0, 0, 0, 0), source);
      const titles = offered.map((action) => action.title);
      assert.ok(titles.some((title) => title.includes("explain")), `${name}: ${titles.join("\n")}`);
    }
  },

  async "code files show what agents spent on them once that is switched on"() {
    const uri = at("shop/prices.py");
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
    const lenses = (): Thenable<vscode.CodeLens[]> => execute<vscode.CodeLens[]>("vscode.executeCodeLensProvider", uri, 20);
    assert.deepEqual(await lenses(), []);
    const settings = vscode.workspace.getConfiguration("stepfare");
    await settings.update("lens.files", true, vscode.ConfigurationTarget.Global);
    await until("a lens above a code file", async () => (await lenses()).length);
    await settings.update("lens.files", undefined, vscode.ConfigurationTarget.Global);
  },

  async "every command is there once, and returns what it shows"(api) {
    const spend = await known(api);
    const commands = new Set(await vscode.commands.getCommands(true));
    const contributed = vscode.extensions.getExtension(EXTENSION)!.packageJSON.contributes.commands as { command: string }[];
    for (const { command } of contributed) assert.ok(commands.has(command), `${command} is not registered`);
    for (const { id, ui } of COMMANDS) assert.ok(commands.has(id) && commands.has(ui), `${id} or ${ui} is missing`);
    const today = await execute<{ spent_pusd: number }>("stepfare.ui.todaySpend");
    assert.equal(today.spent_pusd, spend.today_pusd);
    const session = await execute<{ id: string; totals: { spent_pusd: number } }>("stepfare.sessionSpend");
    assert.deepEqual([session.id, session.totals.spent_pusd], [spend.session, spend.spent_pusd]);
    const decision = await execute<{ because: string[] }>("stepfare.ui.explainLast");
    assert.ok(decision.because.length > 0);
  },

  async "a session can be pinned from here, and freed"(api) {
    const { session } = await known(api);
    const pinned = await execute<{ pin: string | null }>("stepfare.ui.pinSession", { session, tier: "premium" });
    assert.equal(pinned.pin, "premium");
    const freed = await execute<{ pin: string | null }>("stepfare.ui.unpinSession", { session });
    assert.equal(freed.pin, null);
  },

  async "the menu offers commands that can be run"(api) {
    await known(api);
    const { items } = await api.client.ask<Menu>(MENU, {});
    assert.ok(items.length > 3);
    for (const item of items) assert.ok(COMMANDS.some((command) => command.id === item.command), item.command);
  },

  async "the tree shows sessions, their steps and why"(api) {
    const spend = await known(api);
    const sessions = await api.sessions.getChildren();
    assert.ok(sessions.some((node) => node.row.id === spend.session));
    const first = sessions.find((node) => node.row.id === spend.session)!;
    assert.equal(api.sessions.getTreeItem(first).label, spend.title);
    const steps = await api.sessions.getChildren(first);
    assert.ok(steps.length > 0);
    const item = api.sessions.getTreeItem(steps[0]!);
    assert.ok((item.tooltip as vscode.MarkdownString).value.length > 10);
    assert.ok(item.iconPath instanceof vscode.ThemeIcon);
  },

  async "sessions and decisions are pages to read"(api) {
    const { session } = await known(api);
    const page = await vscode.workspace.openTextDocument(vscode.Uri.parse(`stepfare:/session/${session}.md`));
    assert.ok(page.getText().includes("$"), page.getText());
    const { uri } = await execute<{ uri: string }>("stepfare.ui.showDecision");
    const shown = await until("the page of a decision", () =>
      vscode.workspace.textDocuments.find((document) => document.uri.toString() === vscode.Uri.parse(uri).toString()),
    );
    assert.ok(shown.getText().length > 50);
  },

  async "the profiles are chat models, which answer, call tools and count"(api) {
    if (typeof vscode.lm.registerLanguageModelChatProvider !== "function") return;
    await known(api);
    const models = await until("chat models", async () => {
      const found = await vscode.lm.selectChatModels({ vendor: "stepfare" });
      return found.length ? found : undefined;
    });
    const ids = models.map((model) => model.id);
    for (const id of ["auto", "frugal", "balanced", "premium"]) assert.ok(ids.includes(id), ids.join());
    const auto = models.find((model) => model.id === "auto")!;
    assert.ok((await auto.countTokens("How many tokens are these?")) > 3);
    const token = new vscode.CancellationTokenSource().token;
    const question = [vscode.LanguageModelChatMessage.User("What is the capital of France?")];
    let text = "";
    for await (const piece of (await auto.sendRequest(question, {}, token)).text) text += piece;
    assert.ok(text.includes("capital of France"), text);
    const tools = [
      {
        name: "bash",
        description: "Run a command in the project's folder.",
        inputSchema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
      },
    ];
    const asked = [vscode.LanguageModelChatMessage.User("Read the file shop/prices.py and explain it to me.")];
    const answer = await auto.sendRequest(asked, { tools } as vscode.LanguageModelChatRequestOptions, token);
    const parts: unknown[] = [];
    for await (const part of (answer as unknown as { stream: AsyncIterable<unknown> }).stream) parts.push(part);
    const call = parts.find((part) => part instanceof vscode.LanguageModelToolCallPart);
    assert.ok(call && call.name === "bash", JSON.stringify(parts));
    // What the tool found goes back in the editor's own parts, and the model goes on from there.
    const found = new vscode.LanguageModelToolResultPart(call.callId, [new vscode.LanguageModelTextPart("./shop/prices.py\n")]);
    const going = [
      ...asked,
      vscode.LanguageModelChatMessage.Assistant([call] as never),
      vscode.LanguageModelChatMessage.User([found] as never),
    ];
    let last = "";
    for await (const piece of (await auto.sendRequest(going, { tools } as vscode.LanguageModelChatRequestOptions, token)).text) last += piece;
    assert.ok(last.length > 0);
  },

  async "no program is taken from a project or from wherever one happens to be"() {
    const runs = (file: string): boolean => ["/srv/tools/x", "/srv/project/bin/x", "/home/ann/.local/bin/x", "bin/x", "x"].includes(file);
    const here: Machine = { platform: "linux", env: {}, home: "/home/ann", projects: ["/srv/project"], runs };
    const found = (path: string): string | undefined => findProgram("x", { ...here, env: { PATH: path } });
    assert.equal(found("/srv/tools:/usr/bin"), "/srv/tools/x");
    assert.equal(found("bin:.::/srv/project/bin"), "/home/ann/.local/bin/x");
    assert.equal(findProgram("x", { ...here, home: "/nobody", env: { PATH: ".:/srv/project/bin" } }), undefined);
    assert.equal(findProgram("x", here, ["/srv/tools"]), "/srv/tools/x");
  },

  async "a conversation is said in the words of the wire"() {
    const call = { callId: "c1", name: "read", input: { path: "a" } };
    const image = { mimeType: "image/png", data: new Uint8Array([1, 2, 3]) };
    const messages = [
      { role: 1, content: [{ value: "Look " }, { value: "here" }] },
      { role: 2, content: [{ value: "I read." }, call] },
      { role: 1, content: [{ callId: "c1", content: [{ value: "text" }] }, { value: "And this?" }, image] },
    ];
    const body = requestOf("auto", messages, [{ name: "read", description: "Reads." }], true) as Record<string, unknown>;
    assert.deepEqual(body["messages"], [
      { role: "user", content: "Look here" },
      { role: "assistant", content: "I read.", tool_calls: [{ id: "c1", type: "function", function: { name: "read", arguments: '{"path":"a"}' } }] },
      { role: "tool", tool_call_id: "c1", content: "text" },
      { role: "user", content: [{ type: "text", text: "And this?" }, { type: "image_url", image_url: { url: "data:image/png;base64,AQID" } }] },
    ]);
    assert.equal(body["tool_choice"], "required");
    assert.deepEqual(Object.keys(requestOf("auto", [], [], false)), ["model", "stream", "messages"]);
  },

  async "an answer is read from bytes that are cut anywhere"() {
    const piece = (delta: object): string => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`;
    const text =
      ": stepfare\n\n" +
      piece({ content: "Grüße" }) +
      piece({ tool_calls: [{ index: 0, id: "c1", function: { name: "read", arguments: '{"pa' } }] }) +
      piece({ tool_calls: [{ index: 0, function: { arguments: 'th":"a"}' } }] }) +
      "data: [DONE]\n\n";
    async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    for (const size of [1, 3, 7, 10_000]) {
      const parts = [];
      for await (const part of partsOf(cut(new TextEncoder().encode(text), size))) parts.push(part);
      assert.deepEqual(parts, [{ text: "Grüße" }, { call: { id: "c1", name: "read", input: { path: "a" } } }]);
    }
    const broken = cut(new TextEncoder().encode('data: {"error":{"message":"The provider left."}}\n\n'), 5);
    await assert.rejects(async () => partsOf(broken).next(), /The provider left/);
  },

  async "no project can name a program, and what it sets stays unseen"() {
    const settings = vscode.workspace.getConfiguration("stepfare");
    for (const name of ["server.path", "sendContext", "chatModels"]) {
      await assert.rejects(async () => settings.update(name, "/bin/false", vscode.ConfigurationTarget.Workspace), `${name} in a project`);
    }
  },

  async "the endpoint is this machine's"(api) {
    const { base_url, token } = await api.client.ask<Endpoint>(ENDPOINT, {});
    assert.match(base_url, /^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    assert.ok(token.length > 10);
  },

  async "a restart brings everything back"(api) {
    await known(api);
    await execute("stepfare.ui.restart");
    const spend = await known(api);
    assert.equal(api.status.text, spend.text);
    assert.ok((await api.sessions.getChildren()).length > 0);
  },
};

export async function run(): Promise<void> {
  const extension = vscode.extensions.getExtension<Api>(EXTENSION);
  assert.ok(extension, `${EXTENSION} is not there`);
  const api = await extension.activate();
  const told: Record<string, string> = {};
  for (const [name, test] of Object.entries(TESTS)) {
    try {
      await test(api);
      told[name] = "ok";
    } catch (error) {
      told[name] = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    writeFileSync(join(__dirname, "told.json"), JSON.stringify(told));
  }
}
