#!/usr/bin/env python3
"""Lists what weft's public headers declare, one declaration a line, and compares two such lists.

  declarations.py list INCLUDE_DIR          the declarations of the headers below INCLUDE_DIR/weft
  declarations.py unused LIST FILE...       what a list has and none of the programs FILE names
  declarations.py compare OLD NEW [--accept FILE]
                                            what became of OLD in NEW; the last line is `difference: none`,
                                            `addition` or `break`; the exit status is 0, 1 or 2

A declaration is public when it stands in namespace weft and not in weft::detail, whichever header holds it.
Public members that a public class inherits from weft::detail count as its own.

The list is read from the sources themselves, so it also has templates, which leave no symbol behind. It does
not change with formatting, comments, names of parameters, names of template parameters, attributes, function
bodies, `inline`, `typename` for `class`, or `= default`. It does change with types, default arguments,
initial values of members, constraints, and the order of data members.

FILE lists differences that somebody has judged to be no break, one a line as `compare` prints them; # starts a
comment that says why.
"""
import re
import sys
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<fence>[^()\\\s]*)\(.*?\)(?P=fence)")
      | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
      | (?P<mark><=>|\.\.\.|->\*|->|::|\+\+|--|<<=|<<|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)""",
    re.VERBOSE | re.DOTALL,
)
OPENING = {"(": ")", "[": "]", "{": "}"}
KEYWORD_TYPES = set("void bool char int long short signed unsigned float double auto wchar_t char8_t char16_t char32_t"
                    .split())
QUALIFIERS = {"const", "volatile"}
LOOSENING = {"constexpr", "noexcept"}   # A program may rely on them: to lose one is a break, to gain one an addition.
TIGHTENING = {"explicit", "consteval"}  # The other way round.


class Fault(Exception):
    pass


class Token(str):
    """A token's text, and the line that it stands on."""
    line = 0

    def __new__(cls, text, line):
        token = super().__new__(cls, text)
        token.line = line
        return token


def is_word(token):
    return re.fullmatch(r"[A-Za-z_]\w*", token) is not None


def tokens_of(path):
    """The tokens of a file without its preprocessor lines, and the macros that it defines."""
    text = path.read_text(encoding="utf-8")
    macros = []

    def directive(match):
        define = re.match(r"\s*#\s*define\s+(\w+(?:\([^)]*\))?)", match.group(0))
        # Like namespace weft::detail, these are nobody's but the header's: it undefines them.
        if define and not define.group(1).startswith("WEFT_DETAIL_"):
            macros.append(define.group(1).replace(" ", ""))
        return "\n" * match.group(0).count("\n")

    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", directive, text, flags=re.MULTILINE)
    tokens, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match.group("space"):
            tokens.append(Token(match.group(0), line))
        line += match.group(0).count("\n")
        at = match.end()
    return tokens, macros


class Entity:
    """A class (or enumeration, or namespace) with what is declared in it."""

    def __init__(self, path, parameters=(), arguments="", bases=()):
        self.path = path                # ("weft", "chan")
        self.parameters = parameters    # Names of template parameters, those of the classes around it first.
        self.arguments = arguments      # Of a partial specialisation: "<Self, void>".
        self.bases = bases              # Token lists of public bases.
        self.lines = []                 # (name, text) of its public members.


def join(tokens):
    """One spelling for a list of tokens."""
    out, before = "", ""
    for token in tokens:
        starts_word = re.match(r"[\w$\"']", token) is not None
        if before and (before != "operator" or starts_word) and (
                re.search(r"[\w\"'$]$", before) and starts_word
                or before in (">", "*", "&", "&&", ")") and starts_word
                or before in (",", "=", "->", "||")
                or token in ("=", "->", "||") and before != "("):
            out += " "
        out += token
        before = token
    return out


