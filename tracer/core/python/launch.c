/* Runs the traced program as plain `python` would, with no frame of the recorder below it.
 *
 * Follows the order of pymain_run_python (Modules/main.c). Every function ends the process: if Python code
 * of the recorder ran after the program, a profile or trace function that the program left behind would
 * see it. Called from launch.py only, on the main thread, with the GIL held. */
#include "python/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_MISSING 2 /* python's own exit code for a script that it cannot open */

void (*launch_on_begin)(void);

static const PyObject *main_globals;
static _PyFrameEvalFunction evaluate; /* the interpreter's, or another tool's */
static int has_begun;
static int is_refused; /* python ran nothing of the program: no such file or module, a syntax error, … */

static int *note;     /* the interpreter's, whether it ends by SIGINT … */
static int own_note;  /* … or ours, if that one is not known */
static int is_obeyed; /* sys.exit() in a script or `-c` code ends python before it looks at the note */

/* Py_AtExit callback, called when Python is finalised: ends the process as python does after an uncaught
 * KeyboardInterrupt (bpo-1054041), so that a shell notices the Ctrl-C. */
static void end_by_signal(void)
{
    if (!is_obeyed || !*note)
        return;
    fflush(stdout);
    fflush(stderr);
    signal(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    _exit(128 + SIGINT);
}

/* Finalise and end the process, as python does after a program. */
_Noreturn static void leave(int failed)
{
    PyObject *printed = PySys_GetObject("last_exc");
    if (failed && printed && compat_is_interrupt((PyObject *)Py_TYPE(printed)))
        own_note = 1;
    is_obeyed = 1;
    Py_Exit(failed != 0);
}

/* Evaluates frames until the first of __main__, which is where the program begins. */
static PyObject *await_main(PyThreadState *tstate, compat_frame *frame, int throws)
{
    if (compat_frame_globals(frame) == main_globals) {
        has_begun = 1;
        _PyInterpreterState_SetEvalFrameFunc(tstate->interp, evaluate);
        launch_on_begin();
    }
    return evaluate(tstate, frame, throws);
}

/* To be called first by every run_*. */
static void begin(void)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    PyObject *main = PyImport_AddModule("__main__");
    main_globals = main ? PyModule_GetDict(main) : NULL;
    evaluate = _PyInterpreterState_GetEvalFrameFunc(interpreter);
    _PyInterpreterState_SetEvalFrameFunc(interpreter, await_main);
    note = compat_interrupt_note();
    if (!note)
        note = &own_note;
    *note = 0;
    Py_AtExit(end_by_signal); /* callbacks run in reverse order: those of extensions run before this one */
    compat_hide_callers(PyThreadState_Get());
}

static void note_interrupt(void)
{
    if (compat_is_interrupt(PyErr_Occurred()))
        *note = 1;
}

/* Whether only the machinery that imports the program has raised the current error. */
static int of_import(void)
{
    static const char *const machinery[] = {"runpy", "pkgutil", "zipimport", "_frozen_importlib",
                                            "_frozen_importlib_external", "importlib._bootstrap",
                                            "importlib._bootstrap_external"};
    PyObject *error = PyErr_GetRaisedException(), *at = PyException_GetTraceback(error);
    int known = 1;
    for (PyTracebackObject *entry = (PyTracebackObject *)at; known && entry; entry = entry->tb_next) {
        PyObject *globals = PyFrame_GetGlobals(entry->tb_frame);
        PyObject *name = PyDict_GetItemString(globals, "__name__"); /* borrowed */
        known = 0;
        for (size_t i = 0; !known && i < sizeof machinery / sizeof *machinery; i++)
            known = name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, machinery[i]) == 0;
        Py_DECREF(globals);
    }
    Py_XDECREF(at);
    PyErr_SetRaisedException(error);
    return known;
}

/* Print the current error (SystemExit ends the process in there) and leave. */
_Noreturn static void leave_with_error(void)
{
    if (COMPAT_EARLY_INTERRUPT_KILLS)
        note_interrupt();
    is_obeyed = PyErr_ExceptionMatches(PyExc_SystemExit);
    is_refused = !has_begun && of_import();
    PyErr_Print();
    leave(1);
}

/* Puts path0 in front of sys.path (None: nothing); subinterpreters inherit it, and sys.argv. */
static void insert_path0(PyObject *path0)
{
    wchar_t *wide = NULL;
    if (path0 != Py_None) {
        PyObject *path = PySys_GetObject("path");
        if (!path || !PyList_Check(path)) {
            PyErr_SetString(PyExc_RuntimeError, "unable to get sys.path");
            leave_with_error();
        }
        if (PyList_Insert(path, 0, path0) < 0)
            leave_with_error();
        wide = PyUnicode_AsWideCharString(path0, NULL);
        if (!wide)
            leave_with_error();
    }
    PyObject *argv = PySys_GetObject("argv"), *orig_argv = PySys_GetObject("orig_argv");
    if (!argv || !PyList_Check(argv) || !orig_argv || !PyList_Check(orig_argv)) {
        PyErr_SetString(PyExc_RuntimeError, "unable to get sys.argv");
        leave_with_error();
    }
    if (compat_configure_subinterpreters(argv, orig_argv, wide) < 0)
        leave_with_error();
    PyMem_Free(wide);
}

