"""The shape of shared books in PostgreSQL, as steps from each version to the next. A step once released is never changed; a new one is
added. It is the shape of the SQLite file, and a head that writers take turns at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from stepfare.ledger.calendar import DAY_MS
from stepfare.ledger.chain import GENESIS
from stepfare.store.database import Connection
from stepfare.store.errors import StoreError

SCHEMA = "stepfare"
"""All tables are in this schema, which the role that makes them owns."""
WRITER = "stepfare.writer"
"""The setting of a connection that says which daemon writes through it."""
MIGRATION_LOCK = 0x57E9FA4E
"""The advisory lock that lets one daemon at a time bring the tables up to date."""
GUARDS: Mapping[str, tuple[str, str]] = {
    "journal_is_not_changed": ("UPDATE OR DELETE ON journal FOR EACH ROW", "stands"),
    "journal_is_not_emptied": ("TRUNCATE ON journal", "stands"),
    "decisions_are_not_changed": ("UPDATE ON decisions FOR EACH ROW", "stands"),
    "decisions_are_not_removed_early": ("DELETE ON decisions FOR EACH ROW", "stands_while_new"),
    "decisions_are_not_emptied": ("TRUNCATE ON decisions", "stands"),
    "annotations_are_not_changed": ("UPDATE OR DELETE ON annotations FOR EACH ROW", "stands"),
    "annotations_are_not_emptied": ("TRUNCATE ON annotations", "stands"),
}
"""What keeps the journal and what stands beside it from being changed: trigger -> when, and its function."""

Migration: TypeAlias = Sequence[str]

_TEXT = 'TEXT COLLATE "C" NOT NULL'  # Compared byte by byte, as SQLite does.
_LABELS_OF_M001 = ("workspace", "project", "branch", "who", "client", "model", "tier", "kind")
_SUMS_OF_M001 = (
    *("steps", "spent_pusd", "lost_pusd", "unpriced_steps", "always_premium_pusd", "always_balanced_pusd", "switch_writes_pusd"),
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
    *("unpriced_tokens", "estimated_pusd", "estimated_low_pusd", "estimated_high_pusd", "escalations", "escalated_pusd"),
)
_SUMS = ", ".join(f"{name} BIGINT NOT NULL" for name in _SUMS_OF_M001)
_COLUMNS = ", ".join([*(f"{name} {_TEXT}" for name in _LABELS_OF_M001), _SUMS])
_KEY = ", ".join(_LABELS_OF_M001)

M001_SHARED_BOOKS: Migration = (
    f"""CREATE TABLE journal (
        row BIGINT PRIMARY KEY, session {_TEXT}, step BIGINT NOT NULL, attempt {_TEXT}, phase {_TEXT}, at_ms BIGINT NOT NULL,
        firsts BIGINT NOT NULL, body TEXT NOT NULL, hash BYTEA NOT NULL,
        writer {_TEXT} DEFAULT coalesce(current_setting('{WRITER}', true), '')
    )""",
    "CREATE UNIQUE INDEX journal_by_session ON journal (session, step, attempt, phase)",
    "CREATE INDEX journal_by_time ON journal (at_ms)",
    f"CREATE TABLE decisions (row BIGSERIAL PRIMARY KEY, id {_TEXT} UNIQUE, session {_TEXT}, message TEXT NOT NULL)",
    "CREATE INDEX decisions_by_session ON decisions (session)",
    "CREATE TABLE annotations (row BIGINT PRIMARY KEY, at_ms BIGINT NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE thinned (before_ms BIGINT NOT NULL)",
    "INSERT INTO thinned VALUES (0)",
    f"""CREATE FUNCTION stands() RETURNS trigger LANGUAGE plpgsql SET search_path = {SCHEMA} AS $$
        BEGIN RAISE EXCEPTION 'the journal only grows, and what is beside it stands: % on % is refused', TG_OP, TG_TABLE_NAME; END $$""",
    # Decisions of sessions last heard of before that time may be removed, and no others.
    f"""CREATE FUNCTION stands_while_new() RETURNS trigger LANGUAGE plpgsql SET search_path = {SCHEMA} AS $$ BEGIN
        IF coalesce((SELECT last_ms FROM sessions WHERE session = OLD.session), 0) >= (SELECT before_ms FROM thinned) THEN
            RAISE EXCEPTION 'decisions stand';
        END IF;
        RETURN OLD; END $$""",
    *(f"CREATE TRIGGER {name} BEFORE {event} EXECUTE FUNCTION {function}()" for name, (event, function) in GUARDS.items()),
    f"""CREATE TABLE sessions (
        session {_TEXT} PRIMARY KEY, opened BIGINT, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL, workspace {_TEXT}
    ) WITH (fillfactor = 70)""",
    "CREATE INDEX sessions_by_time ON sessions (last_ms)",
    "CREATE INDEX sessions_by_workspace ON sessions (workspace, last_ms)",
    f"CREATE TABLE open_attempts (attempt {_TEXT} PRIMARY KEY, row BIGINT NOT NULL)",
    f"""CREATE TABLE session_slices (
        session {_TEXT}, start_ms BIGINT NOT NULL, {_COLUMNS}, PRIMARY KEY (session, start_ms, {_KEY})
    ) WITH (fillfactor = 70)""",
    f"""CREATE TABLE time_slices (
        span_ms BIGINT NOT NULL, start_ms BIGINT NOT NULL, {_COLUMNS},
        PRIMARY KEY (span_ms, project, start_ms, workspace, branch, who, client, model, tier, kind)
    ) WITH (fillfactor = 70)""",
    f"""CREATE TABLE label_slices (
        label {_TEXT}, start_ms BIGINT NOT NULL, name {_TEXT}, {_SUMS}, PRIMARY KEY (label, start_ms, name)
    ) WITH (fillfactor = 70)""",
    f"""CREATE TABLE file_slices (
        project {_TEXT}, start_ms BIGINT NOT NULL, file {_TEXT}, steps BIGINT NOT NULL, spent_pusd BIGINT NOT NULL,
        PRIMARY KEY (project, start_ms, file)
    ) WITH (fillfactor = 70)""",
    # Who is at work on these books; what a daemon left open that was not heard of for long is lost.
    f"CREATE TABLE daemons (id {_TEXT} PRIMARY KEY, heard_ms BIGINT NOT NULL)",
    # One row: whoever writes locks it first, so that the chain is one though the writers are many.
    """CREATE TABLE head (
        one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), count BIGINT NOT NULL, hash BYTEA NOT NULL
    ) WITH (fillfactor = 10)""",
    f"INSERT INTO head (count, hash) VALUES (0, '\\x{GENESIS.hex()}')",
)

M002_THINNING: Migration = (
    # A daemon may not delete, but ask for what is old to go: as the owner of the tables, by a rule that it cannot bend. Whatever it says,
    # the reasons of the last day stay.
    f"""CREATE FUNCTION thin(until_ms BIGINT, sessions_max BIGINT, OUT removed BIGINT, OUT done BOOLEAN)
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = {SCHEMA}, pg_temp AS $$
        DECLARE from_ms BIGINT; next_ms BIGINT; end_ms BIGINT;
        BEGIN
            SELECT before_ms INTO from_ms FROM thinned FOR UPDATE;
            until_ms := least(until_ms, (extract(epoch FROM now()) * 1000)::BIGINT - {DAY_MS});
            removed := 0;
            done := true;
            IF until_ms > from_ms THEN
                SELECT last_ms INTO next_ms FROM sessions WHERE last_ms >= from_ms AND last_ms < until_ms
                    ORDER BY last_ms LIMIT 1 OFFSET sessions_max;
                end_ms := CASE WHEN next_ms IS NULL THEN until_ms ELSE greatest(next_ms, from_ms + 1) END;
                UPDATE thinned SET before_ms = end_ms;
                DELETE FROM decisions WHERE session IN (SELECT session FROM sessions WHERE last_ms >= from_ms AND last_ms < end_ms);
                GET DIAGNOSTICS removed = ROW_COUNT;
                done := next_ms IS NULL;
            END IF;
        END $$""",
    "REVOKE ALL ON FUNCTION thin FROM PUBLIC",
)

M003_STEPS_ON_A_SUBSCRIPTION: Migration = tuple(
    f"ALTER TABLE {table} ADD COLUMN subscription_steps BIGINT NOT NULL DEFAULT 0"
    for table in ("session_slices", "time_slices", "label_slices")
)

MIGRATIONS: Sequence[Migration] = (M001_SHARED_BOOKS, M002_THINNING, M003_STEPS_ON_A_SUBSCRIPTION)


def version_of(connection: Connection) -> int:
    """The version of the tables; 0 where there are none that this role may see."""
    if connection.execute(f"SELECT to_regclass('{SCHEMA}.about')").fetchone()[0] is None:
        return 0
    return connection.execute(f"SELECT version FROM {SCHEMA}.about").fetchone()[0]


def migrate(connection: Connection, name: str) -> None:
    """Brings the tables to the newest version, in one transaction; daemons that start together wait for the first. Raises StoreError for
    tables of a newer stepfare, and the errors of the database for all else."""
    if version_of(connection) == len(MIGRATIONS):
        return
    # Taken before the transaction begins: within one, the server may look at what it remembers of its catalogue from before it waited.
    connection.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
    try:
        _migrate(connection, name)
    finally:
        connection.execute(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")


def _migrate(connection: Connection, name: str) -> None:
    connection.execute("BEGIN")
    try:
        version = version_of(connection)
        if version > len(MIGRATIONS):
            raise StoreError(refusal(version, name))
        if version == 0:
            # Asked first: who owns a schema that was made for it need not be allowed to make one.
            if connection.execute(f"SELECT to_regnamespace('{SCHEMA}')").fetchone()[0] is None:
                connection.execute(f"CREATE SCHEMA {SCHEMA}")
            connection.execute("CREATE TABLE about (version INTEGER NOT NULL, books TEXT NOT NULL)")
            connection.execute("INSERT INTO about (version, books) VALUES (0, replace(gen_random_uuid()::text, '-', ''))")
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"UPDATE about SET version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def refusal(version: int, name: str) -> str:
    """Why tables of this version cannot be used, in words; empty where they can."""
    if version == len(MIGRATIONS):
        return ""
    if version == 0:
        return f"{name} has no books of stepfare: start a daemon with its ledger there once, which makes them"
    whose = (
        "an older stepfare: start a daemon whose role owns the tables, which brings them up to date"
        if version < len(MIGRATIONS)
        else "a newer stepfare: update"
    )
    return f"the books at {name} were written by {whose} (version {version} of the tables, this one knows {len(MIGRATIONS)})"


def flaws(connection: Connection) -> Iterator[str]:
    """Guards that were removed or switched off."""
    rows = connection.execute(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = ? AND tgenabled <> 'D'",
        (SCHEMA,),
    )
    found = {name for (name,) in rows}
    missing = sorted(set(GUARDS) - found)
    if missing:
        yield f"what keeps the journal from being changed was removed: {', '.join(missing)}"
    count, kept = connection.execute("SELECT count, hash FROM head").fetchone()
    last = connection.execute("SELECT row, hash FROM journal ORDER BY row DESC LIMIT 1").fetchone()
    if (count, kept) != (last or (0, GENESIS)):
        yield f"the journal ends at row {last[0] if last else 0}, but its head says that row {count} was written last"