class Parser:
    def __init__(self):
        self.lines = set()      # "name: text"
        self.classes = {}       # ("weft", "detail", "sends") -> [Entity]
        self.published = []     # Entities of namespace weft.

    # ------------------------------------------------------------------------------------- groups of tokens

    def fault(self, message, token=None):
        line = f":{token.line}" if token is not None else ""
        raise Fault(f"{self.file}{line}: {message}")

    def close(self, t, i):
        """The index after the group that opens at i."""
        depth, start = [], i
        while i < len(t):
            if t[i] in OPENING:
                depth.append(OPENING[t[i]])
            elif t[i] in OPENING.values():
                if not depth or depth.pop() != t[i]:
                    self.fault(f"{t[i]} closes nothing", t[i])
                if not depth:
                    return i + 1
            i += 1
        self.fault(f"{t[start]} is not closed", t[start])

    def close_angle(self, t, i):
        """The index after the template arguments that open at i, or None when `<` there is no bracket."""
        depth = 0
        while i < len(t):
            if t[i] in OPENING:
                i = self.close(t, i)
                continue
            if t[i] == "<":
                depth += 1
            elif t[i] == ">":
                depth -= 1
                if depth == 0:
                    return i + 1
            elif t[i] in (";", ")", "]", "}"):
                return None
            i += 1
        return None

    def split(self, t):
        """Splits at the commas that stand in no bracket."""
        parts, part, i = [], [], 0
        while i < len(t):
            end = None
            if t[i] in OPENING:
                end = self.close(t, i)
            elif t[i] == "<":
                end = self.close_angle(t, i)
            if end is not None:
                part += t[i:end]
                i = end
                continue
            if t[i] == ",":
                parts.append(part)
                part = []
            else:
                part.append(t[i])
            i += 1
        if part or parts:
            parts.append(part)
        return parts

    def find(self, t, *wanted, start=0):
        """The first index of one of the wanted tokens that stands in no bracket, or None."""
        i = start
        while i < len(t):
            if t[i] in wanted:
                return i
            end = None
            if t[i] in OPENING:
                end = self.close(t, i)
            elif t[i] == "<" and i > 0 and t[i - 1] != "operator":
                end = self.close_angle(t, i)
            i = end if end is not None else i + 1
        return None

    # ---------------------------------------------------------------------------------------------- reading

    def read(self, path, shown):
        self.file = shown
        tokens, macros = tokens_of(path)
        if "/detail/" not in f"/{shown}":
            self.lines.add(f"{shown}: header")
            for macro in macros:
                self.lines.add(f"{macro.split('(')[0]}: #define {macro}")
        end = self.scope(tokens, 0, Entity(()), "public")
        if end != len(tokens):
            self.fault("a brace closes nothing", tokens[end])

    def scope(self, t, i, inside, access, is_class=False):
        """Reads declarations up to the closing brace (or the end); returns its index."""
        while i < len(t) and t[i] != "}":
            if t[i] == ";":
                i += 1
            elif is_class and t[i] in ("public", "private", "protected") and t[i + 1] == ":":
                access = t[i]
                i += 2
            elif not is_class and (t[i] == "namespace" or t[i:i + 2] == ["inline", "namespace"]):
                i = self.namespace(t, i, inside)
            elif t[i] == "static_assert":
                i = self.close(t, i + 1)
            elif t[i] == "extern" and t[i + 1].startswith('"'):
                if t[i + 2] == "{":
                    i = self.scope(t, i + 3, inside, access) + 1
                else:
                    i += 2
            else:
                i = self.declaration(t, i, inside, access, is_class)
        return i

    def namespace(self, t, i, inside):
        transparent = t[i] == "inline"
        i += 2 if transparent else 1
        path = []
        while t[i] not in ("{", "="):
            if is_word(t[i]):
                path.append(str(t[i]))
            i += 1
        if t[i] == "=":
            return self.find(t, ";", start=i) + 1
        # An inline namespace is no part of the names that programs write.
        entity = Entity(inside.path if transparent else inside.path + tuple(path or ["(anonymous)"]))
        return self.scope(t, i + 1, entity, "public") + 1

    def declaration(self, t, start, inside, access, is_class):
        """Reads one declaration; returns the index after it."""
        i, head, body, initialisers = start, [], None, False
        while True:
            if i >= len(t):
                self.fault("a declaration has no end", t[start])
            token = t[i]
            if token == ";":
                i += 1
                break
            if token == "}":
                self.fault(f"`{join(head)}` has no end", token)
            if token == "requires" and head and head[-1] in ("requires", "&&", "||", "=", "(", "!", ","):
                end = i + 1
                if t[end] == "(":
                    end = self.close(t, end)
                end = self.close(t, end)
                head += t[i:end]
                i = end
            elif token in ("(", "["):
                end = self.close(t, i)
                head += t[i:end]
                i = end
            elif token == ":" and self.is_function(head):
                i = self.skip_initialisers(t, i + 1)
            elif token == "{":
                kind = self.kind_of(head)
                if kind in ("class", "enum"):
                    body = i
                    i = self.close(t, i)
                    # `struct x {...} y;` declares y as well, and is not in use here.
                    if t[i] != ";":
                        self.fault("a class and a variable in one declaration", t[i])
                    i += 1
                    break
                if kind == "function":
                    i = self.close(t, i)
                    break
                end = self.close(t, i)
                head += t[i:end]
                i = end
            else:
                head.append(token)
                i += 1
        self.declared(head, t, body, inside, access, is_class)
        return i

    def skip_initialisers(self, t, i):
        """From after the colon of a constructor to the brace of its body."""
        while True:
            while t[i] not in ("(", "{"):
                end = self.close_angle(t, i) if t[i] == "<" else None
                i = end if end is not None else i + 1
            i = self.close(t, i)
            if t[i] == "...":
                i += 1
            if t[i] != ",":
                return i
            i += 1

    def after_templates(self, head):
        """Template parameter lists with their constraints, and the rest."""
        lists, i = [], 0
        constraints = []
        while i < len(head):
            if head[i] == "[" and head[i + 1] == "[":
                i = self.close(head, i)
            elif head[i] == "template" and head[i + 1] == "<":
                end = self.close_angle(head, i + 1)
                lists.append(head[i + 2:end - 1])
                i = end
            elif head[i] == "requires" and lists:
                end = self.constraint(head, i + 1)
                constraints.append(head[i + 1:end])
                i = end
            else:
                break
        return lists, constraints, head[i:]

    def constraint(self, t, i):
        """The index after a constraint-logical-or-expression that begins at i."""
        while True:
            while i < len(t) and t[i] == "!":
                i += 1
            if t[i] == "requires":
                i += 1
                if t[i] == "(":
                    i = self.close(t, i)
                i = self.close(t, i)
            elif t[i] == "(":
                i = self.close(t, i)
            else:
                while i < len(t) and (is_word(t[i]) or t[i] == "::"):
                    i += 1
                    if i < len(t) and t[i] == "<":
                        end = self.close_angle(t, i)
                        if end is None:
                            self.fault("a constraint has no end", t[i])
                        i = end
                        if i >= len(t) or t[i] != "::":
                            break
                    elif i < len(t) and is_word(t[i]) and t[i - 1] != "::":
                        break
            if i < len(t) and t[i] in ("&&", "||"):
                i += 1
                if i < len(t) and t[i] == "...":  # A fold of an old formatter: (x&&...).
                    i += 1
                continue
            return i

    def kind_of(self, head):
        _, _, rest = self.after_templates(head)
        rest = self.without_attributes(rest)
        words = [w for w in rest if w not in ("typedef", "friend")]
        if words and words[0] in ("class", "struct", "union") and self.find(words, "(", "=") is None:
            return "class"
        if words and words[0] == "enum":
            return "enum"
        return "function" if self.is_function(head) else "variable"

    def is_function(self, head):
        _, _, rest = self.after_templates(head)
        rest = self.without_attributes(rest)
        if not rest or rest[0] in ("class", "struct", "union", "enum", "using", "typedef", "concept"):
            return False
        paren = self.find(rest, "(", "=")
        if paren is not None and paren > 0 and rest[paren] == "=" and rest[paren - 1] == "operator":
            paren = self.find(rest, "(", start=paren + 1)
        return paren is not None and rest[paren] == "("

    def without_attributes(self, t):
        """Without [[...]], alignas and macros of weft that mark a declaration."""
        out, i = [], 0
        while i < len(t):
            if t[i] == "[" and i + 1 < len(t) and t[i + 1] == "[":
                i = self.close(t, i)
            elif t[i] in ("__attribute__", "alignas"):
                i = self.close(t, i + 1)
            elif not out and re.fullmatch(r"WEFT_[A-Z_]+", t[i]):
                i += 1
                if i < len(t) and t[i] == "(":
                    i = self.close(t, i)
            else:
                out.append(t[i])
                i += 1
        return out

    # -------------------------------------------------------------------------------------------- one of them

    def template_parameters(self, lists, known):
        """Names of all template parameters, and the text of the lists."""
        names, texts = list(known), []
        for parameters in lists:
            shown = []
            for parameter in self.split(parameters):
                default = self.find(parameter, "=")
                named = parameter if default is None else parameter[:default]
                if named and is_word(named[-1]) and len(named) > 1 and named[-2] != "::" or named == ["class"]:
                    name, kind = (str(named[-1]), named[:-1]) if len(named) > 1 else ("", named)
                else:
                    name, kind = "", named
                names.append(name)
                kind = ["class" if word == "typename" else word for word in kind]
                shown.append(kind + [f"${len(names)}"] + ([] if default is None else parameter[default:]))
            texts.append(shown)
        place = {name: f"${n}" for n, name in enumerate(names, 1) if name}
        shown = "".join("template<" + ", ".join(join(self.rename(p, place)) for p in text) + "> " for text in texts)
        return tuple(names), place, shown

    def rename(self, t, place):
        return [place.get(token, token) if i == 0 or t[i - 1] not in (".", "->", "::") else token
                for i, token in enumerate(t)]

    def declared(self, head, t, body, inside, access, is_class):
        lists, constraints, rest = self.after_templates(head)
        rest = self.without_attributes(rest)
        if not rest:
            return
        in_weft = inside.path[:1] == ("weft",)
        names, place, prefix = self.template_parameters(lists, inside.parameters)
        requires = "".join(f"requires {join(self.rename(c, place))} " for c in constraints)
        first = rest[0]

        if body is not None and first in ("class", "struct", "union"):
            self.declared_class(rest, t, body, inside, access, names, place, prefix + requires)
            return
        if access != "public" or not in_weft:
            return
        if body is not None:
            self.declared_enum(rest, t, body, inside)
            return
        if first in ("class", "struct", "union", "enum"):
            return  # Declared now, defined elsewhere.
        if first == "friend":
            if not self.is_function(head):
                return
        if first == "using" or first == "concept":
            name = rest[1] if len(rest) > 2 and rest[2] == "=" else rest[-1]
            self.add(inside, str(name), prefix + requires + join(self.rename(rest, place)))
            return
        if first == "typedef":
            self.add(inside, str(rest[-1]), join(rest))
            return
        if self.is_function(head):
            self.declared_function(rest, inside, place, prefix + requires, is_class)
            return
        self.declared_variable(rest, inside, place, prefix + requires, is_class)

    def add(self, inside, name, text, flags=()):
        if flags:
            text += " [" + " ".join(sorted(flags)) + "]"
        inside.lines.append((name, text))

    def declared_class(self, rest, t, body, inside, access, names, place, prefix):
        kind = rest[0]
        colon = self.find(rest, ":")
        naming = [w for w in (rest[1:] if colon is None else rest[1:colon]) if w != "final"]
        final = " final" if "final" in (rest if colon is None else rest[:colon]) else ""
        angle = naming.index("<") if "<" in naming else len(naming)
        name = "::".join(w for w in naming[:angle] if w != "::")
        arguments = join(self.rename(naming[angle:], place))
        bases = []
        if colon is not None:
            for base in self.split(rest[colon + 1:]):
                default = "public" if kind == "struct" else "private"
                words = [w for w in base if w != "virtual"]
                level = words[0] if words[0] in ("public", "private", "protected") else default
                words = words[1:] if words[0] in ("public", "private", "protected") else words
                if level == "public":
                    bases.append(words)
        entity = Entity(inside.path + (name,), names, arguments, bases)
        self.classes.setdefault(entity.path, []).append(entity)
        visible = access == "public"
        if visible:
            # class and struct are the same to who uses them, and bases in weft::detail are nobody's business.
            entity.summary = prefix + ("union" if kind == "union" else "class") + " " + name + arguments + final
            entity.shown_bases = [join(self.rename(b, place)) for b in bases]
        entity.visible = visible
        self.published.append(entity)
        if not entity.path[0] == "weft" and "weft::" in join(naming):
            # What weft says about its types to the standard library: std::hash<weft::id>.
            self.lines.add(f"{name}{arguments}: {prefix}class {name}{arguments}")
        end = self.scope(t, body + 1, entity, "private" if kind == "class" else "public", is_class=True)
        if t[end] != "}":
            self.fault("a class has no end", t[body])

    def declared_enum(self, rest, t, body, inside):
        words = [w for w in rest[1:] if w not in ("class", "struct")]
        name = str(words[0]) if words and is_word(words[0]) else ""
        self.add(inside, name, join(rest))
        scoped = rest[1] in ("class", "struct")
        for enumerator in self.split(t[body + 1:self.close(t, body) - 1]):
            if enumerator:
                enumerator = self.without_attributes(enumerator)
                self.add(inside, f"{name}::{enumerator[0]}" if scoped else str(enumerator[0]),
                         "enumerator " + join(enumerator))

    def declared_variable(self, rest, inside, place, prefix, is_class):
        flags = {w for w in rest if w in LOOSENING}
        words = [w for w in rest if w not in flags and w not in ("inline", "constinit")]
        stop = self.find(words, "=", "{", "[", ":")
        name = str(words[stop - 1] if stop is not None else words[-1])
        text = join(self.rename(words, place))
        if is_class and "static" not in words:
            # Programs initialise aggregates by order.
            index = sum(1 for _, other in inside.lines if other.startswith("member "))
            text = f"member {index}: {text}"
        self.add(inside, name, prefix + text, flags)

    def declared_function(self, rest, inside, place, prefix, is_class):
        flags = set()
        words, i = [], 0
        while i < len(rest):
            token = rest[i]
            if token in LOOSENING | TIGHTENING:
                # noexcept(condition) and explicit(condition) are conditions of their own.
                if token in ("noexcept", "explicit") and i + 1 < len(rest) and rest[i + 1] == "(":
                    end = self.close(rest, i + 1)
                    flags.add(join(self.rename(rest[i:end], place)).replace(" ", ""))
                    i = end
                    continue
                flags.add(str(token))
            elif token not in ("inline", "override", "final") and not (token == "static" and not is_class):
                words.append(token)
            i += 1
        if words[-2:] == ["=", "default"]:
            words = words[:-2]
        # The name, up to the parenthesis of the parameters.
        operator = words.index("operator") if "operator" in words else None
        if operator is not None and "->" in words[:operator]:
            operator = None  # Named by a type: of a deduction guide, say.
        if operator is not None:
            paren = operator + 1
            if words[paren] == "(":
                paren += 2
            while words[paren] != "(":
                paren += 1
            name = "operator" + join(words[operator + 1:paren])
            if is_word(words[operator + 1]):
                name = "operator " + join(self.rename(words[operator + 1:paren], place))
        else:
            paren = self.find(words, "(")
            while paren and words[paren - 1] == "decltype":
                paren = self.find(words, "(", start=self.close(words, paren))
            if not paren:
                self.fault(f"no name in `{join(words)}`", words[0])
            name = str(words[paren - 1])
            if paren > 1 and words[paren - 2] == "~":
                return  # Whether a class declares it or not, it can be destroyed.
            if paren > 1 and words[paren - 2] == "::":
                return  # A member defined outside of its class.
        end = self.close(words, paren)
        parameters = ", ".join(self.parameter(p, place) for p in self.split(words[paren + 1:end - 1]))
        before = join(self.rename(words[:paren], place))
        after = join(self.rename(words[end:], place))
        text = f"{prefix}{before}({parameters})" + (f" {after}" if after else "")
        self.add(inside, name, text, flags)

    def parameter(self, t, place):
        """Type and default of a parameter; its name means nothing to those who call."""
        t = self.without_attributes(t)
        equals = self.find(t, "=")
        kind, default = (t, []) if equals is None else (t[:equals], t[equals:])
        bare = [w for w in kind if w not in QUALIFIERS]
        if len(bare) > 1 and is_word(bare[-1]) and bare[-1] not in KEYWORD_TYPES and bare[-2] != "::" \
                and kind[-1] == bare[-1]:
            kind = kind[:-1]
        return join(self.rename(kind + default, place))

    # ------------------------------------------------------------------------------------------------- list

    def inherited(self, entity, seen):
        """(text of the specialisation, name, text) of what public bases in weft::detail bring."""
        for base in entity.bases:
            path = base[:base.index("<")] if "<" in base else base
            path = tuple(str(w) for w in path if is_word(w))
            for prefix in (entity.path[:-1], ("weft",), ()):
                found = self.classes.get(prefix + path) or self.classes.get(prefix + ("detail",) + path)
                if found:
                    break
            if not found or "detail" not in found[0].path or found[0].path in seen:
                continue
            for one in found:
                note = f" [of {one.path[-1]}{one.arguments}]" if one.arguments else ""
                for name, text in one.lines:
                    if name not in (one.path[-1], "operator="):
                        yield name, text + note
                for name, text in self.inherited(one, seen | {one.path}):
                    yield name, text

    def finish(self, spaces):
        def public(path):
            return path[:1] == ("weft",) and "detail" not in path and "(anonymous)" not in path

        hidden = set()
        for entity in self.published:
            if not entity.visible or entity.path[:-1] in hidden:
                hidden.add(entity.path)
        for entity in self.published:
            if not public(entity.path) or entity.path in hidden:
                continue
            where = "::".join(entity.path)
            bases = [b for b in entity.shown_bases if "detail::" not in b]
            self.lines.add(f"{where}: {entity.summary}" + (" : " + ", ".join(bases) if bases else ""))
            for name, text in [*entity.lines, *self.inherited(entity, set())]:
                note = f" [of {entity.path[-1]}{entity.arguments}]" if entity.arguments else ""
                self.lines.add(f"{where}::{name}: {text}{note}")
        for path, name, text in spaces:
            if public(path + (name,)):
                self.lines.add("::".join(path + (name,)) + ": " + text)
        return sorted(self.lines)


