import time


class Parser:
    def __init__(self, text):
        self.text = text
        self.at, self.current = -1, None
        self.line, self.column = 1, 0
        self.capture, self.start = "", -1

    def read(self):
        if self.current == "\n":
            self.line += 1
            self.column = 0
        self.at += 1
        self.column += 1
        self.current = self.text[self.at] if self.at < len(self.text) else None

    def read_char(self, c):
        if self.current != c:
            return False
        self.read()
        return True

    def expect(self, c):
        if not self.read_char(c):
            self.fail(f"expected {c}")

    def fail(self, message):
        raise ValueError(f"{message} at {self.line}:{self.column}")

    def skip(self):
        while self.current == " " or self.current == "\t" or self.current == "\n" or self.current == "\r":
            self.read()

    def begin(self):
        self.start = self.at

    def finish(self):
        part = self.text[self.start:self.at]
        self.start = -1
        if self.capture == "":
            return part
        all = self.capture + part
        self.capture = ""
        return all

    def value(self):
        c = self.current
        if c == "n":
            return self.word("null", None)
        if c == "t":
            return self.word("true", True)
        if c == "f":
            return self.word("false", False)
        if c == '"':
            return self.string()
        if c == "[":
            return self.array()
        if c == "{":
            return self.object()
        return self.number()

    def word(self, letters, value):
        for letter in letters:
            self.expect(letter)
        return value

    def array(self):
        self.read()
        items = []
        self.skip()
        if self.read_char("]"):
            return items
        while True:
            self.skip()
            items.append(self.value())
            self.skip()
            if not self.read_char(","):
                break
        self.expect("]")
        return items

    def object(self):
        self.read()
        fields = {}
        self.skip()
        if self.read_char("}"):
            return fields
        while True:
            self.skip()
            if self.current != '"':
                self.fail("expected a name")
            name = self.string()
            self.skip()
            self.expect(":")
            self.skip()
            fields[name] = self.value()
            self.skip()
            if not self.read_char(","):
                break
        self.expect("}")
        return fields

    def string(self):
        self.read()
        self.begin()
        while self.current != '"':
            if self.current is None:
                self.fail("expected the end of a string")
            if self.current == "\\":
                self.capture += self.text[self.start:self.at]
                self.read()
                self.capture += self.escape()
                self.read()
                self.begin()
            else:
                self.read()
        text = self.finish()
        self.read()
        return text

    def escape(self):
        c = self.current
        if c == "n":
            return "\n"
        if c == "t":
            return "\t"
        if c == "r":
            return "\r"
        if c == '"' or c == "/" or c == "\\":
            return c
        self.fail("expected an escape")

    def digits(self):
        first = self.at
        while self.current is not None and "0" <= self.current <= "9":
            self.read()
        if self.at == first:
            self.fail("expected a digit")

    def number(self):
        self.begin()
        whole = True
        self.read_char("-")
        self.digits()
        if self.read_char("."):
            whole = False
            self.digits()
        if self.read_char("e") or self.read_char("E"):
            whole = False
            self.read_char("+") or self.read_char("-")
            self.digits()
        text = self.finish()
        return int(text) if whole else float(text)

    def parse(self):
        self.read()
        self.skip()
        result = self.value()
        self.skip()
        if self.current is not None:
            self.fail("expected the end")
        return result


def operation(i):
    text = f'["create","w{i}","rwt.widgets.Composite",{{"parent":"w{i // 2}","style":["NONE"],'
    text += f'"bounds":[{i * 3}, {i * 5 % 71},640,-{i}],"enabled":{"true" if i % 2 == 0 else "false"},'
    return text + f'"text":"A \\"label\\" of {i}\\n","opacity":{i}.5e-1,"data":null}}]'


operations = ",\n ".join(operation(i) for i in range(156))
text = '{"head":{"requestCounter":4, "version":"2.0"},"operations":[' + operations + "]}"
start = time.perf_counter()
for _ in range(30):
    result = Parser(text).parse()
    assert result["head"]["requestCounter"] == 4 and len(result["operations"]) == 156
    assert result["operations"][155][3]["text"] == 'A "label" of 155\n'
print((time.perf_counter() - start) * 1000)
