//! A pickle as a tree of inert values.
//!
//! A pickle is a program for a stack machine, and Python's machine can be told to call any function there is. This one has no
//! functions: `REDUCE` and `NEWOBJ` make a value that says what was to be called with what. Whatever else a checkpoint of a training
//! holds beside its tensors is kept like that, too, or is [`Value::Other`].
//!
//! Names that no checkpoint needs are refused nevertheless (`names`): whoever loads the file in Python next would run them.

mod machine;
mod names;
mod operands;

pub use machine::parse;

/// The index of a value. Values stand in one table, because they may be shared and may contain themselves.
pub type Id = usize;

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Numbers with a fraction, bytes, None: nothing that says where a tensor is.
    Other,
    Flag(bool),
    Number(i64),
    Text(&'a str),
    /// A tuple, list or set.
    Sequence(Vec<Id>),
    /// A dictionary. Later entries stand for earlier ones of the same key.
    Table(Vec<(Id, Id)>),
    /// A function or class of Python.
    Name {
        module: &'a str,
        name: &'a str,
    },
    /// What a call would give, and what was put into it.
    Call {
        callee: Id,
        arguments: Id,
        entries: Vec<(Id, Id)>,
    },
    /// Something that the pickle's owner keeps elsewhere: for PyTorch a storage.
    Persistent(Id),
}

/// What a pickle describes.
#[derive(Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    pub fn root(&self) -> Id {
        self.root
    }

    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id]
    }

    /// The entries of a dictionary, an ordered one too.
    pub fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.value(id) {
            Value::Table(entries) => Some(entries),
            Value::Call { callee, entries, .. } if self.is(*callee, "collections", "OrderedDict") => Some(entries),
            _ => None,
        }
    }

    /// The arguments of a call of this function.
    pub fn call_of(&self, id: Id, module: &str, name: &str) -> Option<&[Id]> {
        match self.value(id) {
            Value::Call { callee, arguments, .. } if self.is(*callee, module, name) => self.sequence(*arguments),
            _ => None,
        }
    }

    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that counts something.
    pub fn count(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            Value::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    fn is(&self, id: Id, module: &str, name: &str) -> bool {
        *self.value(id) == Value::Name { module, name }
    }
}
