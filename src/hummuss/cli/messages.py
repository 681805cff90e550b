"""One line for what a user can put right, out of nested parser messages and exception chains."""

import difflib
import inspect
import os
import re
import tempfile
import traceback
from argparse import ArgumentError
from importlib import import_module
from pathlib import Path

from hummuss.errors import InputError

INTERRUPTED = 130  # a command's status after Ctrl-C, as shells count it: 128 and the signal's number
# Lines of jsonargparse's report that repeat the input or list the types that were tried.
_NOISE = re.compile(r"^(Does not validate|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>|Previous config)")
# What a loader's process makes of a mistake: its traceback as text, which ends with the mistake's own words.
_OF_WORKER = re.compile(r"\ACaught InputError in \w+ worker process.*InputError: (.*?)\s*\Z", re.DOTALL)


def one_line(error: BaseException) -> str | None:
    """The message for a mistake in the input, or None for a defect, see `defect`."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, InputError):
            return _OF_WORKER.sub(r"\1", str(link))
        # Lightning's word for options of a trainer that do not go together. By its name: to import it takes seconds.
        if type(link).__name__ == "MisconfigurationException":
            return " ".join(str(link).split())
        link = link.__cause__ or link.__context__
    return _parser_message(str(error)) if isinstance(error, ArgumentError) else None


def defect(error: BaseException, folder: Path | None) -> str:
    """One line for a defect; its traceback goes into a log in a run's folder, or in the system's temporary one."""
    trace = "".join(traceback.format_exception(error))
    first = str(error).strip().partition("\n")[0]
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    try:
        if folder is None:
            handle, name = tempfile.mkstemp(prefix="hummuss-", suffix=".log", text=True)
            os.close(handle)
            path = Path(name)
        else:
            path = folder / "error.log"
        path.write_text(trace)
    except OSError as failure:  # a full disk may be what went wrong
        return f"{what} (no log of it could be written: {failure.strerror})"
    return f"{what}; the traceback is in {path}"


def _parser_message(report: str) -> str:
    """The path of keys and the innermost complaint of a jsonargparse report."""
    keys, classes, complaints = [], [], []
    for raw in report.splitlines():
        line = raw.strip().removeprefix("- ")
        if key := re.fullmatch(r'Parser key "(.+?)":(.*)', line):
            keys.append(key[1])
            line = key[2].strip()
        elif problem := re.fullmatch(r"Problem with given class_path '(.+?)':", line):
            classes.append(problem[1])
            line = ""
        if line and not _NOISE.match(line):
            complaints.append(line)
    complaint = re.sub(r"<class '(\w+)'>", r"\1", complaints[0] if complaints else report.splitlines()[0])
    where = ".".join(keys) + (f" ({classes[-1]})" if classes else "")
    return (f"{where}: " if where else "") + complaint + _suggestion(complaint, classes)


def _suggestion(complaint: str, classes: list[str]) -> str:
    """The option that was probably meant, for one that a class does not have; the config, where none was given."""
    if re.search(r"arguments are required: (.*, )?(\w+\.)?(data|model)\b", complaint):
        return ": name a task's config, such as --config configs/pose.yaml"
    unknown = re.search(r"[Oo]ption '([\w.]+)' is not accepted", complaint)
    named = re.search(r"class_path='([\w.]+)'", complaint)  # the innermost one, where it says so
    if unknown is None or not (named or classes):
        return ""
    options = _options(named[1] if named else classes[-1])
    close = difflib.get_close_matches(unknown[1], options, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; it has {', '.join(options)}"


def _options(class_path: str) -> list[str]:
    """Names of a class's options, those it passes on to its bases included."""
    module, _, name = class_path.rpartition(".")
    options: dict[str, None] = {}
    for base in inspect.getmro(getattr(import_module(module), name)):
        if "__init__" in vars(base) and base.__module__.startswith("hummuss"):
            parameters = inspect.signature(base).parameters
            options |= dict.fromkeys(parameters)
            if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values()):
                break  # it passes on no further ones
    return [option for option in options if option != "options"]
