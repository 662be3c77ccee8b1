// Where stepfare's programs lie on this machine. Knows nothing of the editor; what it may look at is handed in.

import * as path from "node:path";

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Whether a program that can be run lies there. */
  readonly runs: (file: string) => boolean;
  /** Folders of projects: no program of theirs is ever taken. */
  readonly projects: readonly string[];
}

/** The program's path, or undefined. `PATH` first, then where uv, pipx and the package managers of macOS put programs. */
export function findProgram(name: string, machine: Machine, first: readonly string[] = []): string | undefined {
  const file = machine.platform === "win32" ? `${name}.exe` : name;
  for (const folder of [...first, ...pathFolders(machine), ...usualFolders(machine)]) {
    const candidate = path.join(folder, file);
    if (!isInProject(candidate, machine) && machine.runs(candidate)) return candidate;
  }
  return undefined;
}

/** A relative entry of `PATH` means whatever folder is current, so it is passed over. */
function pathFolders({ env, platform }: Machine): string[] {
  const separator = platform === "win32" ? ";" : ":";
  return (env["PATH"] ?? env["Path"] ?? "").split(separator).filter((folder) => path.isAbsolute(folder));
}

function usualFolders({ env, platform, home }: Machine): string[] {
  const named = [env["UV_TOOL_BIN_DIR"], env["XDG_BIN_HOME"], env["PIPX_BIN_DIR"]];
  const usual = [path.join(home, ".local", "bin")];
  if (platform === "darwin") usual.push("/opt/homebrew/bin", "/usr/local/bin");
  if (platform === "linux") usual.push("/usr/local/bin");
  return [...named.filter((folder): folder is string => folder !== undefined && path.isAbsolute(folder)), ...usual];
}

function isInProject(file: string, { projects }: Machine): boolean {
  return projects.some((project) => {
    const below = path.relative(project, file);
    return below !== "" && !below.startsWith("..") && !path.isAbsolute(below);
  });
}
