# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What ``otelkit run`` makes every Python load first: it sets otelkit up, then the program starts as if alone.

Any interpreter may load this, one without otelkit and an old one too, and
whatever happens the program must run: so the syntax is plain, nothing but the
standard library is imported outside of `_set_up`, and an error ends as one
line on stderr.
"""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_ONLY_THE_PROGRAM = "_OTELKIT_RUN_ONLY_THE_PROGRAM"
_OTEL_LOADER = "opentelemetry.instrumentation.auto_instrumentation"


def _start():
    try:
        _run_hidden_sitecustomize()
    finally:
        if not _is_helper_of_multiprocessing():
            _set_up_without_effect_on_the_program()


def _run_hidden_sitecustomize():
    """Run the sitecustomize that Python would have found without this one; its errors are Python's to report."""
    mine = sys.modules.pop("sitecustomize", None)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _FOLDER]
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        # The import that is under way looks its module up once more.
        if mine is not None:
            sys.modules.setdefault("sitecustomize", mine)


def _is_helper_of_multiprocessing():
    # The resource tracker runs none of the program's code, and one is started with the first pool or shared memory.
    return any(w.startswith("from multiprocessing.resource_tracker import") for w in getattr(sys, "orig_argv", []))


def _set_up_without_effect_on_the_program():
    import warnings

    inherited = os.environ.get("PYTHONPATH", "")
    loaded_before = set(sys.modules)
    # Processes started while setting up (a resource detector's, say) must not set themselves up in turn.
    _leave_python_path()
    try:
        # Under `python -W error` a deprecation in some library would end the set-up.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _set_up()
    except Exception as error:
        _complain(error)
    finally:
        _unload_the_main_module(loaded_before)
        # Put back, so that the Python processes that the program starts are instrumented like the program.
        if os.environ.pop(_ONLY_THE_PROGRAM, None) is None:
            os.environ["PYTHONPATH"] = inherited


def _unload_the_main_module(loaded_before):
    # `python -m http.server`: that setting up has loaded the very module, runpy would warn of.
    arguments, words = getattr(sys, "argv", []), getattr(sys, "orig_argv", [])
    if arguments[:1] != ["-m"] or len(arguments) > len(words):
        return
    name = words[-len(arguments)]
    name = name.partition("m")[2] if name.startswith("-") else name
    if "." in name and name not in loaded_before and not hasattr(sys.modules.get(name), "__path__"):
        sys.modules.pop(name, None)


def _leave_python_path():
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path != _FOLDER]
    if others:
        os.environ["PYTHONPATH"] = os.pathsep.join(others)
    else:
        os.environ.pop("PYTHONPATH", None)


def _set_up():
    import logging

    from opentelemetry.instrumentation.auto_instrumentation import initialize

    def is_news(record):
        # Tracebacks come back as the exception, told in one line below; that other configurators stand back is wanted.
        return not record.exc_info and not str(record.msg).startswith("Configuration of")

    loggers = [logging.getLogger(name) for name in (_OTEL_LOADER, _OTEL_LOADER + "._load")]
    for logger in loggers:
        logger.addFilter(is_news)
    try:
        initialize(swallow_exceptions=False)
    finally:
        for logger in loggers:
            logger.removeFilter(is_news)


def _complain(error):
    missing = (getattr(error, "name", None) or "").split(".")[0]
    if isinstance(error, ImportError) and missing in ("opentelemetry", "otelkit"):
        text = "Expected otelkit to be installed for %s, got: %s. Run `%s -m pip install otelkit`." % (  # noqa: UP031
            sys.executable,
            error,
            sys.executable,
        )
    else:
        text = "%s: %s" % (type(error).__name__, error)  # noqa: UP031
    if sys.stderr is not None:
        sys.stderr.write("otelkit: not set up, the program runs without it. %s\n" % " ".join(text.split()))  # noqa: UP031
        sys.stderr.flush()


_start()
