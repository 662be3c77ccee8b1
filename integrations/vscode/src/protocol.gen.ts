// Written by scripts/generate.py from the messages of stepfare's language server. Do not edit.

/** What a status bar shows: sent when it changes, at most once a second. */
export interface Spend {
  text: string;
  session: string | null;
  spent_pusd: number | null;
  today_pusd: number | null;
  tier: string | null;
  severity: "info" | "warning" | "error";
  mode: "live" | "simulator" | "offline";
  title: string;
  workspace: string;
  tooltip: string;
  version: string;
}

/** What the editor knows of its workspace. */
export interface EditorContext {
  root: string;
  active: string | null;
  documents: ContextDocument[];
  trusted: boolean;
}

export interface ContextDocument {
  uri: string;
  errors: number;
  warnings: number;
}

/** What a tree shows, worded by the server. */
export interface Row {
  id: string;
  label: string;
  description: string;
  tooltip: string;
  icon: "session" | "frugal" | "balanced" | "premium" | "error" | "running";
  expandable: boolean;
}

export interface Rows {
  rows: Row[];
}

/** What a click on the status bar offers. */
export interface MenuItem {
  label: string;
  detail: string;
  command: string;
  arguments: unknown[];
}

export interface Menu {
  items: MenuItem[];
}

/** Where models are asked, with the token for it. */
export interface Endpoint {
  base_url: string;
  token: string;
}

/** The `initializationOptions`; the same below `stepfare` in workspace/didChangeConfiguration. */
export interface Options {
  trusted: boolean;
  lens: { dotfile: boolean; files: boolean };
  hints: boolean;
  offer_to_start: boolean;
}

export const SPEND = "stepfare/spend";
export const CONTEXT = "stepfare/context";
export const ROWS = "stepfare/rows";
export const MENU = "stepfare/menu";
export const ENDPOINT = "stepfare/endpoint";

/** An argument that a person is asked for beforehand. Without options any text will do. */
export interface Ask {
  name: string;
  prompt: string;
  options: readonly string[];
}

/** The server's commands, in the order in which they are offered; `ui` is the one of the palette that runs it. */
export const COMMANDS: readonly { id: string; ui: string; title: string; asks: readonly Ask[] }[] = [
  { id: "stepfare.sessionSpend", ui: "stepfare.ui.sessionSpend", title: "Show what this session cost", asks: [] },
  { id: "stepfare.explainLast", ui: "stepfare.ui.explainLast", title: "Explain the last step", asks: [] },
  { id: "stepfare.extendBudget", ui: "stepfare.ui.extendBudget", title: "Extend a budget", asks: [] },
  { id: "stepfare.pinSession", ui: "stepfare.ui.pinSession", title: "Pin this session to a tier", asks: [{ name: "tier", prompt: "Which tier at least?", options: ["frugal", "balanced", "premium"] }] },
  { id: "stepfare.unpinSession", ui: "stepfare.ui.unpinSession", title: "Unpin this session", asks: [] },
  { id: "stepfare.showSession", ui: "stepfare.ui.showSession", title: "Open this session step by step", asks: [] },
  { id: "stepfare.showDecision", ui: "stepfare.ui.showDecision", title: "Open why the last step went where it went", asks: [] },
  { id: "stepfare.todaySpend", ui: "stepfare.ui.todaySpend", title: "Show what today cost", asks: [] },
  { id: "stepfare.sessions", ui: "stepfare.ui.sessions", title: "Show the latest sessions", asks: [] },
  { id: "stepfare.setTier", ui: "stepfare.ui.setTier", title: "Set the tier or profile of this project", asks: [{ name: "tier", prompt: "From which profile should this project start?", options: ["frugal", "balanced", "careful", "premium", "ladder"] }] },
  { id: "stepfare.createDotfile", ui: "stepfare.ui.createDotfile", title: "Create .stepfare.toml for this project", asks: [] },
  { id: "stepfare.openDashboard", ui: "stepfare.ui.openDashboard", title: "Open the dashboard", asks: [] },
  { id: "stepfare.startDaemon", ui: "stepfare.ui.startDaemon", title: "Start the daemon", asks: [] },
  { id: "stepfare.status", ui: "stepfare.ui.status", title: "Show how stepfare is", asks: [] },
];
