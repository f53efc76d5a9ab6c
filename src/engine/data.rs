//! [`Data`]: a value of a script as plain Rust data, for hosts that do not know beforehand what a script will hand them.

/// A value taken out of an engine, or one to be put in. It owns everything that it holds.
///
/// Values that live in a process (functions, handles, instances of structs) have no such form: taking one out is a
/// `TypeError` that names it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Data {
    /// `nil`.
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Data>),
    /// A map, in its order.
    Map(Vec<(Data, Data)>),
}

impl Data {
    /// The value under a string key of a map.
    pub fn get(&self, key: &str) -> Option<&Data> {
        match self {
            Data::Map(entries) => entries
                .iter()
                .find(|(found, _)| matches!(found, Data::Str(text) if text == key))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}

macro_rules! data_from {
    ($($type:ty => $variant:ident;)*) => {
        $(impl From<$type> for Data {
            fn from(value: $type) -> Data {
                Data::$variant(value.into())
            }
        })*
    };
}

data_from! {
    bool => Bool;
    i64 => Int;
    i32 => Int;
    f64 => Float;
    &str => Str;
    String => Str;
    Vec<u8> => Bytes;
    Vec<Data> => List;
}
