"""The messages of the control API, the same for HTTP, `--json` and the language server; each module has those of one door. Nothing here
knows the daemon.

Money is an integer of picodollars (`*_pusd`), times are milliseconds since the epoch (`*_ms`). Readers ignore fields that
they do not know; `PROTOCOL` grows when a reader could no longer do that.
"""

from stepfare.control.protocol.base import PROTOCOL, Bucket, Failure, Message, Severity, TierName, Totals
from stepfare.control.protocol.budgets import Budget, Budgets, Cap, Extend, Extension, OnLimit, Proposal, Question, ScopeName
from stepfare.control.protocol.catalogue import ModelInfo, PriceRow, Prices, ProviderInfo, TierInfo
from stepfare.control.protocol.daemon_file import DaemonFile
from stepfare.control.protocol.dashboard import DashboardLink, Notch, Strip, Strips
from stepfare.control.protocol.decisions import Candidate, Contribution, CostLine, Decide, Decision, Floor, Gate, Rejection
from stepfare.control.protocol.overview import Event, Glance, Overview, Problem, ProviderState, Reloaded
from stepfare.control.protocol.replays import Audit, AuditedSession, Learned, LearnedFigures, Replay, ReplayedStep, ReplayFigures, Share
from stepfare.control.protocol.reports import Files, FileSpend, Grouping, Report, ReportQuestion, ReportRow, RepricedLedger, RepricedModel
from stepfare.control.protocol.sessions import (
    Attempt,
    Family,
    Merge,
    Pin,
    Rename,
    Said,
    Session,
    SessionDetail,
    Sessions,
    SplitAt,
    Step,
    StepUsage,
    Warm,
)
from stepfare.control.protocol.workspaces import EditorDocument, Workspace

__all__ = [
    "PROTOCOL",
    "Attempt",
    "Audit",
    "AuditedSession",
    "Bucket",
    "Budget",
    "Budgets",
    "Candidate",
    "Cap",
    "Contribution",
    "CostLine",
    "DaemonFile",
    "DashboardLink",
    "Decide",
    "Decision",
    "EditorDocument",
    "Event",
    "Extend",
    "Extension",
    "Failure",
    "Family",
    "FileSpend",
    "Files",
    "Floor",
    "Gate",
    "Glance",
    "Grouping",
    "Learned",
    "LearnedFigures",
    "Merge",
    "Message",
    "ModelInfo",
    "Notch",
    "OnLimit",
    "Overview",
    "Pin",
    "PriceRow",
    "Prices",
    "Problem",
    "Proposal",
    "ProviderInfo",
    "ProviderState",
    "Question",
    "Rejection",
    "Reloaded",
    "Rename",
    "Replay",
    "ReplayFigures",
    "ReplayedStep",
    "Report",
    "ReportQuestion",
    "ReportRow",
    "RepricedLedger",
    "RepricedModel",
    "Said",
    "ScopeName",
    "Session",
    "SessionDetail",
    "Sessions",
    "Severity",
    "Share",
    "SplitAt",
    "Step",
    "StepUsage",
    "Strip",
    "Strips",
    "TierInfo",
    "TierName",
    "Totals",
    "Warm",
    "Workspace",
]
