"""Which values of a command line are masked."""

import pytest

from tracer.secrets import masked

CASES = {
    # options
    "--password hunter2 file": "--password *** file",
    "--password=hunter2 file": "--password=*** file",
    "-password hunter2": "-password ***",
    "--db-password -x": "--db-password ***",
    "--token --verbose": "--token --verbose",
    "--api-key a --key b --secret c": "--api-key *** --key *** --secret ***",
    "--authToken=a --accessToken b": "--authToken=*** --accessToken ***",
    "--apikey c --auth d": "--apikey *** --auth ***",
    "--keyword a --monkey=b --max-tokens 100": "--keyword a --monkey=b --max-tokens 100",
    "--tokenizer=a -p b --passive": "--tokenizer=a -p b --passive",
    "--no-password": "--no-password",
    # assignments
    "PASSWORD=a API_KEY=b PGPASSWORD=c N=1": "PASSWORD=*** API_KEY=*** PGPASSWORD=*** N=1",
    "-e SECRET_KEY_BASE=a --env=TOKEN2=b": "-e SECRET_KEY_BASE=*** --env=TOKEN2=***",
    "-Dsecret=a --set db.password=b": "-Dsecret=*** --set db.password=***",
    "a=b=c --n=1 x:y": "a=b=c --n=1 x:y",
    # addresses
    "postgres://me:pw@host:5432/db": "postgres://me:***@host:5432/db",
    "redis://:pw@h/0,redis://:pw@g/1": "redis://:***@h/0,redis://:***@g/1",
    "postgres://me:p/w@host/db": "postgres://me:***@host/db",
    "postgres://me:p@w@host/db": "postgres://me:***@host/db",
    "https://ghp_0123@github.com/x.git": "https://***@github.com/x.git",
    "ssh://git@host/x http://h:80/a@b": "ssh://git@host/x http://h:80/a@b",
    "https://h/p?token=a&x=1#top": "https://h/p?token=***&x=1#top",
    "--dsn=mysql://root:pw@h/db": "--dsn=mysql://root:***@h/db",
}
WHOLE = {
    "Authorization: Bearer a b": "Authorization: ***",
    "-HX-Api-Key: a": "-HX-Api-Key: ***",
    "--header=Authorization: Bearer a": "--header=Authorization: ***",
    "--header=Accept: text/html": "--header=Accept: text/html",
    "PASSWORD=a b & c": "PASSWORD=***",
    "host=x password=y dbname=z": "host=x password=*** dbname=z",
    "Server=a;Password=b c;Port=1": "Server=a;Password=***;Port=1",
    '{"password": "a b", "n": 1}': '{"password": "***", "n": 1}',
    "connect(password='a b', n=1)": "connect(password='***', n=1)",
    "": "",
    "=": "=",
    "://": "://",
    "password=": "password=",
    "token:": "token:",
}


@pytest.mark.parametrize("given", CASES)
def test_words(given: str) -> None:
    assert masked(given.split()) == CASES[given].split()


@pytest.mark.parametrize("given", WHOLE)
def test_one_word(given: str) -> None:
    assert masked([given]) == [WHOLE[given]]


def test_long_command_lines() -> None:
    """What no trace has room for is not looked at."""
    assert len("".join(masked(["word"] * 1_000_000))) < 10_000
    assert masked(["--password", "x" * 1_000_000]) == ["--password", "***"]
    assert len(masked(["x" * 1_000_000])[0]) < 10_000
