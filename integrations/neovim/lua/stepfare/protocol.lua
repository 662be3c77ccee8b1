-- Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit.

---`initializationOptions`, and what `workspace/didChangeConfiguration` may change under the key `stepfare`.
---@class stepfare.Options
---@field trusted? boolean Whether the person trusts the open folders.
---@field lens? stepfare.LensOptions
---@field hints? boolean Show spend beside the rules of a project's .stepfare.toml.
---@field offer_to_start? boolean Offer to start the daemon where something needs it and it is not running.

---`stepfare/context`: what an editor has open in one of its folders. Nothing outside of the folder is passed on, and nothing at all where the folder is not trusted.
---@class stepfare.EditorContext
---@field root string The folder's URI.
---@field active? string|vim.NIL The URI of the file that the person looks at.
---@field documents? stepfare.ContextDocument[]
---@field trusted? boolean

---A request that takes no arguments.
---@class stepfare.Nothing

---@class stepfare.WhichSessions
---@field workspace? string|vim.NIL A path or file URI; else the sessions of all folders.
---@field limit? integer

---@class stepfare.WhichSession
---@field session string

---@class stepfare.WhichDecision
---@field decision string

---@class stepfare.WhichRows
---@field session? string|vim.NIL The session whose steps are wanted; without it, sessions.

---`stepfare/spend`: what a status bar shows. Sent on change, at most once a second.
---@class stepfare.Spend
---@field text string The line to show: `$0.42 . balanced`, or `stepfare is off`.
---@field session string|vim.NIL The session that was active last in the editor's folders.
---@field title string Its title, on one line.
---@field workspace string The folder that it works in.
---@field spent_pusd integer|vim.NIL What it cost with its subagents, in picodollars.
---@field today_pusd integer|vim.NIL What today cost, in all projects.
---@field tier string|vim.NIL The tier that served its last step.
---@field severity "info"|"warning"|"error" warning near a budget, error at it: the only reason for colour.
---@field mode "live"|"simulator"|"offline" offline: there is no daemon; simulator: play money.
---@field tooltip string Some lines of Markdown: the session, its tiers, its pace, what was saved, its caps.
---@field version string The daemon's; empty without one.

---The present state, and the number of the last event that it includes.
---@class stepfare.Overview
---@field protocol integer
---@field version string
---@field seq integer
---@field started_ms integer
---@field mode "live"|"simulator"
---@field today stepfare.Totals
---@field sessions stepfare.Session[]
---@field providers stepfare.ProviderState[]
---@field problems stepfare.Problem[]
---@field budgets stepfare.Cap[]
---@field questions stepfare.Question[]

---@class stepfare.Sessions
---@field sessions stepfare.Session[]

---@class stepfare.SessionDetail
---@field session stepfare.Session
---@field steps stepfare.Step[]

---Why a model: evidence, floor, candidates with expected cost, rejections. `id` is null for a dry run.
---@class stepfare.Decision
---@field id string|vim.NIL
---@field session string
---@field kind string
---@field probabilities table<string, number>
---@field contributions stepfare.Contribution[]
---@field floor stepfare.Floor
---@field candidates stepfare.Candidate[]
---@field rejections stepfare.Rejection[]
---@field gate stepfare.Gate
---@field floors table<string, stepfare.Floor>
---@field chosen string|vim.NIL
---@field because string[]

---Where a language model of the editor's own asks for answers, and with which token.
---@class stepfare.Endpoint
---@field base_url string Up to and with its version: http://127.0.0.1:4884/v1
---@field token string

---@class stepfare.Rows
---@field rows stepfare.Row[]

---@class stepfare.Menu
---@field items stepfare.MenuItem[]

---One try at one model.
---@class stepfare.Attempt
---@field id string
---@field model string
---@field outcome string
---@field cost_pusd integer|vim.NIL
---@field first_byte_ms integer|vim.NIL
---@field total_ms integer|vim.NIL

---One slice of a total: how many steps, what they cost.
---@class stepfare.Bucket
---@field steps integer
---@field spent_pusd integer

---The caps that hold for a session: the lowest of each scope, and all of them with what is used.
---@class stepfare.Budget
---@field session_pusd integer|vim.NIL
---@field project_day_pusd integer|vim.NIL
---@field project_month_pusd integer|vim.NIL
---@field day_pusd integer|vim.NIL
---@field month_pusd integer|vim.NIL
---@field warn_at number
---@field on_limit "ask"|"frugal"|"stop"
---@field caps stepfare.Cap[]

