//! The instruction set.
//!
//! Code is a sequence of 32-bit words. An instruction is one word, `op | a << 8 | b << 16 | c << 24`, and for some
//! operations one or two words of operands after it. `x` is `b` and `c` together (16 bits), `j` all three (24 bits, signed).
//! Jump offsets count words from the word after the whole instruction. A function has at most
//! [`crate::limits::MAX_REGISTERS`] registers; its parameters are the first ones. The function that runs stands in
//! the register before its first.
//!
//! A call takes the callee in a register and the arguments in the registers after it: they become the first
//! registers of the called function, nothing is copied. Method calls keep the register before the receiver free for the callee.

/// The kind, in a constant of `CatchKind`, of errors that end the very process they are raised in: what `rescue` lets pass.
pub const OWN_END: &str = "@own_end";

macro_rules! operations {
    ($($name:ident $format:literal $doc:literal;)*) => {
        /// An operation. The letters in each description are the instruction's operands: `A B C` are registers unless
        /// something else is said.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Op {
            $(#[doc = $doc] $name,)*
        }

        /// Per operation, in order: its name and its format (see [`Op::format`]).
        const TABLE: &[(&str, &str)] = &[$((stringify!($name), $format),)*];

        /// All operations in order.
        const ALL: &[Op] = &[$(Op::$name,)*];
    };
}

