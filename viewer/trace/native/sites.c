/* Speed-up of sites.py, the Python twin: where slices have an argument, and the user's frame in the
 * place of a library's. */
#include "columns.h"

/* By slice, where the argument of a name is: at its begin, else at its end; -1 at neither.
 * `kinds` has a bit for each kind of value that counts. */
static PyObject *find(PyObject *const *args, Py_ssize_t nargs, unsigned kinds)
{
    Inputs in;
    Column out = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iiiiBn") < 0) {
        goto done;
    }
    const int32_t *ends[] = {in.view[0].buf, in.view[1].buf};
    const int32_t *arg_start = in.view[2].buf, *arg_name = in.view[3].buf;
    const uint8_t *arg_kind = in.view[4].buf;
    Py_ssize_t n = in.length[0], events = in.length[2] - 1, name = in.number[5];
    if (in.length[1] != n || events < 0 || in.length[3] != in.length[4]) {
        bad_columns();
        goto done;
    }
    if (check_range(ends[0], n, -1, events) < 0 || check_range(ends[1], n, -1, events) < 0
        || column_fill(&out, n * 4, 0xFF) < 0) {
        goto done;
    }
    int32_t *found = (int32_t *)out.data;
    for (Py_ssize_t i = 0; i < n; i++) {
        for (int end = 0; end < 2 && found[i] < 0; end++) {
            if (ends[end][i] < 0) {
                continue;
            }
            const int32_t *args_of = arg_start + ends[end][i];
            if (args_of[0] < 0 || args_of[1] > in.length[3]) { /* of these few events alone */
                bad_columns();
                goto done;
            }
            for (int32_t a = args_of[0]; a < args_of[1]; a++) {
                if (arg_name[a] == name && arg_kind[a] < 8 && kinds >> arg_kind[a] & 1) {
                    found[i] = a;
                    break;
                }
            }
        }
    }
    result = column_view(&out, "i");
done:
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}

/* find_args(event, end_event, arg_start, arg_name, arg_kind, name): of texts */
PyObject *find_args(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    return find(args, nargs, 1u << ARG_KIND_STRING);
}

/* find_numbers: the same arguments; of whole numbers */
PyObject *find_numbers(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    return find(args, nargs, 1u << ARG_KIND_BOOL | 1u << ARG_KIND_UINT | 1u << ARG_KIND_INT);
}

/* head_sites(value, site_at, stack_at, own, head, is_library): the values, with the head of the
 * slice's stack in place of each site that is a library's; not where the site is a task's own */
PyObject *head_sites(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out = {0};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "qiiiiB") < 0) {
        goto done;
    }
    const int64_t *value = in.view[0].buf;
    const int32_t *site_at = in.view[1].buf, *stack_at = in.view[2].buf, *own = in.view[3].buf;
    const int32_t *head = in.view[4].buf;
    const uint8_t *is_library = in.view[5].buf;
    Py_ssize_t values = in.length[0], n = in.length[1], heads = in.length[4];
    Py_ssize_t strings = in.length[5];
    if (in.length[2] != n || in.length[3] != n || heads > strings) {
        bad_columns();
        goto done;
    }
    if (check_range(site_at, n, -1, values) < 0 || check_range(stack_at, n, -1, values) < 0
        || column_fill(&out, values * 8, 0) < 0) {
        goto done;
    }
    int64_t *sites = (int64_t *)out.data;
    memcpy(sites, value, (size_t)values * 8);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (site_at[i] < 0 || stack_at[i] < 0 || own[i] >= 0) {
            continue;
        }
        int64_t site = value[site_at[i]], stack = value[stack_at[i]];
        if (site < 0 || site >= strings || stack < 0 || stack >= heads) {
            bad_columns();
            goto done;
        }
        if (is_library[site] && head[stack] >= 0) {
            sites[site_at[i]] = head[stack];
        }
    }
    result = column_view(&out, "q");
done:
    free_columns(&out, 1);
    inputs_free(&in);
    return result;
}