def list_declarations(include):
    root = Path(include)
    headers = sorted((root / "weft").rglob("*.hpp"))
    if not headers:
        raise Fault(f"{include}: no headers in weft/; give the folder that holds weft/weft.hpp")
    parser = Parser()
    spaces = []

    # Namespaces are opened many times: their declarations are collected as they come.
    original = parser.add

    def add(inside, name, text, flags=()):
        original(inside, name, text, flags)
        if inside.path not in parser.classes:
            spaces.append((inside.path, *inside.lines[-1]))

    parser.add = add
    for header in headers:
        parser.read(header, header.relative_to(root).as_posix())
    return parser.finish(spaces)


# ------------------------------------------------------------------------------------------------------- compare


def read_list(path):
    lines = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, text = line.split(": ", 1)
            base, flags = text, frozenset()
            match = re.match(r"(.*?) \[((?:constexpr|noexcept|explicit|consteval)[^\]]*)\](.*)$", text)
            if match:
                base, flags = match.group(1) + match.group(3), frozenset(match.group(2).split())
            lines[(name, base)] = flags
    return lines


def compare(old_file, new_file, accept_file):
    old, new = read_list(old_file), read_list(new_file)
    accepted = set()
    if accept_file and Path(accept_file).exists():
        for line in Path(accept_file).read_text(encoding="utf-8").splitlines():
            line = line.split(" #", 1)[0].strip()
            if line and not line.startswith("#"):
                accepted.add(line)
    breaks, additions = [], []

    def report(is_break, line):
        (breaks if is_break and line not in accepted else additions).append(line)

    for (name, text), flags in sorted(old.items()):
        if (name, text) not in new:
            # With the same name still there, it is one of its declarations that changed.
            still = sorted(t for n, t in new if n == name and (n, t) not in old)
            report(True, f"{name}: {'changed' if still else 'removed'}: {text}" + (f" -> {' | '.join(still)}" if still else ""))
            continue
        now = new[(name, text)]
        for flag in sorted(flags - now):
            report(flag.split("(")[0] in LOOSENING or "(" in flag, f"{name}: no longer {flag}: {text}")
        for flag in sorted(now - flags):
            report(flag.split("(")[0] in TIGHTENING or "(" in flag, f"{name}: now {flag}: {text}")
    changed = {name for name, text in old if (name, text) not in new}
    for name, text in sorted(new):
        if (name, text) not in old and name not in changed:
            overload = any(n == name for n, _ in old)
            additions.append(f"{name}: added{' beside others of that name' if overload else ''}: {text}")
    for line in breaks:
        print(f"break     {line}")
    for line in additions:
        print(f"addition  {line}")
    kind = "break" if breaks else "addition" if additions else "none"
    print(f"difference: {kind}")
    return {"none": 0, "addition": 1, "break": 2}[kind]