operations! {
    Move "ra rb" "A = B";
    LoadNil "ra" "A = nil";
    LoadUndef "ra" "A = the mark of an argument that was not given";
    LoadBool "ra nb" "A = whether B is 1";
    LoadInt "ra ix" "A = the signed number X";
    LoadK "ra kx" "A = constant X";
    GetGlobal "ra gx" "A = global X, which must have its value";
    SetGlobal "ra gx" "global X = A";
    GetCapture "ra nb" "A = capture B";
    GetCaptureBox "ra nb" "A = the content of the box in capture B";
    SetCaptureBox "ra nb" "the content of the box in capture B = A";
    NewBox "ra rb" "A = a new box with B in it";
    GetBox "ra rb" "A = the content of the box in B";
    SetBox "ra rb" "the content of the box in A = B";

    Add "ra rb rc" "A = B + C";
    Sub "ra rb rc" "A = B - C";
    Mul "ra rb rc" "A = B * C";
    Div "ra rb rc" "A = B / C";
    FloorDiv "ra rb rc" "A = B // C";
    Rem "ra rb rc" "A = B % C";
    Pow "ra rb rc" "A = B ** C";
    BitAnd "ra rb rc" "A = B & C";
    BitOr "ra rb rc" "A = B | C";
    BitXor "ra rb rc" "A = B ^ C";
    Shl "ra rb rc" "A = B << C";
    Shr "ra rb rc" "A = B >> C";
    AddI "ra rb ic" "A = B + the signed number C";
    SubI "ra rb ic" "A = B - the signed number C";
    AddK "ra rb kc" "A = B + constant C";
    SubK "ra rb kc" "A = B - constant C";
    MulK "ra rb kc" "A = B * constant C";
    DivK "ra rb kc" "A = B / constant C";
    FloorDivK "ra rb kc" "A = B // constant C";
    RemK "ra rb kc" "A = B % constant C";
    Neg "ra rb" "A = -B";
    BitNot "ra rb" "A = ~B";
    Not "ra rb" "A = not B";
    Eq "ra rb rc" "A = B == C";
    Ne "ra rb rc" "A = B != C";
    Lt "ra rb rc" "A = B < C";
    Le "ra rb rc" "A = B <= C";
    Gt "ra rb rc" "A = B > C";
    Ge "ra rb rc" "A = B >= C";
    In "ra rb rc" "A = B in C";
    NotIn "ra rb rc" "A = B not in C";

    Jump "jx" "go on at J";
    Loop "jx" "go back to J; counts down";
    JTrue "ra wj" "jump if A is true";
    JFalse "ra wj" "jump if A is false";
    JNil "ra wj" "jump if A is nil";
    JNotNil "ra wj" "jump if A is not nil";
    JGiven "ra wj" "jump if the argument A was given";
    JEq "ra rb wj" "jump if A == B";
    JNe "ra rb wj" "jump if not A == B";
    JLt "ra rb wj" "jump if A < B";
    JNotLt "ra rb wj" "jump if not A < B";
    JLe "ra rb wj" "jump if A <= B";
    JNotLe "ra rb wj" "jump if not A <= B";
    JGt "ra rb wj" "jump if A > B (as JLt the other way round, but the report names the operands in order)";
    JNotGt "ra rb wj" "jump if not A > B";
    JGe "ra rb wj" "jump if A >= B";
    JNotGe "ra rb wj" "jump if not A >= B";
    JEqI "ra ix wj" "jump if A == the signed number X";
    JNeI "ra ix wj" "jump if not A == X";
    JLtI "ra ix wj" "jump if A < X";
    JNotLtI "ra ix wj" "jump if not A < X";
    JLeI "ra ix wj" "jump if A <= X";
    JNotLeI "ra ix wj" "jump if not A <= X";
    JGtI "ra ix wj" "jump if A > X";
    JNotGtI "ra ix wj" "jump if not A > X";
    JGeI "ra ix wj" "jump if A >= X";
    JNotGeI "ra ix wj" "jump if not A >= X";
    JLtK "ra kx wj" "jump if A < constant X";
    JNotLtK "ra kx wj" "jump if not A < constant X";
    JLeK "ra kx wj" "jump if A <= constant X";
    JNotLeK "ra kx wj" "jump if not A <= constant X";
    JGtK "ra kx wj" "jump if A > constant X";
    JNotGtK "ra kx wj" "jump if not A > constant X";
    JGeK "ra kx wj" "jump if A >= constant X";
    JNotGeK "ra kx wj" "jump if not A >= constant X";
    JEqK "ra kx wj" "jump if A == constant X";
    JNeK "ra kx wj" "jump if not A == constant X";

    Call "ra nb rc" "C = the call of A with B arguments";
    CallGlobal "ra nb rc wg" "C = the call of the global in the next word with B arguments, which begin after A";
    CallNative "ra nb rc wk" "C = the call of the native constant with B arguments, which begin after A and are one per parameter";
    Method "ra nb rc ws" "C = the call of the method with B arguments; the receiver stands after A, the arguments after it";
    CallEx "ra nb rc wh" "C = the call of A with B values after it that are arguments as the shape says";
    MethodEx "ra nb rc ws wh" "C = the call of the method with a shape; the receiver stands after A, B values after it";
    Return "ra" "leave the function with A";
    ReturnNil "" "leave the function with nil";

    ForPrep "ra nb wj" "start a count from A to A+1 (with it when B is 1); A+2 is the variable; jump if there is nothing to count";
    ForLoop "ra wj" "the next number of a count; jump back if there is one";
    IterPrep "ra" "make an iteration of the value in A; A+1 is its state";
    IterNext "ra rb wj" "B = the next item of the iteration in A; jump back if there is one";
    IterNext2 "ra rb wj" "B and B+1 = the next key and value or pair of the iteration in A; jump back if there is one";
    PiecesPrep "ra" "as IterPrep, of what a method gave for this loop alone: A+2 is where more of its items come from, or nil";
    PiecesNext "ra wj" "the next items of A+2 into the list A; jump back if there are any";

    NewList "ra rb nc" "A = a list of the C values from B on";
    ListPush "ra rb" "append B to the list A";
    ListExtend "ra rb" "append the items of B to the list A";
    NewMap "ra" "A = an empty map";
    MapSet "ra rb rc" "in the map A, B is C";
    MapExtend "ra rb" "put the entries of the map B into the map A";
    NewRange "ra rb nc" "A = the range from B to B+1, with the end when C is 1; nil ends are open";
    Interp "ra rb nc" "A = the C values from B on as one string";
    Closure "ra nx" "A = a closure over inner function X";
    SetCapture "ra nb rc" "capture B of the closure A = C";
    Struct "ra nx" "A = the struct type of declaration X, without methods";
    AddMethod "ra rb wk" "B is the method of the struct type A with the name in the constant; an empty name is the constructor";
    NewInstance "ra nb" "A = an instance of the struct type in capture 0 with the first B registers as fields";

    GetIndex "ra rb rc" "A = `B[C]`";
    GetIndexI "ra rb ic" "A = B[the signed number C]";
    SetIndex "ra rb rc" "`A[B] = C`";
    GetField "ra rb ws" "A = B.name";
    SetField "ra rb ws" "A.name = B";
    UpdateField "ra rb nc ws" "A.name op= B, with operator number C";
    UpdateIndex "ra rb rc wo" "`A[B] op= C`, with the operator number in the next word";

    Throw "ra" "raise A";
    Rethrow "ra" "raise A again, or go on leaving when it is an exit code";
    CatchKind "ra kx wj" "jump if the error A is of the kind in the constant (see OWN_END)";
    PushDefer "ra rb" "put the function B onto the list of deferred functions A";
    PopDefer "ra rb wj" "A = the last of the list B, which loses it; jump if there is none";

    TestList "ra nb nc wj" "jump unless A is a list of B items (at least B when C is 1)";
    TestMap "ra wj" "jump unless A can be looked into by name";
    TakeField "ra rb ws wj" "A = what B has under the name; jump if it has nothing";
    ListRest "ra rb nc" "A = the items of the list B from index C on";
    MapRest "ra rb wh" "A = the entries of the map B without the names of the shape";
    NoMatch "ra kx" "raise that A does not fit what the constant describes";
}

impl Op {
    /// The operation of an instruction word.
    #[inline]
    pub fn decode(word: u32) -> Option<Op> {
        ALL.get((word & 0xff) as usize).copied()
    }

    /// How many operations there are.
    pub const COUNT: usize = ALL.len();

    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].0
    }

    /// Its operands: a letter for the kind (`r` register, `n` number, `i` signed number, `k` constant, `g` global,
    /// `j` jump, `s` site, `h` shape, `o` operator) and one for the place (`a b c x`), words with `w` first.
    pub fn format(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// How many words follow the instruction.
    pub fn words(self) -> usize {
        self.format()
            .split(' ')
            .filter(|s| s.starts_with('w'))
            .count()
    }
}

/// An instruction of three operands.
pub fn abc(op: Op, a: u8, b: u8, c: u8) -> u32 {
    op as u32 | u32::from(a) << 8 | u32::from(b) << 16 | u32::from(c) << 24
}

/// An instruction of a register and 16 bits.
pub fn ax(op: Op, a: u8, x: u16) -> u32 {
    op as u32 | u32::from(a) << 8 | u32::from(x) << 16
}

/// An instruction of a jump offset (24 bits).
pub fn j(op: Op, offset: i32) -> u32 {
    op as u32 | (offset as u32) << 8
}
