"""config.gin as settings by name, and in which of them configurations differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SETTING = re.compile(r"([\w./]+)\s*=\s*(.*)|(include) (.*)", re.DOTALL)


def settings(config: str) -> dict[str, str]:
    """The bindings of a config.gin, as written, and what it includes; imports are left out.

    A value may go on in further lines, which are indented or close a bracket.
    """
    statements: list[str] = []
    for line in config.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if statements and (line[0].isspace() or line[0] in ")]}"):
            statements[-1] = statements[-1].rstrip("\\").rstrip() + " " + line.strip()
        else:
            statements.append(line.strip())
    found = (_SETTING.fullmatch(statement) for statement in statements)
    return {match[1] or match[3]: match[2] or match[4] for match in found if match}


def differences(configs: Sequence[dict[str, str]]) -> dict[str, list[str | None]]:
    """What is not the same in all configurations: values by name, None where it is not set."""
    names = sorted({name for config in configs for name in config})
    values = {name: [config.get(name) for config in configs] for name in names}
    return {name: found for name, found in values.items() if len(set(found)) > 1}
