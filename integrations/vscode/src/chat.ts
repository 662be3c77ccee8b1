// Chat in the words of the inference port: messages of the editor become a request of chat completions, its stream becomes parts.
// Knows nothing of the editor: parts are told apart by their fields.

import { createParser } from "eventsource-parser";

export interface Message {
  readonly role: number;
  readonly content: readonly unknown[];
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema?: object | undefined;
}

export type Part = { readonly text: string } | { readonly call: { readonly id: string; readonly name: string; readonly input: object } };

const ROLES: Record<number, string> = { 1: "user", 2: "assistant", 3: "system" };

export function requestOf(model: string, messages: readonly Message[], tools: readonly Tool[], mustCall: boolean): object {
  return {
    model,
    stream: true,
    messages: messages.flatMap(said),
    ...(tools.length && {
      tools: tools.map((tool) => ({
        type: "function",
        function: { name: tool.name, description: tool.description, parameters: tool.inputSchema ?? { type: "object", properties: {} } },
      })),
      tool_choice: mustCall ? "required" : "auto",
    }),
  };
}

type Content = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

interface Pieces {
  value?: unknown;
  callId?: unknown;
  name?: unknown;
  input?: unknown;
  content?: unknown;
  mimeType?: unknown;
  data?: unknown;
}

/** One message of the editor may hold several of the wire: results of tools stand alone there. */
function said(message: Message): object[] {
  const parts = message.content.filter((part): part is Pieces => typeof part === "object" && part !== null);
  const results = parts.filter((part) => part.callId !== undefined && part.content !== undefined);
  const calls = parts.filter((part) => part.callId !== undefined && part.name !== undefined);
  const content = parts.flatMap((part): Content[] => {
    if (typeof part.value === "string") return [{ type: "text", text: part.value }];
    const url = imageUrl(part);
    return url ? [{ type: "image_url", image_url: { url } }] : [];
  });
  const role = ROLES[message.role] ?? "user";
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const plain = texts.length === content.length ? texts.join("") : content;
  const toolCalls = calls.map((call) => ({
    id: call.callId,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.input ?? {}) },
  }));
  return [
    ...results.map((result) => ({ role: "tool", tool_call_id: result.callId, content: textOf(result.content) })),
    ...(content.length || toolCalls.length ? [{ role, content: plain, ...(toolCalls.length && { tool_calls: toolCalls }) }] : []),
  ];
}

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const pieces = Array.isArray(content) ? (content as Pieces[]) : [];
  return pieces.map((piece) => (typeof piece?.value === "string" ? piece.value : isText(piece) ? decoded(piece) : "")).join("");
}

function isText(piece: Pieces): boolean {
  return typeof piece?.mimeType === "string" && /^text\/|json/.test(piece.mimeType) && piece.data instanceof Uint8Array;
}

function decoded(piece: Pieces): string {
  return new TextDecoder().decode(piece.data as Uint8Array);
}

function imageUrl({ mimeType, data }: Pieces): string | undefined {
  if (typeof mimeType !== "string" || !mimeType.startsWith("image/") || !(data instanceof Uint8Array)) return undefined;
  return `data:${mimeType};base64,${Buffer.from(data).toString("base64")}`;
}

interface Delta {
  content?: string | null;
  tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

/** The parts of an answer as they come; calls when they are whole. Raises in the words of an error that the stream carries. */
export async function* partsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Part> {
  const waiting: string[] = [];
  const parser = createParser({ onEvent: (event) => waiting.push(event.data) });
  const decoder = new TextDecoder();
  const calls = new Map<number, { id: string; name: string; text: string }>();
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    for (const data of waiting.splice(0)) {
      if (data === "[DONE]") continue;
      const chunk = JSON.parse(data) as { error?: { message?: string }; choices?: { delta?: Delta }[] };
      if (chunk.error) throw new Error(chunk.error.message ?? "The answer broke off.");
      const delta = chunk.choices?.[0]?.delta;
      if (delta?.content) yield { text: delta.content };
      for (const piece of delta?.tool_calls ?? []) {
        const call = calls.get(piece.index ?? 0) ?? { id: "", name: "", text: "" };
        call.id ||= piece.id ?? "";
        call.name ||= piece.function?.name ?? "";
        call.text += piece.function?.arguments ?? "";
        calls.set(piece.index ?? 0, call);
      }
    }
  }
  for (const call of calls.values()) yield { call: { id: call.id, name: call.name, input: inputOf(call) } };
}

function inputOf({ name, text }: { name: string; text: string }): object {
  try {
    return JSON.parse(text || "{}") as object;
  } catch {
    throw new Error(`The model called ${name} with arguments that cannot be read.`);
  }
}
