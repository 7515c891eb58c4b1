"""The local page: a server on 127.0.0.1 that answers from one trace in memory."""