---@class stepfare.Candidate
---@field model string
---@field tier "frugal"|"balanced"|"premium"
---@field expected_pusd integer|vim.NIL
---@field arithmetic stepfare.CostLine[]

---A limit on spending and how it stands. `subject` is the session's id or the project's folder; empty for a day and a month. `cap_pusd` includes `extended_pusd`, which was added once; `spent_pusd` includes what was lost sight of in a crash. `source` is file and line of the setting, `since_ms` the begin of the day or month (0 for a session).
---@class stepfare.Cap
---@field scope "session"|"project"|"project-month"|"day"|"month"|"team"
---@field subject string
---@field cap_pusd integer
---@field extended_pusd integer
---@field spent_pusd integer
---@field reserved_pusd integer
---@field left_pusd integer
---@field burn_pusd_per_hour integer
---@field warn_at number
---@field warned boolean
---@field on_limit "ask"|"frugal"|"stop"
---@field source string
---@field since_ms integer

---An open file, and how many problems the editor shows in it.
---@class stepfare.ContextDocument
---@field uri string
---@field errors? integer
---@field warnings? integer

---Something that was seen of the session, in words, and by how much (in log-odds) it speaks for an edit, or against it.
---@class stepfare.Contribution
---@field words string
---@field log_odds number

---@class stepfare.CostLine
---@field what string
---@field tokens integer
---@field rate integer
---@field pusd integer

---All that works on one task: the session that it began with, its subagents, their forks. A person takes them for one session.
---@class stepfare.Family
---@field sessions string[]
---@field totals stepfare.Totals
---@field severity "info"|"warning"|"error"

---@class stepfare.Floor
---@field tier "frugal"|"balanced"|"premium"
---@field source string
---@field words string

---`needs` is the tier of an edit; `hold_ms` how long an answer is held at most.
---@class stepfare.Gate
---@field on boolean
---@field needs "frugal"|"balanced"|"premium"|vim.NIL
---@field hold_ms integer

---@class stepfare.LensOptions
---@field dotfile? boolean Show today's spend and the last session above a project's .stepfare.toml.
---@field files? boolean Show above every file what agents spent on it in the last seven days.

---Something that can be done now: a command with its one argument.
---@class stepfare.MenuItem
---@field label string
---@field detail string
---@field command string
---@field arguments table<string, any>[]

---Something wrong in a file that a person wrote. `line` and `column` count from 1; 0 where there is none.
---@class stepfare.Problem
---@field source string
---@field line integer
---@field column integer
---@field severity "error"|"warning"
---@field words string

---A sum by which a cap could be extended.
---@class stepfare.Proposal
---@field scope "session"|"project"|"project-month"|"day"|"month"|"team"
---@field subject string
---@field pusd integer

---Whether a provider is in use: ok, resting (until its breaker closes), no-key.
---@class stepfare.ProviderState
---@field id string
---@field state string
---@field since_ms integer
---@field why string

---A budget left no room for a step of this session, whose user was asked. The session goes on when each proposal is taken up.
---@class stepfare.Question
---@field session string
---@field client string
---@field workspace string
---@field at_ms integer
---@field words string
---@field proposals stepfare.Proposal[]

---@class stepfare.Rejection
---@field model string
---@field reason string
---@field words string

---One line of a tree: a session, or a step (its `id` is that of its decision).
---@class stepfare.Row
---@field id string
---@field label string
---@field description string
---@field tooltip string Markdown.
---@field icon "session"|"frugal"|"balanced"|"premium"|"error"|"running"
---@field expandable boolean

---One task of one agent. Its sums are its own; `family` has those of all that work on it, where there are several.
---@class stepfare.Session
---@field id string
---@field title string
---@field client string
---@field parent string|vim.NIL
---@field merged string[]
---@field workspace string
---@field project string
---@field branch string
---@field repository string
---@field started_ms integer
---@field last_ms integer
---@field totals stepfare.Totals
---@field burn_pusd_per_hour integer
---@field pin "frugal"|"balanced"|"premium"|vim.NIL
---@field budget stepfare.Budget|vim.NIL
---@field warm stepfare.Warm[]
---@field family stepfare.Family|vim.NIL

