"""Running a program in this process as if the interpreter had been started with it.

Its module stays ``__main__`` to the very end, unlike with `runpy`, so that what runs
late (threads, ``atexit``) and what looks it up by name (pickle, multiprocessing) finds
it. Nothing is caught: how it ends is the interpreter's to settle.
"""

import builtins
import importlib.util
import io
import os
import pkgutil
import sys
from importlib.machinery import (
    BuiltinImporter,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType, TracebackType
from typing import Any

from attrs import frozen

__all__ = ["Program"]


@frozen
class Program:
    """A program, as the interpreter's own command line would name it.

    Attributes:
        name: A file, a folder or archive with a ``__main__``; a module; or code.
        arguments: Its arguments.
        kind: ``"file"``, ``"module"`` or ``"code"``.
    """

    name: str
    arguments: tuple[str, ...] = ()
    kind: str = "file"

    def run(self) -> None:
        """Run it, to its end.

        Raises:
            SystemExit: There is no such program; or it says so.
            BaseException: Whatever else it ends with.
        """
        if self.kind == "module":
            sys.argv = ["-m", *self.arguments]
            _start_from(os.getcwd())
            spec, code = _find_module(self.name)
            sys.argv[0] = spec.origin or self.name
            _execute(code, _main_of(spec))
        elif self.kind == "code":
            sys.argv = ["-c", *self.arguments]
            _start_from("")
            main = _main(BuiltinImporter)
            del main.__cached__
            _execute(self.name, main)
        else:
            sys.argv = [self.name, *self.arguments]
            self._run_file()

    def _run_file(self) -> None:
        # Joined and no more, as the interpreter does it.
        path = os.path.join(os.getcwd(), self.name)
        finder: Any = pkgutil.get_importer(path)
        if finder is not None:
            _start_from(path)
            spec = finder.find_spec("__main__")
            if spec is None or spec.loader is None:
                raise SystemExit(f"{_NAME}: no __main__ module in {self.name!r}")
            _execute(spec.loader.get_code("__main__"), _main_of(spec))
            return
        _start_from(os.path.dirname(os.path.realpath(path)))
        loader: SourceFileLoader | SourcelessFileLoader
        if path.endswith(".pyc"):
            loader = SourcelessFileLoader("__main__", path)
        else:
            loader = SourceFileLoader("__main__", path)
        main = _main(loader)
        main.__file__ = path
        try:
            with io.open_code(path) as file:
                text = file.read()
        except OSError as exc:
            print(f"{_NAME}: can't open {path!r}: {exc.strerror}", file=sys.stderr)
            raise SystemExit(2) from None
        if isinstance(loader, SourcelessFileLoader):
            _execute(loader.get_code("__main__"), main)
        else:
            _execute(text, main, path)


_NAME = "libretto-instrument run"
#: Where this package was found.
_HOME = os.path.abspath(os.path.join(__file__, "..", "..", "..", ".."))


def _start_from(place: str) -> None:
    """Let imports look where the program's would, and not where this command's did."""
    # With -P or -I there is no such place, and what is first is somebody else's.
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    # An archive or a checkout that we were started from must be found for longer.
    needed = bool(sys.path) and os.path.abspath(sys.path[0]) == _HOME
    sys.path[: 0 if needed else 1] = [place]


def _find_module(name: str) -> tuple[ModuleSpec, CodeType]:
    """Return what ``python -m`` would run.

    Raises:
        SystemExit: There is none, or it has no code.
    """
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            # A package is run by its __main__.
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise  # Of what the program imports, and not of the program.
        spec = None
    except ValueError:  # Something that was imported otherwise than by name.
        spec = None
    code = None
    if spec is not None and spec.loader is not None:
        # Not declared for loaders in general, but asked for by runpy, too.
        loader: Any = spec.loader
        code = loader.get_code(spec.name)
    if spec is None or code is None:
        raise SystemExit(f"{_NAME}: no module {name!r} that could be run")
    return spec, code


def _main(loader: object) -> Any:
    """Return a new ``__main__`` with what the interpreter gives it."""
    main: Any = ModuleType("__main__")
    main.__cached__ = None
    main.__builtins__ = builtins
    main.__loader__ = loader
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    return main


def _main_of(spec: ModuleSpec) -> Any:
    main = _main(spec.loader)
    main.__spec__ = spec
    main.__package__ = spec.parent
    main.__file__ = spec.origin
    main.__cached__ = spec.cached
    return main


def _execute(
    code: "CodeType | str | bytes | None", main: ModuleType, path: str = "<string>"
) -> None:
    sys.modules["__main__"] = main
    try:
        if not isinstance(code, CodeType):
            # In here, so that a SyntaxError is shown as the program's own.
            code = compile(code or "", path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as exc:
        _hide_frames(exc)
        raise


def _hide_frames(exc: BaseException) -> None:
    """See to it that the traceback begins with the program, as it would without us."""
    trace = exc.__traceback__
    theirs = trace.tb_next if trace is not None else None
    show = getattr(sys, "excepthook", sys.__excepthook__)

    def show_theirs(
        kind: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> None:
        if value is exc:
            value.__traceback__ = trace = theirs
        show(kind, value, trace)

    sys.excepthook = show_theirs
