"""Whether a result says that its call failed."""

from __future__ import annotations

import pytest

from stepfare.core.step import ActionKind, Fault
from stepfare.steps.results import fault_of

TEST, RUN, READ, EDIT, SEARCH = ActionKind.TEST, ActionKind.RUN, ActionKind.READ, ActionKind.EDIT, ActionKind.SEARCH


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (TEST, "==== 3 passed in 0.1s ====", False),
        (TEST, "ok  \tpkg\t0.1s\n0 failed", False),
        (TEST, "1 failed, 2 passed", True),
        (TEST, "--- FAIL: TestX (0.00s)\nFAIL", True),
        (TEST, "src/a.ts(3,1): error TS2304: Cannot find name", True),
        (TEST, "error[E0382]: borrow of moved value", True),
        (TEST, "a.go:3:2: error: undefined", True),
        (TEST, "✗ adds up", True),
        (TEST, "x\n" * 5_000 + "Tests: 1 failed, 9 passed", True),
        (TEST, "Process exited with code 1\nOutput:\n", True),
        (TEST, "<returncode>0</returncode>\n<output>\nTraceback (most recent call last):\n", True),
        (TEST, '{"returncode": 2, "output": ""}', True),
        (TEST, "Chunk ID: 3f\nWall time: 0.1 seconds\nProcess exited with code 1\nOutput:\n", True),
        (TEST, "Chunk ID: 3f\nWall time: 10.0 seconds\nProcess running with session ID 7\nOutput:\ncollecting ...", False),
        (EDIT, "Chunk ID: 3f\nProcess exited with code 1\nOutput:\nFailed to find expected lines in a.py", True),
        (READ, "Chunk ID: 3f\nProcess exited with code 0\nOutput:\nError: the first line of a log", False),
        (SEARCH, "Chunk ID: 3f\nProcess exited with code 1\nOutput:\n", False),
        (TEST, "Script completed\nWall time 0.4 seconds\nOutput:\n\n1 failed, 2 passed", True),
        (TEST, "Script completed\nWall time 0.4 seconds\nOutput:\n\n3 passed", False),
        (TEST, 'Script completed\nWall time 0.4 seconds\nOutput:\n\n{"exit_code":1,"output":""}', True),
        (EDIT, "Script completed\nWall time 0.1 seconds\nOutput:\n\nSuccess. Updated the following files:\nM a.py", False),
        (EDIT, "Script completed\nWall time 0.1 seconds\nOutput:\n\nTraceback (most recent call last):", True),
        (EDIT, "Script failed\nWall time 0.1 seconds\nOutput:\n\napply_patch verification failed: no such lines", True),
        (READ, "Script failed\nWall time 0.1 seconds\nOutput:\n\nReferenceError: x", True),
        (EDIT, "apply_patch verification failed: Failed to find expected lines in a.py", True),
        (EDIT, "exec_command failed: rejected by user", False),
        (RUN, "exec_command failed: no such session", True),
        (RUN, "Exit code 127\nfoo: command not found", True),
        (RUN, "Process exited with code 0\nOutput:\ndone", False),
        (RUN, "On branch main", False),
        (READ, "def fail():\n    raise Error\n# 3 failed", False),
        (READ, "Error: ENOENT no such file", True),
        (READ, '[{"query": "a.py", "result": "", "success": false}]', True),
        (SEARCH, "src/a.py:3: error handling", False),
        (EDIT, "<tool_use_error>String to replace not found in file.</tool_use_error>", True),
        (EDIT, "The tool execution failed with the following error:\n<error>\nno match\n</error>", True),
        (EDIT, "The file was updated.", False),
        (EDIT, "The user doesn't want to proceed with this tool use. Error: no", False),
        (EDIT, "", False),
    ],
)
def test_a_result_tells_failure_from_success(kind: ActionKind, text: str, expected: bool) -> None:
    assert (fault_of(kind, text) is not Fault.NONE) is expected