---One step: what it was, who served it, why, and what it cost (null while open or unpriced).
---@class stepfare.Step
---@field decision string
---@field session string
---@field at_ms integer
---@field kind string
---@field predicted string
---@field probabilities table<string, number>
---@field floor "frugal"|"balanced"|"premium"
---@field floor_source string
---@field tier "frugal"|"balanced"|"premium"|vim.NIL
---@field model string|vim.NIL
---@field attempts stepfare.Attempt[]
---@field usage stepfare.StepUsage|vim.NIL
---@field cost_pusd integer|vim.NIL
---@field cost_source string|vim.NIL
---@field cost_confidence string
---@field cost_low_pusd integer|vim.NIL
---@field cost_high_pusd integer|vim.NIL
---@field doubts string[]
---@field service string
---@field escalated boolean
---@field held_ms integer
---@field because string[]

---@class stepfare.StepUsage
---@field input_tokens integer
---@field cache_read_tokens integer
---@field cache_write_tokens integer
---@field output_tokens integer
---@field reasoning_tokens integer
---@field audio_tokens integer
---@field web_searches integer

---Sums over settled steps. `spent`, `reserved` and `lost` are disjoint. The two `always_*` say what the same work would have cost on one model with a warm cache; `switch_writes` is what was paid to write a cache because the model changed. `unpriced_tokens` are tokens, in and out, that no price is known for. `estimated` is the part of `spent` whose usage no provider reported, and its bounds. `escalations` counts answers that the gate dropped, `escalated` is what they cost. `subscription_steps` are paid for by the month, and in no sum of money.
---@class stepfare.Totals
---@field steps integer
---@field spent_pusd integer
---@field reserved_pusd integer
---@field lost_pusd integer
---@field unpriced_steps integer
---@field always_premium_pusd integer
---@field always_balanced_pusd integer
---@field switch_writes_pusd integer
---@field input_tokens integer
---@field cache_read_tokens integer
---@field cache_write_tokens integer
---@field output_tokens integer
---@field unpriced_tokens integer
---@field estimated_pusd integer
---@field estimated_low_pusd integer
---@field estimated_high_pusd integer
---@field escalations integer
---@field escalated_pusd integer
---@field subscription_steps integer
---@field by_tier table<string, stepfare.Bucket>
---@field by_model table<string, stepfare.Bucket>
---@field by_kind table<string, stepfare.Bucket>

---A model that is believed to hold part of the session's prompt in its cache.
---@class stepfare.Warm
---@field model string
---@field tokens integer
---@field until_ms integer

---A command of the server, and what a person can be asked for before it is run.
---@class stepfare.Command
---@field id string
---@field title string
---@field asks { name: string, prompt: string, options: string[] }[]

local M = {}

M.methods = {
  ---What the status bar shows now.
  spend = "stepfare/spend",
  ---What the editor has open in a folder.
  context = "stepfare/context",
  ---The daemon's present state.
  overview = "stepfare/overview",
  ---Sessions, newest first.
  sessions = "stepfare/sessions",
  ---A session with its steps.
  session = "stepfare/session",
  ---Why a step went where it went; `last` is the newest.
  decision = "stepfare/decision",
  ---Where to ask for answers of a model.
  endpoint = "stepfare/endpoint",
  ---Lines of a tree of sessions and steps.
  rows = "stepfare/rows",
  ---What a click on the status bar offers.
  menu = "stepfare/menu",
}

---@type stepfare.Command[]
M.commands = {
  { id = "stepfare.startDaemon", title = "Start the daemon", asks = {} },
  { id = "stepfare.sessionSpend", title = "Show what this session cost", asks = {} },
  { id = "stepfare.explainLast", title = "Explain the last step", asks = {} },
  { id = "stepfare.extendBudget", title = "Extend a budget", asks = {} },
  { id = "stepfare.pinSession", title = "Pin this session to a tier", asks = { { name = "tier", prompt = "Which tier at least?", options = { "frugal", "balanced", "premium" } } } },
  { id = "stepfare.unpinSession", title = "Unpin this session", asks = {} },
  { id = "stepfare.showSession", title = "Open this session step by step", asks = {} },
  { id = "stepfare.showDecision", title = "Open why the last step went where it went", asks = {} },
  { id = "stepfare.todaySpend", title = "Show what today cost", asks = {} },
  { id = "stepfare.sessions", title = "Show the latest sessions", asks = {} },
  { id = "stepfare.setTier", title = "Set the tier or profile of this project", asks = { { name = "tier", prompt = "From which profile should this project start?", options = { "frugal", "balanced", "careful", "premium", "ladder" } } } },
  { id = "stepfare.createDotfile", title = "Create .stepfare.toml for this project", asks = {} },
  { id = "stepfare.openDashboard", title = "Open the dashboard", asks = {} },
  { id = "stepfare.status", title = "Show how stepfare is", asks = {} },
}

return M