_Noreturn static void run_as_module(PyObject *name, int set_argv0)
{
    if (PySys_Audit("cpython.run_module", "O", name) < 0)
        leave_with_error();
    PyObject *runpy = PyImport_ImportModule("runpy");
    PyObject *run = runpy ? PyObject_GetAttrString(runpy, "_run_module_as_main") : NULL;
    if (!run)
        leave_with_error();
    Py_DECREF(runpy);
    PyObject *result =
        PyObject_CallFunctionObjArgs(run, name, set_argv0 ? Py_True : Py_False, NULL);
    Py_DECREF(run);
    if (!result) {
        note_interrupt();
        leave_with_error();
    }
    Py_DECREF(result);
    leave(0);
}

/* Opens the script as a stream that is closed on exec; NULL with errno set on failure. */
static FILE *open_script(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    FILE *stream = fdopen(fd, "rb");
    if (!stream)
        close(fd);
    return stream;
}

_Noreturn static void run_script(PyObject *filename)
{
    if (PySys_Audit("cpython.run_file", "O", filename) < 0)
        leave_with_error();
    PyObject *encoded = PyUnicode_EncodeFSDefault(filename);
    if (!encoded)
        leave_with_error();
    FILE *stream = open_script(PyBytes_AS_STRING(encoded));
    PyObject *python = PySys_GetObject("executable");
    if (!stream) {
        PySys_FormatStderr("%S: can't open file %R: [Errno %d] %s\n", python, filename, errno,
                           strerror(errno));
        is_refused = 1;
        Py_Exit(EXIT_MISSING);
    }
    struct stat status;
    if (fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode)) {
        PySys_FormatStderr("%S: %R is a directory, cannot continue\n", python, filename);
        is_refused = 1;
        Py_Exit(1);
    }
    if (Py_MakePendingCalls() < 0)
        leave_with_error();
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    int failed = PyRun_AnyFileExFlags(stream, PyBytes_AS_STRING(encoded), 1, &flags);
    Py_DECREF(encoded);
    is_refused = failed && !has_begun;
    leave(failed);
}

/* run_file(filename, path0): a script, or a directory or archive that has a __main__. */
static PyObject *run_file(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *filename, *path0;
    if (!PyArg_ParseTuple(args, "UO:run_file", &filename, &path0))
        return NULL;
    begin();
    PyObject *importer = PyImport_GetImporter(filename);
    if (!importer) {
        PySys_WriteStderr("Failed checking if argv[0] is an import path entry\n");
        leave_with_error();
    }
    int is_package = importer != Py_None;
    Py_DECREF(importer);
    insert_path0(is_package ? filename : path0);
    if (is_package) {
        PyObject *name = PyUnicode_FromString("__main__");
        if (!name)
            leave_with_error();
        run_as_module(name, 0);
    }
    run_script(filename);
}

/* run_module(name, path0): what `python -m name` does. */
static PyObject *run_module(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *name, *path0;
    if (!PyArg_ParseTuple(args, "UO:run_module", &name, &path0))
        return NULL;
    begin();
    insert_path0(path0);
    run_as_module(name, 1);
}

/* run_command(code, path0): what `python -c code` does. */
static PyObject *run_command(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *code, *path0;
    if (!PyArg_ParseTuple(args, "UO:run_command", &code, &path0))
        return NULL;
    begin();
    insert_path0(path0);
    if (PySys_Audit("cpython.run_command", "O", code) < 0)
        leave_with_error();
    PyObject *encoded = PyUnicode_AsUTF8String(code);
    if (!encoded) {
        PySys_WriteStderr("Unable to decode the command from the command line:\n");
        leave_with_error();
    }
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    flags.cf_flags |= PyCF_IGNORE_COOKIE;
    int failed = compat_run_command(PyBytes_AS_STRING(encoded), &flags, note);
    Py_DECREF(encoded);
    is_refused = failed && !has_begun;
    leave(failed);
}

static PyObject *program_was_refused(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(is_refused);
}

PyMethodDef launch_methods[] = {
    {"run_file", run_file, METH_VARARGS, "Become the program in a file; does not return."},
    {"run_module", run_module, METH_VARARGS, "Become `python -m name`; does not return."},
    {"run_command", run_command, METH_VARARGS, "Become `python -c code`; does not return."},
    {"program_was_refused", program_was_refused, METH_NOARGS,
     "program_was_refused() -> bool\n\nWhether python ended without running anything of the program."},
    {NULL, NULL, 0, NULL},
};
