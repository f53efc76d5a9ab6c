//! The tokens: one list for the lexer, the filter and the grammar (whose token table stands in the same order).

use crate::diag::Error;
use logos::Logos;
use std::rc::Rc;

/// A token with the bytes that it covers: what the parser consumes.
pub type Spanned = (u32, Token, u32);

/// The text of the `##` comments that stand before a definition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Doc(pub Option<Rc<str>>);

/// A token. Variants without a pattern are made by the lexer's string scanner or by the filter.
#[derive(Logos, Debug, Clone, PartialEq)]
#[logos(skip r"[ \t\r\x0C\u{FEFF}\u{A0}]+")]
#[allow(missing_docs)]
pub enum Token {
    // Reserved words, in the order of the language's reference.
    #[token("let")]
    Let,
    #[token("const")]
    Const,
    #[token("fn", |_| Doc::default())]
    Fn(Doc),
    #[token("return")]
    Return,
    #[token("if")]
    If,
    #[token("else")]
    Else,
    #[token("while")]
    While,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("break")]
    Break,
    #[token("continue")]
    Continue,
    #[token("match")]
    Match,
    #[token("case")]
    Case,
    #[token("struct", |_| Doc::default())]
    Struct(Doc),
    #[token("import")]
    Import,
    #[token("as")]
    As,
    #[token("do")]
    Do,
    #[token("try")]
    Try,
    #[token("catch")]
    Catch,
    #[token("finally")]
    Finally,
    #[token("throw")]
    Throw,
    #[token("rescue")]
    Rescue,
    #[token("defer")]
    Defer,
    #[token("with")]
    With,
    #[token("and")]
    And,
    #[token("or")]
    Or,
    #[token("not")]
    Not,
    #[token("true")]
    True,
    #[token("false")]
    False,
    #[token("nil")]
    Nil,
    #[token("spawn")]
    Spawn,
    #[token("join")]
    Join,
    #[token("lock")]
    Lock,
    #[token("select")]
    Select,
    #[token("scope")]
    Scope,

    // Words only where their construct can stand; the filter makes them from names.
    /// `pool map` before a pattern or options.
    PoolMap,
    /// `pool map` before an argument list.
    PoolCall,
    Shared,
    After,
    /// `test` before the name of a test.
    Test,

    // Names and literals.
    #[regex(r"[_\p{XID_Start}]\p{XID_Continue}*", |lex| Rc::<str>::from(lex.slice()))]
    Name(Rc<str>),
    /// A whole number; 2^63 is possible for the sake of the minus before it.
    Int(u64),
    Float(f64),
    /// A string without interpolation.
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    /// The quote that opens a string with interpolations.
    StrStart,
    /// The backtick that opens a command.
    CommandStart,
    /// Literal text between interpolations.
    Text(Rc<str>),
    /// The `{` of an interpolation.
    InterpOpen,
    /// The `}` of an interpolation.
    InterpClose,
    /// The quote or backtick that closes.
    StrEnd,

    // Brackets and separators.
    #[token("(")]
    ParenOpen,
    #[token(")")]
    ParenClose,
    #[token("[")]
    SquareOpen,
    #[token("]")]
    SquareClose,
    /// Of a block.
    #[token("{")]
    BraceOpen,
    /// Of a map literal or a map pattern; the filter tells them apart.
    MapOpen,
    #[token("}")]
    BraceClose,
    #[token(",")]
    Comma,
    #[token(":")]
    Colon,
    #[token(".")]
    Dot,
    /// The end of a statement: `;`, a newline, or put in by the filter.
    #[token(";")]
    End,

    // Operators.
    #[token("=")]
    Assign,
    #[token("+=")]
    AddAssign,
    #[token("-=")]
    SubAssign,
    #[token("*=")]
    MulAssign,
    #[token("/=")]
    DivAssign,
    #[token("//=")]
    FloorAssign,
    #[token("%=")]
    RemAssign,
    #[token("**=")]
    PowAssign,
    #[token("=>")]
    Arrow,
    #[token("==")]
    Eq,
    #[token("!=")]
    Ne,
    #[token("<")]
    Lt,
    #[token("<=")]
    Le,
    #[token(">")]
    Gt,
    #[token(">=")]
    Ge,
    #[token("??")]
    Coalesce,
    #[token("|")]
    Bar,
    #[token("^")]
    Caret,
    #[token("&")]
    Amp,
    #[token("<<")]
    Shl,
    #[token(">>")]
    Shr,
    #[token("..")]
    DotDot,
    /// A `..` that nothing follows.
    DotDotEnd,
    #[token("..=")]
    DotDotEq,
    #[token("...")]
    Spread,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("//")]
    SlashSlash,
    #[token("%")]
    Percent,
    #[token("**")]
    StarStar,
    #[token("~")]
    Tilde,

    // What the filter takes out.
    #[token("\n")]
    Newline,
    #[regex(r"#[^\n]*", allow_greedy = true)]
    Comment,
    /// `##`: documentation.
    DocComment,

    // What only the lexer sees: the start of something that it scans by hand.
    #[regex("[0-9]")]
    NumberStart,
    #[regex("[rb]?\"(\"\")?|`|'")]
    Quote,
    /// Spellings of other languages that can never be right here.
    #[regex(r"&&|\|\||!|===|!==|\+\+|->|::|:=|<>|/\*|\$|@|\?|\?\.|\\")]
    Foreign,

    /// Text that is no token, with the report about it. The grammar knows no such token, so parsing stops here.
    Bad(Box<Error>),
}

