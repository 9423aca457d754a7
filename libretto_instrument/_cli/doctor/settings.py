"""Checks where each setting comes from. Values of keys are never shown."""

import difflib
import os
from collections.abc import Mapping
from typing import Any

from ..._config.environment import (
    API_PREFIX_ENV_VAR,
    ENDPOINT_ENV_VARS,
    ENV_VARS,
    read_env_var,
)
from ..._config.fields import FIELDS, OPTIONS
from .report import DoctorReport

_SECRET = {"api_key", "project_key"}
_QUOTES = "\"'`"


def check_settings(report: DoctorReport, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the settings, and report where each comes from; ``options`` win.

    Returns:
        The settings that can be understood.
    """
    known: dict[str, Any] = dict(options)
    for name, variable in ENV_VARS.items():
        source = "default"
        if name in options:
            source = OPTIONS[name]
        else:
            try:
                value = read_env_var(name)
            except ValueError as exc:
                report.add_problem(
                    "malformed-variable", str(exc), f"Correct {variable}."
                )
                report.add_fact("settings", name, {"value": None, "from": variable})
                continue
            if value is not None:
                known[name] = value
                source = variable
        shown = known.get(name, FIELDS[name].default)
        if FIELDS[name].is_secret:
            shown = "set" if shown else "not set"
        elif name == "templates" and shown is not None:
            shown = repr(shown)
        report.add_fact("settings", name, {"value": shown, "from": source})
    _check_keys(report, known)
    _check_others(report, known)
    _check_typos(report)
    return known


def _check_keys(report: DoctorReport, known: Mapping[str, Any]) -> None:
    if not _SECRET & known.keys():
        report.add_problem(
            "no-api-key",
            "There is no Libretto API key, so nothing is recorded.",
            f"Set {ENV_VARS['api_key']}. (A key that the program gives to install() "
            "is not seen here.)",
        )
    for name in sorted(_SECRET & known.keys()):
        key = known[name]
        as_such = key.isascii() and key.isprintable()
        if not as_such or key != key.strip().strip(_QUOTES):
            report.add_problem(
                "malformed-key",
                f"{ENV_VARS[name]} has quotes, blanks or other marks that no key has.",
                f"Set {ENV_VARS[name]} to the key alone.",
            )


def _check_others(report: DoctorReport, known: Mapping[str, Any]) -> None:
    names = ("prompt_template_name", "allow_unnamed_prompts", "templates")
    if not any(map(known.get, names)):
        report.add_warning(
            "no-template-name",
            "Calls without a prompt template name of their own are not recorded.",
            f"Set {ENV_VARS['prompt_template_name']}, or "
            f"{ENV_VARS['allow_unnamed_prompts']}=1 to have them named by Libretto; "
            "or give prompt_template_name in the program.",
        )
    if known.get("enabled") is False:
        report.add_problem(
            "switched-off",
            f"{ENV_VARS['enabled']} switches recording off.",
            f"Unset {ENV_VARS['enabled']}.",
        )
    if known.get("sample_rate") == 0:
        report.add_problem(
            "nothing-sampled",
            "The sample rate is 0: no call is recorded.",
            f"Unset {ENV_VARS['sample_rate']}, or set it above 0.",
        )


def _check_typos(report: DoctorReport) -> None:
    own = {variable for variable, _ in ENDPOINT_ENV_VARS.values()}
    variables = {*ENV_VARS.values(), API_PREFIX_ENV_VAR, *own}
    for name in sorted(os.environ):
        if name.startswith("LIBRETTO_") and name not in variables:
            near = difflib.get_close_matches(name, variables, n=1)
            report.add_warning(
                "unknown-variable",
                f"{name} is set, but no such variable is read.",
                f"Did you mean {near[0]}?" if near else f"Unset {name}.",
            )
