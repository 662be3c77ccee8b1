;;; stepfare-protocol.el --- What stepfare's language server says and takes  -*- lexical-binding: t; -*-

;;; Commentary:

;; Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit.

;;; Code:

(defconst stepfare-protocol-spend "stepfare/spend"
  "What the status bar shows now.
It carries a `Spend'. It has no answer.")

(defconst stepfare-protocol-context "stepfare/context"
  "What the editor has open in a folder.
It carries a `EditorContext'. It has no answer.")

(defconst stepfare-protocol-overview "stepfare/overview"
  "The daemon's present state.
It carries a `Nothing'. Its answer is a `Overview'.")

(defconst stepfare-protocol-sessions "stepfare/sessions"
  "Sessions, newest first.
It carries a `WhichSessions'. Its answer is a `Sessions'.")

(defconst stepfare-protocol-session "stepfare/session"
  "A session with its steps.
It carries a `WhichSession'. Its answer is a `SessionDetail'.")

(defconst stepfare-protocol-decision "stepfare/decision"
  "Why a step went where it went; `last` is the newest.
It carries a `WhichDecision'. Its answer is a `Decision'.")

(defconst stepfare-protocol-endpoint "stepfare/endpoint"
  "Where to ask for answers of a model.
It carries a `Nothing'. Its answer is a `Endpoint'.")

(defconst stepfare-protocol-rows "stepfare/rows"
  "Lines of a tree of sessions and steps.
It carries a `WhichRows'. Its answer is a `Rows'.")

(defconst stepfare-protocol-menu "stepfare/menu"
  "What a click on the status bar offers.
It carries a `Nothing'. Its answer is a `Menu'.")

(defconst stepfare-protocol-request-failed -32803
  "The code of a request that could not be answered.
Its message is for a person.")

(defconst stepfare-protocol-commands
  '(
    ("stepfare.startDaemon" "Start the daemon" ())
    ("stepfare.sessionSpend" "Show what this session cost" ())
    ("stepfare.explainLast" "Explain the last step" ())
    ("stepfare.extendBudget" "Extend a budget" ())
    ("stepfare.pinSession" "Pin this session to a tier" (("tier" "Which tier at least?" ("frugal" "balanced" "premium"))))
    ("stepfare.unpinSession" "Unpin this session" ())
    ("stepfare.showSession" "Open this session step by step" ())
    ("stepfare.showDecision" "Open why the last step went where it went" ())
    ("stepfare.todaySpend" "Show what today cost" ())
    ("stepfare.sessions" "Show the latest sessions" ())
    ("stepfare.setTier" "Set the tier or profile of this project" (("tier" "From which profile should this project start?" ("frugal" "balanced" "careful" "premium" "ladder"))))
    ("stepfare.createDotfile" "Create .stepfare.toml for this project" ())
    ("stepfare.openDashboard" "Open the dashboard" ())
    ("stepfare.status" "Show how stepfare is" ())
    )
  "The commands of the server.
Each is (ID TITLE ASKS), and each of ASKS is (ARGUMENT PROMPT OPTIONS).")

(defconst stepfare-protocol-messages
  '(
    (Options "`initializationOptions`, and what `workspace/didChangeConfiguration` may change under the key `stepfare`."
     (:trusted "Whether the person trusts the open folders.")
     (:lens "")
     (:hints "Show spend beside the rules of a project's .stepfare.toml.")
     (:offer_to_start "Offer to start the daemon where something needs it and it is not running."))
    (EditorContext "`stepfare/context`: what an editor has open in one of its folders. Nothing outside of the folder is passed on, and nothing at all where the folder is not trusted."
     (:root "The folder's URI.")
     (:active "The URI of the file that the person looks at.")
     (:documents "")
     (:trusted ""))
    (Nothing "A request that takes no arguments.")
    (WhichSessions ""
     (:workspace "A path or file URI; else the sessions of all folders.")
     (:limit ""))
    (WhichSession ""
     (:session ""))
    (WhichDecision ""
     (:decision ""))
    (WhichRows ""
     (:session "The session whose steps are wanted; without it, sessions."))
    (Spend "`stepfare/spend`: what a status bar shows. Sent on change, at most once a second."
     (:text "The line to show: `$0.42 . balanced`, or `stepfare is off`.")
     (:session "The session that was active last in the editor's folders.")
     (:title "Its title, on one line.")
     (:workspace "The folder that it works in.")
     (:spent_pusd "What it cost with its subagents, in picodollars.")
     (:today_pusd "What today cost, in all projects.")
     (:tier "The tier that served its last step.")
     (:severity "warning near a budget, error at it: the only reason for colour.")
     (:mode "offline: there is no daemon; simulator: play money.")
     (:tooltip "Some lines of Markdown: the session, its tiers, its pace, what was saved, its caps.")
     (:version "The daemon's; empty without one."))
    (Overview "The present state, and the number of the last event that it includes."
     (:protocol "")
     (:version "")
     (:seq "")
     (:started_ms "")
     (:mode "")
     (:today "")
     (:sessions "")
     (:providers "")
     (:problems "")
     (:budgets "")
     (:questions ""))
    (Sessions ""
     (:sessions ""))
    (SessionDetail ""
     (:session "")
     (:steps ""))
    (Decision "Why a model: evidence, floor, candidates with expected cost, rejections. `id` is null for a dry run."
     (:id "")
     (:session "")
     (:kind "")
     (:probabilities "")
     (:contributions "")
     (:floor "")
     (:candidates "")
     (:rejections "")
     (:gate "")
     (:floors "")
     (:chosen "")
     (:because ""))
    (Endpoint "Where a language model of the editor's own asks for answers, and with which token."
     (:base_url "Up to and with its version: http://127.0.0.1:4884/v1")
     (:token ""))
    (Rows ""
     (:rows ""))
    (Menu ""
     (:items ""))
    (Attempt "One try at one model."
     (:id "")
     (:model "")
     (:outcome "")
     (:cost_pusd "")
     (:first_byte_ms "")
     (:total_ms ""))
    (Bucket "One slice of a total: how many steps, what they cost."
     (:steps "")
     (:spent_pusd ""))
    (Budget "The caps that hold for a session: the lowest of each scope, and all of them with what is used."
     (:session_pusd "")
     (:project_day_pusd "")
     (:project_month_pusd "")
     (:day_pusd "")
     (:month_pusd "")
     (:warn_at "")
     (:on_limit "")
     (:caps ""))
    (Candidate ""
     (:model "")
     (:tier "")
     (:expected_pusd "")
     (:arithmetic ""))
    (Cap "A limit on spending and how it stands. `subject` is the session's id or the project's folder; empty for a day and a month. `cap_pusd` includes `extended_pusd`, which was added once; `spent_pusd` includes what was lost sight of in a crash. `source` is file and line of the setting, `since_ms` the begin of the day or month (0 for a session)."
     (:scope "")
     (:subject "")
     (:cap_pusd "")
     (:extended_pusd "")
     (:spent_pusd "")
     (:reserved_pusd "")
     (:left_pusd "")
     (:burn_pusd_per_hour "")
     (:warn_at "")
     (:warned "")
     (:on_limit "")
     (:source "")
     (:since_ms ""))
    (ContextDocument "An open file, and how many problems the editor shows in it."
     (:uri "")
     (:errors "")
     (:warnings ""))
    (Contribution "Something that was seen of the session, in words, and by how much (in log-odds) it speaks for an edit, or against it."
     (:words "")
     (:log_odds ""))
    (CostLine ""
     (:what "")
     (:tokens "")
     (:rate "")
     (:pusd ""))
    (Family "All that works on one task: the session that it began with, its subagents, their forks. A person takes them for one session."
     (:sessions "")
     (:totals "")
     (:severity ""))
    (Floor ""
     (:tier "")
     (:source "")
     (:words ""))
    (Gate "`needs` is the tier of an edit; `hold_ms` how long an answer is held at most."
     (:on "")
     (:needs "")
     (:hold_ms ""))
    (LensOptions ""
     (:dotfile "Show today's spend and the last session above a project's .stepfare.toml.")
     (:files "Show above every file what agents spent on it in the last seven days."))
    (MenuItem "Something that can be done now: a command with its one argument."
     (:label "")
     (:detail "")
     (:command "")
     (:arguments ""))
    (Problem "Something wrong in a file that a person wrote. `line` and `column` count from 1; 0 where there is none."
     (:source "")
     (:line "")
     (:column "")
     (:severity "")
     (:words ""))
    (Proposal "A sum by which a cap could be extended."
     (:scope "")
     (:subject "")
     (:pusd ""))
    (ProviderState "Whether a provider is in use: ok, resting (until its breaker closes), no-key."
     (:id "")
     (:state "")
     (:since_ms "")
     (:why ""))
    (Question "A budget left no room for a step of this session, whose user was asked. The session goes on when each proposal is taken up."
     (:session "")
     (:client "")
     (:workspace "")
     (:at_ms "")
     (:words "")
     (:proposals ""))
    (Rejection ""
     (:model "")
     (:reason "")
     (:words ""))
    (Row "One line of a tree: a session, or a step (its `id` is that of its decision)."
     (:id "")
     (:label "")
     (:description "")
     (:tooltip "Markdown.")
     (:icon "")
     (:expandable ""))
    (Session "One task of one agent. Its sums are its own; `family` has those of all that work on it, where there are several."
     (:id "")
     (:title "")
     (:client "")
     (:parent "")
     (:merged "")
     (:workspace "")
     (:project "")
     (:branch "")
     (:repository "")
     (:started_ms "")
     (:last_ms "")
     (:totals "")
     (:burn_pusd_per_hour "")
     (:pin "")
     (:budget "")
     (:warm "")
     (:family ""))
    (Step "One step: what it was, who served it, why, and what it cost (null while open or unpriced)."
     (:decision "")
     (:session "")
     (:at_ms "")
     (:kind "")
     (:predicted "")
     (:probabilities "")
     (:floor "")
     (:floor_source "")
     (:tier "")
     (:model "")
     (:attempts "")
     (:usage "")
     (:cost_pusd "")
     (:cost_source "")
     (:cost_confidence "")
     (:cost_low_pusd "")
     (:cost_high_pusd "")
     (:doubts "")
     (:service "")
     (:escalated "")
     (:held_ms "")
     (:because ""))
    (StepUsage ""
     (:input_tokens "")
     (:cache_read_tokens "")
     (:cache_write_tokens "")
     (:output_tokens "")
     (:reasoning_tokens "")
     (:audio_tokens "")
     (:web_searches ""))
    (Totals "Sums over settled steps. `spent`, `reserved` and `lost` are disjoint. The two `always_*` say what the same work would have cost on one model with a warm cache; `switch_writes` is what was paid to write a cache because the model changed. `unpriced_tokens` are tokens, in and out, that no price is known for. `estimated` is the part of `spent` whose usage no provider reported, and its bounds. `escalations` counts answers that the gate dropped, `escalated` is what they cost. `subscription_steps` are paid for by the month, and in no sum of money."
     (:steps "")
     (:spent_pusd "")
     (:reserved_pusd "")
     (:lost_pusd "")
     (:unpriced_steps "")
     (:always_premium_pusd "")
     (:always_balanced_pusd "")
     (:switch_writes_pusd "")
     (:input_tokens "")
     (:cache_read_tokens "")
     (:cache_write_tokens "")
     (:output_tokens "")
     (:unpriced_tokens "")
     (:estimated_pusd "")
     (:estimated_low_pusd "")
     (:estimated_high_pusd "")
     (:escalations "")
     (:escalated_pusd "")
     (:subscription_steps "")
     (:by_tier "")
     (:by_model "")
     (:by_kind ""))
    (Warm "A model that is believed to hold part of the session's prompt in its cache."
     (:model "")
     (:tokens "")
     (:until_ms ""))
    )
  "The keys of every message.
Each is (NAME WORDS (KEY WORDS)...).")
(provide 'stepfare-protocol)

;;; stepfare-protocol.el ends here
