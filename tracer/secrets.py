"""The program's command line in the trace, with values that look secret masked.

Names decide, not values: `--db-password VALUE`, `API_KEY=VALUE`, `Authorization: VALUE`, and
what comes before the host in a URL. It imports nothing, since it runs in the traced program.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
_MOST = 4096  # characters examined: a trace keeps the first 500 bytes

# A name is secret when one of its words is: api-key, GITHUB_TOKEN, dbPassword …
_WORDS = frozenset(
    (
        *("auth", "authorization", "bearer", "cookie", "credential", "credentials", "key"),
        *("pass", "passphrase", "passwd", "password", "passwords", "pwd", "secret", "secrets"),
        "token",
    )
)
# … or if it ends like one, written together: PGPASSWORD, authtoken, apikey.
_ENDINGS = ("apikey", "passphrase", "passwd", "password", "pwd", "secret", "token")
_QUOTES = "\"'"
_AFTER_VALUE = frozenset(" \t\r\n&;,\"')}]")


def masked(words: "Iterable[str]") -> list[str]:
    """The words, with a mask in place of each secret."""
    shown: list[str] = []
    length = 0
    follows = False  # the value of the previous option
    for given in words:
        word = given[:_MOST]
        if follows and not word.startswith("--"):
            shown.append(MASK)
            follows = False
            continue
        is_option = word.startswith("-")
        follows = is_option and "=" not in word and _is_secret(word)
        option, equals, value = word.partition("=")
        if is_option and equals and not any(c in option for c in " \t\n:/"):
            shown.append(f"{option}={MASK if _is_secret(option) else _hidden(value)}")
        else:
            shown.append(_hidden(word))
        length += len(shown[-1])
        if length > _MOST:
            break
    return shown


def _is_secret(name: str) -> bool:
    word = ""
    for at, letter in enumerate(name + "-"):
        hump = letter.isupper() and name[at - 1 : at].islower()
        if letter.isalpha() and not hump:
            word += letter
            continue
        lower = word.lower()
        if lower in _WORDS or lower.endswith(_ENDINGS):
            return True
        word = letter if hump else ""
    return False


def _hidden(text: str) -> str:
    """The text without the values of `NAME=VALUE` and `NAME: VALUE`, and passwords of URLs."""
    text = _without_userinfo(text)
    at = 0
    while at < len(text):
        if text[at] in "=:":
            start, name = _name_before(text, at)
            if name and _is_secret(name):
                end = _end_of_value(text, at, text[start - 1] if start else "")
                first = at + 1
                while first < end and text[first] in " \t" + _QUOTES:
                    first += 1
                if first < end:
                    text = text[:first] + MASK + text[end:]
                    at = first + len(MASK)
                    continue
        at += 1
    return text


def _name_before(text: str, at: int) -> tuple[int, str]:
    """Where the name before a separator begins, and the name."""
    end = at
    while end and text[end - 1] in " \t" + _QUOTES:
        end -= 1
    start = end
    while start and (text[start - 1].isalnum() or text[start - 1] in "_-."):
        start -= 1
    return start, text[start:end]


def _end_of_value(text: str, separator: int, before: str) -> int:
    """The end of the value; `before` is the character before the name, "" at the start."""
    first = separator + 1
    while first < len(text) and text[first] in " \t":
        first += 1
    quote = text[first : first + 1]
    if quote and quote in _QUOTES:
        end = text.find(quote, first + 1)
        return end if end >= 0 else len(text)
    if not before or text[separator] == ":":  # the value of a header is the whole rest
        return len(text)
    ends = _AFTER_VALUE if before != ";" else ";"
    while first < len(text) and text[first] not in ends:
        first += 1
    return first


def _without_userinfo(text: str) -> str:
    at = 0
    while (at := text.find("://", at)) >= 0:
        at += 3
        end = at
        while end < len(text) and text[end] not in " \t\r\n" + _QUOTES:
            end += 1
        host = text.rfind("@", at, _end_of_authority(text, at, end))
        if host < 0:
            continue
        user, colon, _ = text[at:host].partition(":")
        # A user without password in a web address is a token.
        is_token = not colon and text[: at - 3].lower().endswith(("http", "https"))
        kept = f"{user}:{MASK}" if colon else MASK if is_token else user
        text = text[:at] + kept + text[host:]
    return text


def _end_of_authority(text: str, start: int, end: int) -> int:
    """The end of `user:password@host`; a password may have an unescaped `/`."""
    found = min((i for c in "/?#" if (i := text.find(c, start, end)) >= 0), default=end)
    port = text[start:found].rpartition(":")
    if "@" in text[start:found] or not port[1] or port[2].isdigit():
        return found
    return end
