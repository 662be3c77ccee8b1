// Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit.

/** `initializationOptions`, and what `workspace/didChangeConfiguration` may change under the key `stepfare`. */
export interface Options {
  /** Whether the person trusts the open folders. */
  trusted?: boolean;
  lens?: LensOptions;
  /** Show spend beside the rules of a project's .stepfare.toml. */
  hints?: boolean;
  /** Offer to start the daemon where something needs it and it is not running. */
  offer_to_start?: boolean;
}

/** `stepfare/context`: what an editor has open in one of its folders. Nothing outside of the folder is passed on, and nothing at all where the folder is not trusted. */
export interface EditorContext {
  /** The folder's URI. */
  root: string;
  /** The URI of the file that the person looks at. */
  active?: string | null;
  documents?: ContextDocument[];
  trusted?: boolean;
}

/** A request that takes no arguments. */
export type Nothing = Record<string, never>;

export interface WhichSessions {
  /** A path or file URI; else the sessions of all folders. */
  workspace?: string | null;
  limit?: number;
}

export interface WhichSession {
  session: string;
}

export interface WhichDecision {
  decision: string;
}

export interface WhichRows {
  /** The session whose steps are wanted; without it, sessions. */
  session?: string | null;
}

/** `stepfare/spend`: what a status bar shows. Sent on change, at most once a second. */
export interface Spend {
  /** The line to show: `$0.42 . balanced`, or `stepfare is off`. */
  text: string;
  /** The session that was active last in the editor's folders. */
  session: string | null;
  /** Its title, on one line. */
  title: string;
  /** The folder that it works in. */
  workspace: string;
  /** What it cost with its subagents, in picodollars. */
  spent_pusd: number | null;
  /** What today cost, in all projects. */
  today_pusd: number | null;
  /** The tier that served its last step. */
  tier: string | null;
  /** warning near a budget, error at it: the only reason for colour. */
  severity: "info" | "warning" | "error";
  /** offline: there is no daemon; simulator: play money. */
  mode: "live" | "simulator" | "offline";
  /** Some lines of Markdown: the session, its tiers, its pace, what was saved, its caps. */
  tooltip: string;
  /** The daemon's; empty without one. */
  version: string;
}

/** The present state, and the number of the last event that it includes. */
export interface Overview {
  protocol: number;
  version: string;
  seq: number;
  started_ms: number;
  mode: "live" | "simulator";
  today: Totals;
  sessions: Session[];
  providers: ProviderState[];
  problems: Problem[];
  budgets: Cap[];
  questions: Question[];
}

export interface Sessions {
  sessions: Session[];
}

export interface SessionDetail {
  session: Session;
  steps: Step[];
}

/** Why a model: evidence, floor, candidates with expected cost, rejections. `id` is null for a dry run. */
export interface Decision {
  id: string | null;
  session: string;
  kind: string;
  probabilities: Record<string, number>;
  contributions: Contribution[];
  floor: Floor;
  candidates: Candidate[];
  rejections: Rejection[];
  gate: Gate;
  floors: Record<string, Floor>;
  chosen: string | null;
  because: string[];
}

/** Where a language model of the editor's own asks for answers, and with which token. */
export interface Endpoint {
  /** Up to and with its version: http://127.0.0.1:4884/v1 */
  base_url: string;
  token: string;
}

export interface Rows {
  rows: Row[];
}

export interface Menu {
  items: MenuItem[];
}

/** One try at one model. */
export interface Attempt {
  id: string;
  model: string;
  outcome: string;
  cost_pusd: number | null;
  first_byte_ms: number | null;
  total_ms: number | null;
}

/** One slice of a total: how many steps, what they cost. */
export interface Bucket {
  steps: number;
  spent_pusd: number;
}

/** The caps that hold for a session: the lowest of each scope, and all of them with what is used. */
export interface Budget {
  session_pusd: number | null;
  project_day_pusd: number | null;
  project_month_pusd: number | null;
  day_pusd: number | null;
  month_pusd: number | null;
  warn_at: number;
  on_limit: "ask" | "frugal" | "stop";
  caps: Cap[];
}

export interface Candidate {
  model: string;
  tier: "frugal" | "balanced" | "premium";
  expected_pusd: number | null;
  arithmetic: CostLine[];
}

/** A limit on spending and how it stands. `subject` is the session's id or the project's folder; empty for a day and a month. `cap_pusd` includes `extended_pusd`, which was added once; `spent_pusd` includes what was lost sight of in a crash. `source` is file and line of the setting, `since_ms` the begin of the day or month (0 for a session). */
export interface Cap {
  scope: "session" | "project" | "project-month" | "day" | "month" | "team";
  subject: string;
  cap_pusd: number;
  extended_pusd: number;
  spent_pusd: number;
  reserved_pusd: number;
  left_pusd: number;
  burn_pusd_per_hour: number;
  warn_at: number;
  warned: boolean;
  on_limit: "ask" | "frugal" | "stop";
  source: string;
  since_ms: number;
}

/** An open file, and how many problems the editor shows in it. */
export interface ContextDocument {
  uri: string;
  errors?: number;
  warnings?: number;
}

/** Something that was seen of the session, in words, and by how much (in log-odds) it speaks for an edit, or against it. */
export interface Contribution {
  words: string;
  log_odds: number;
}

export interface CostLine {
  what: string;
  tokens: number;
  rate: number;
  pusd: number;
}

/** All that works on one task: the session that it began with, its subagents, their forks. A person takes them for one session. */
export interface Family {
  sessions: string[];
  totals: Totals;
  severity: "info" | "warning" | "error";
}

export interface Floor {
  tier: "frugal" | "balanced" | "premium";
  source: string;
  words: string;
}

