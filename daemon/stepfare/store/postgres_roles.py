"""The least that a role needs: one owns the tables, daemons only add to the journal, and whoever makes reports only reads."""

from __future__ import annotations

from collections.abc import Mapping

from stepfare.store.postgres_schema import SCHEMA
from stepfare.store.statements import DERIVED

OWNER, DAEMON, READER = "stepfare_owner", "stepfare_daemon", "stepfare_reader"
RIGHTS: Mapping[str, str] = {
    **dict.fromkeys(("journal", "decisions", "annotations"), "SELECT, INSERT"),
    **dict.fromkeys((*DERIVED, "daemons"), "SELECT, INSERT, UPDATE, DELETE"),
    "head": "SELECT, UPDATE",
    "about": "SELECT",
    "thinned": "SELECT",
}
"""What a daemon may do with each table. It can neither change nor remove what was written, nor take away what keeps it from that. Old
reasons go by a function of the owner's (`[ledger] keep_days`)."""


def script() -> str:
    """SQL for a person to read and to run as a superuser, before the tables are made and again after it."""
    grants = "\n".join(f"        GRANT {rights} ON {SCHEMA}.{table} TO {DAEMON};" for table, rights in RIGHTS.items())
    return f"""-- Roles for books that daemons share: `stepfare ledger roles` prints this.
-- Run it as a superuser in the database of the books, before the tables are made and again after that: it may be run any number of times.
--   {OWNER}    owns the tables: start the first daemon as this role, or move books with it; start one after every update.
--   {DAEMON}   is what daemons connect as: it adds to the journal and can neither change nor remove what is in it.
--   {READER}   reads, for reports.
-- Give those that log in a password (\\password {DAEMON} in psql), or let the server know them by certificate or socket.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN CREATE ROLE {OWNER} LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DAEMON}') THEN CREATE ROLE {DAEMON} LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN CREATE ROLE {READER} LOGIN; END IF;
END $$;
CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER};
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
GRANT USAGE ON SCHEMA {SCHEMA} TO {DAEMON}, {READER};
DO $$ BEGIN
    IF to_regclass('{SCHEMA}.journal') IS NULL THEN
        RAISE NOTICE 'the tables are not made yet: start a daemon as {OWNER}, then run this again';
    ELSE
{grants}
        GRANT USAGE ON SEQUENCE {SCHEMA}.decisions_row_seq TO {DAEMON};
        GRANT EXECUTE ON FUNCTION {SCHEMA}.thin TO {DAEMON};
        GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {READER};
    END IF;
END $$;
"""