impl Token {
    /// The word, when this is a name or a reserved word.
    pub fn is_word(&self) -> bool {
        self.is_reserved() || matches!(self, Token::Name(_))
    }

    /// Whether this is a reserved word.
    pub fn is_reserved(&self) -> bool {
        use Token::*;
        matches!(
            self,
            Let | Const
                | Fn(_)
                | Return
                | If
                | Else
                | While
                | For
                | In
                | Break
                | Continue
                | Match
                | Case
                | Struct(_)
                | Import
                | As
                | Do
                | Try
                | Catch
                | Finally
                | Throw
                | Rescue
                | Defer
                | With
                | And
                | Or
                | Not
                | True
                | False
                | Nil
                | Spawn
                | Join
                | Lock
                | Select
                | Scope
        )
    }

    /// Whether this opens a bracket.
    pub fn opens(&self) -> bool {
        use Token::*;
        matches!(
            self,
            ParenOpen | SquareOpen | BraceOpen | MapOpen | InterpOpen
        )
    }

    /// Whether this closes a bracket.
    pub fn closes(&self) -> bool {
        use Token::*;
        matches!(self, ParenClose | SquareClose | BraceClose | InterpClose)
    }

    /// Whether a newline after this token does not end the statement.
    pub fn continues_line(&self) -> bool {
        use Token::*;
        self.is_infix()
            || matches!(
                self,
                Comma | Dot | Arrow | Assign | Tilde | Not | Join | Spawn | Spread
            )
            || self.is_compound_assign()
    }

    /// Whether this operator stands between two operands. (`..` may end a line: a range without an end.)
    pub fn is_infix(&self) -> bool {
        use Token::*;
        matches!(
            self,
            Eq | Ne
                | Lt
                | Le
                | Gt
                | Ge
                | Coalesce
                | Bar
                | Caret
                | Amp
                | Shl
                | Shr
                | DotDotEq
                | Plus
                | Minus
                | Star
                | Slash
                | SlashSlash
                | Percent
                | StarStar
                | And
                | Or
                | In
                | Rescue
        )
    }

    /// `+=` and its kin.
    pub fn is_compound_assign(&self) -> bool {
        use Token::*;
        matches!(
            self,
            AddAssign | SubAssign | MulAssign | DivAssign | FloorAssign | RemAssign | PowAssign
        )
    }

    /// Whether an operand can end with this token, so that a brace after it opens a block.
    pub fn ends_operand(&self) -> bool {
        use Token::*;
        matches!(
            self,
            Name(_)
                | Int(_)
                | Float(_)
                | Str(_)
                | Bytes(_)
                | StrEnd
                | True
                | False
                | Nil
                | ParenClose
                | SquareClose
                | BraceClose
                | DotDotEnd
        )
    }
}
