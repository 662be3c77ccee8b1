//! Tells Zed how to start stepfare's language server: the one on the user's PATH. What it says is shown by Zed itself.

use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

const PROGRAM: &str = "stepfare-lsp";

struct Stepfare;

impl zed::Extension for Stepfare {
    fn new() -> Self {
        Stepfare
    }

    fn language_server_command(
        &mut self,
        _server: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<Command> {
        let command = worktree.which(PROGRAM).ok_or_else(|| {
            format!("{PROGRAM} is not on your PATH. Install it with `uv tool install stepfare`, then restart Zed.")
        })?;
        Ok(Command {
            command,
            args: vec!["--stdio".to_string()],
            env: worktree.shell_env(),
        })
    }
}

zed::register_extension!(Stepfare);