def unused(list_file, programs):
    words, headers = set(), set()
    for program in programs:
        text = Path(program).read_text(encoding="utf-8")
        headers |= set(re.findall(r"#include <(weft/[^>]*)>", text))
        words |= set(re.findall(r"\w+", re.sub(r"//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", "", text)))
    missing = set()
    for name, _ in read_list(list_file):
        last = name.split("::")[-1]
        # Operators are used without their names, and hardly a program calls begin().
        if name.endswith(".hpp") and name not in headers:
            missing.add(name)
        elif is_word(last) and last not in words and last not in ("begin", "end"):
            missing.add(name)
    for name in sorted(missing):
        print(name)
    return 1 if missing else 0


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 3
    try:
        if arguments[0] == "list" and len(arguments) == 2:
            print("\n".join(list_declarations(arguments[1])))
            return 0
        if arguments[0] == "unused" and len(arguments) > 2:
            return unused(arguments[1], arguments[2:])
        if arguments[0] == "compare" and len(arguments) in (3, 5):
            return compare(arguments[1], arguments[2], arguments[4] if len(arguments) == 5 else None)
    except (Fault, OSError) as fault:
        print(f"declarations: {fault}", file=sys.stderr)
        return 3
    print(f"declarations: what is meant by `{' '.join(arguments)}`? See --help.", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
