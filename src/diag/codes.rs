//! The error reference: one row for every error and warning that Par can report.
//!
//! Codes never change their meaning. Syntax is `S`, names and placement `N`, warnings `W`, runtime `R`.

use super::Severity;

/// The code of an error: a row of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Code(pub &'static str);

/// One row of the reference.
pub struct Row {
    /// The code.
    pub code: Code,
    /// The kind that scripts see.
    pub kind: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
}

impl Code {
    /// The row of this code.
    pub fn row(self) -> Option<&'static Row> {
        REFERENCE.iter().find(|row| row.code == self)
    }

    /// The kind that scripts see.
    pub fn kind(self) -> &'static str {
        self.row().map_or("Error", |row| row.kind)
    }

    /// Warnings have codes that begin with `W`.
    pub fn severity(self) -> Severity {
        if self.0.starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
    }

    /// The code with the given text, when the reference has it (used when an error arrives from another process).
    pub fn find(text: &str) -> Option<Code> {
        REFERENCE
            .iter()
            .find(|row| row.code.0 == text)
            .map(|row| row.code)
    }
}

macro_rules! reference {
    ($($name:ident $code:literal $kind:literal $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*
        /// All rows.
        pub const REFERENCE: &[Row] = &[$(Row { code: $name, kind: $kind, title: $title }),*];
    };
}

reference! {
    // Syntax.
    UNEXPECTED "S001" "SyntaxError" "something else was expected here";
    UNCLOSED "S002" "SyntaxError" "a bracket, a string or a block is not closed";
    MISMATCHED "S003" "SyntaxError" "a closing bracket does not match the one that was opened";
    BAD_TOKEN "S004" "SyntaxError" "text that is no token of the language";
    BAD_LITERAL "S005" "SyntaxError" "a literal that has no value";
    HABIT "S006" "SyntaxError" "another language's way of writing something";
    TOO_DEEP "S007" "SyntaxError" "nested too deeply";
    BAD_TARGET "S008" "SyntaxError" "something that cannot be assigned to";
    // Names and placement.
    UNKNOWN_NAME "N001" "NameError" "a name that nothing declares";
    DECLARED_TWICE "N002" "NameError" "a name that is declared twice in one scope";
    ASSIGN_CONST "N003" "NameError" "an assignment to a constant";
    MISPLACED "N004" "SyntaxError" "a statement that cannot stand here";
    BAD_PARAMETERS "N005" "SyntaxError" "a parameter list that cannot be called";
    UNKNOWN_MODULE "N006" "ImportError" "a module that does not exist";
    IMPORT_CYCLE "N007" "ImportError" "modules that import each other";
    UNKNOWN_OPTION "N008" "SyntaxError" "an option that the construct does not have";
    UNKNOWN_MEMBER "N009" "NameError" "a name that a module does not offer";
    TOO_MANY "N010" "SyntaxError" "more of something than the machine can hold";
    // Warnings.
    LOST_WRITE "W001" "Warning" "a write to a snapshot that nobody can see";
    UNKNOWN_KIND "W002" "Warning" "an error kind that nothing raises";
    UNREACHABLE "W003" "Warning" "code that can never run";
    IDLE_COMMAND "W004" "Warning" "a command that nothing runs";
    ALWAYS_TRUE "W005" "Warning" "a condition that is always true";
    // Runtime.
    TYPE "R001" "TypeError" "a value of the wrong kind";
    VALUE "R002" "ValueError" "a value out of its range";
    INDEX "R003" "IndexError" "an index outside of the sequence";
    KEY "R004" "KeyError" "a key or field that is not there";
    OVERFLOW "R005" "Overflow" "a whole number that does not fit 64 bits";
    DIVIDE_BY_ZERO "R006" "DivideByZero" "a division by zero";
    ASSERTION "R007" "AssertionError" "an assertion that does not hold";
    IO "R008" "IoError" "an operation of the operating system that failed";
    TIMEOUT "R009" "Timeout" "a wait that took too long";
    CLOSED "R010" "Closed" "a use of something that is closed";
    END_OF_STREAM "R011" "EndOfStream" "nothing more can come";
    DEADLOCK "R012" "Deadlock" "processes that wait for each other";
    OWNER_DIED "R013" "OwnerDied" "the holder of a lock died";
    PROCESS_DIED "R014" "ProcessDied" "a process was ended by a signal";
    CANCELLED "R015" "Cancelled" "this process was cancelled";
    INTERRUPTED "R016" "Interrupted" "Ctrl-C";
    NOT_SENDABLE "R017" "NotSendable" "a value that cannot leave its process";
    EXIT "R018" "ExitError" "a process or program that ended with a code other than 0";
    LIMIT "R019" "LimitExceeded" "a limit was reached";
    BROKEN "R020" "Broken" "a barrier that can no longer fill";
    NOT_SUPPORTED "R021" "NotSupported" "something that this version does not do";
    DECODE "R022" "DecodeError" "bytes that are no message";
    USER "R023" "Error" "an error thrown by the script";
    CALL "R024" "TypeError" "arguments that do not fit the function";
    NOT_FOUND "R026" "NotFound" "a program that does not exist";
    NOT_EXECUTABLE "R027" "NotExecutable" "a file that is no program";
    INTERNAL "R025" "InternalError" "a mistake of Par itself: please report it";
    JOURNAL "R028" "JournalMismatch" "a journal that was begun for another map, or is in use";
    TASK_CANCELLED "R029" "Cancelled" "a task of a pool that was cancelled";
}
