/* CPU samples: frames, callstacks and perf_sample packets to columns. */
#ifndef VIEWER_SAMPLES_H
#define VIEWER_SAMPLES_H
#include "reading.h"

/* Parse functions return 1 if well-formed, 0 if malformed, 2 if of no use, -1 with an exception set. */
int read_perf_defaults(Sequence *q, Span s);
int read_frame(Decoder *d, Sequence *q, Span s);
int read_stack(Decoder *d, Sequence *q, Span s);
int read_sample(Decoder *d, const Sequence *q, Span s, int64_t time);

#endif
