/* Runs the traced program as plain `python` would: no frame of ours below it. */
#include "compat.h"

PyMethodDef launch_methods[] = {{NULL, NULL, 0, NULL}};