/** `needs` is the tier of an edit; `hold_ms` how long an answer is held at most. */
export interface Gate {
  on: boolean;
  needs: "frugal" | "balanced" | "premium" | null;
  hold_ms: number;
}

export interface LensOptions {
  /** Show today's spend and the last session above a project's .stepfare.toml. */
  dotfile?: boolean;
  /** Show above every file what agents spent on it in the last seven days. */
  files?: boolean;
}

/** Something that can be done now: a command with its one argument. */
export interface MenuItem {
  label: string;
  detail: string;
  command: string;
  arguments: Record<string, unknown>[];
}

/** Something wrong in a file that a person wrote. `line` and `column` count from 1; 0 where there is none. */
export interface Problem {
  source: string;
  line: number;
  column: number;
  severity: "error" | "warning";
  words: string;
}

/** A sum by which a cap could be extended. */
export interface Proposal {
  scope: "session" | "project" | "project-month" | "day" | "month" | "team";
  subject: string;
  pusd: number;
}

/** Whether a provider is in use: ok, resting (until its breaker closes), no-key. */
export interface ProviderState {
  id: string;
  state: string;
  since_ms: number;
  why: string;
}

/** A budget left no room for a step of this session, whose user was asked. The session goes on when each proposal is taken up. */
export interface Question {
  session: string;
  client: string;
  workspace: string;
  at_ms: number;
  words: string;
  proposals: Proposal[];
}

export interface Rejection {
  model: string;
  reason: string;
  words: string;
}

/** One line of a tree: a session, or a step (its `id` is that of its decision). */
export interface Row {
  id: string;
  label: string;
  description: string;
  /** Markdown. */
  tooltip: string;
  icon: "session" | "frugal" | "balanced" | "premium" | "error" | "running";
  expandable: boolean;
}

/** One task of one agent. Its sums are its own; `family` has those of all that work on it, where there are several. */
export interface Session {
  id: string;
  title: string;
  client: string;
  parent: string | null;
  merged: string[];
  workspace: string;
  project: string;
  branch: string;
  repository: string;
  started_ms: number;
  last_ms: number;
  totals: Totals;
  burn_pusd_per_hour: number;
  pin: "frugal" | "balanced" | "premium" | null;
  budget: Budget | null;
  warm: Warm[];
  family: Family | null;
}

/** One step: what it was, who served it, why, and what it cost (null while open or unpriced). */
export interface Step {
  decision: string;
  session: string;
  at_ms: number;
  kind: string;
  predicted: string;
  probabilities: Record<string, number>;
  floor: "frugal" | "balanced" | "premium";
  floor_source: string;
  tier: "frugal" | "balanced" | "premium" | null;
  model: string | null;
  attempts: Attempt[];
  usage: StepUsage | null;
  cost_pusd: number | null;
  cost_source: string | null;
  cost_confidence: string;
  cost_low_pusd: number | null;
  cost_high_pusd: number | null;
  doubts: string[];
  service: string;
  escalated: boolean;
  held_ms: number;
  because: string[];
}

export interface StepUsage {
  input_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  audio_tokens: number;
  web_searches: number;
}

/** Sums over settled steps. `spent`, `reserved` and `lost` are disjoint. The two `always_*` say what the same work would have cost on one model with a warm cache; `switch_writes` is what was paid to write a cache because the model changed. `unpriced_tokens` are tokens, in and out, that no price is known for. `estimated` is the part of `spent` whose usage no provider reported, and its bounds. `escalations` counts answers that the gate dropped, `escalated` is what they cost. `subscription_steps` are paid for by the month, and in no sum of money. */
export interface Totals {
  steps: number;
  spent_pusd: number;
  reserved_pusd: number;
  lost_pusd: number;
  unpriced_steps: number;
  always_premium_pusd: number;
  always_balanced_pusd: number;
  switch_writes_pusd: number;
  input_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  output_tokens: number;
  unpriced_tokens: number;
  estimated_pusd: number;
  estimated_low_pusd: number;
  estimated_high_pusd: number;
  escalations: number;
  escalated_pusd: number;
  subscription_steps: number;
  by_tier: Record<string, Bucket>;
  by_model: Record<string, Bucket>;
  by_kind: Record<string, Bucket>;
}

/** A model that is believed to hold part of the session's prompt in its cache. */
export interface Warm {
  model: string;
  tokens: number;
  until_ms: number;
}

/** What the status bar shows now. */
export const SPEND = "stepfare/spend";
/** What the editor has open in a folder. */
export const CONTEXT = "stepfare/context";
/** The daemon's present state. */
export const OVERVIEW = "stepfare/overview";
/** Sessions, newest first. */
export const SESSIONS = "stepfare/sessions";
/** A session with its steps. */
export const SESSION = "stepfare/session";
/** Why a step went where it went; `last` is the newest. */
export const DECISION = "stepfare/decision";
/** Where to ask for answers of a model. */
export const ENDPOINT = "stepfare/endpoint";
/** Lines of a tree of sessions and steps. */
export const ROWS = "stepfare/rows";
/** What a click on the status bar offers. */
export const MENU = "stepfare/menu";
/** The code of a request that could not be answered; its message is for a person. */
export const REQUEST_FAILED = -32803;

/** An argument that a person is asked for beforehand. Without options any text will do. */
export interface Ask {
  name: string;
  prompt: string;
  options: readonly string[];
}

/** The server's commands, in the order in which they are offered; `ui` is the one of the palette that runs it. */
export const COMMANDS: readonly { id: string; ui: string; title: string; asks: readonly Ask[] }[] = [
  { id: "stepfare.startDaemon", ui: "stepfare.ui.startDaemon", title: "Start the daemon", asks: [] },
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
  { id: "stepfare.status", ui: "stepfare.ui.status", title: "Show how stepfare is", asks: [] },
];
