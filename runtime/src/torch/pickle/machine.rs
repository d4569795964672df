//! The machine that a pickle is a program for, as far as it makes values (the operations are those of Python's `pickletools`).

use super::names::is_harmless;
use super::operands::Operands;
use super::{Id, Pickle, Value};
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, String>;

/// The longest pickle that is read: hundreds of times that of a large model's checkpoint. It bounds the memory that values take.
const LONGEST: usize = 64 << 20;

/// # Errors
/// What completes the sentence "`path` …".
pub fn parse(text: &[u8]) -> Result<Pickle<'_>> {
    if text.len() > LONGEST {
        return Err(format!("has a pickle of more than {} MiB, and is no checkpoint", LONGEST >> 20));
    }
    let mut machine = Machine {
        rest: Operands(text),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    while let [operation] = *machine.rest.bytes(1)? {
        if operation == b'.' {
            break;
        }
        machine.step(operation)?;
    }
    let root = machine.pop()?;
    Ok(Pickle { values: machine.values, root })
}

struct Machine<'a> {
    rest: Operands<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: BTreeMap<usize, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, operation: u8) -> Result<()> {
        match operation {
            // PROTO, FRAME: how the text is cut says nothing of what it means.
            0x80 => self.rest.bytes(1).map(drop),
            0x95 => self.rest.bytes(8).map(drop),

            // NONE, BINFLOAT; strings of bytes: SHORT_BINSTRING, SHORT_BINBYTES, BINSTRING, BINBYTES, BINBYTES8, BYTEARRAY8.
            b'N' => self.push(Value::Other),
            b'G' => self.rest.bytes(8).and_then(|_| self.push(Value::Other)),
            b'U' | b'C' => self.rest.counted(1).and_then(|_| self.push(Value::Other)),
            b'T' | b'B' => self.rest.counted(4).and_then(|_| self.push(Value::Other)),
            0x8e | 0x96 => self.rest.counted(8).and_then(|_| self.push(Value::Other)),
            // NEWTRUE, NEWFALSE
            0x88 => self.push(Value::Flag(true)),
            0x89 => self.push(Value::Flag(false)),
            // BININT, BININT1, BININT2, LONG1, LONG4
            b'J' => self.rest.number(4).and_then(|n| self.push(Value::Number(i64::from(n as u32 as i32)))),
            b'K' => self.rest.number(1).and_then(|n| self.push(Value::Number(n as i64))),
            b'M' => self.rest.number(2).and_then(|n| self.push(Value::Number(n as i64))),
            0x8a => self.rest.counted(1).and_then(|bytes| self.push(long(bytes))),
            0x8b => self.rest.counted(4).and_then(|bytes| self.push(long(bytes))),
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.rest.text(1).and_then(|text| self.push(Value::Text(text))),
            b'X' => self.rest.text(4).and_then(|text| self.push(Value::Text(text))),
            0x8d => self.rest.text(8).and_then(|text| self.push(Value::Text(text))),

            // MARK, POP, POP_MARK, DUP
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.down_to_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => self.rest.number(1).and_then(|place| self.remember(place)),
            b'r' => self.rest.number(4).and_then(|place| self.remember(place)),
            0x94 => self.remember(self.memo.len()),
            b'h' => self.rest.number(1).and_then(|place| self.recall(place)),
            b'j' => self.rest.number(4).and_then(|place| self.recall(place)),

            // EMPTY_TUPLE, EMPTY_LIST, EMPTY_SET, TUPLE, LIST, FROZENSET, TUPLE1, TUPLE2, TUPLE3
            b')' | b']' | 0x8f => self.push(Value::Sequence(Vec::new())),
            b't' | b'l' | 0x91 => self.down_to_mark().and_then(|items| self.push(Value::Sequence(items))),
            0x85..=0x87 => {
                let items = self.last(usize::from(operation - 0x84))?;
                self.push(Value::Sequence(items))
            }
            // APPEND, APPENDS, ADDITEMS
            b'a' => self.last(1).and_then(|items| self.extend(items)),
            b'e' | 0x90 => self.down_to_mark().and_then(|items| self.extend(items)),
            // EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' => self.push(Value::Table(Vec::new())),
            b'd' => self.down_to_mark().and_then(|items| self.push(Value::Table(pairs(&items)))),
            b's' => self.last(2).and_then(|items| self.set(&items)),
            b'u' => self.down_to_mark().and_then(|items| self.set(&items)),

            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.rest.line()?, self.rest.line()?);
                self.name(module, name)
            }
            0x93 => {
                let [module, name] = self.last(2)?.try_into().map_err(|_| senseless())?;
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => self.name(module, name),
                    _ => Err(senseless()),
                }
            }
            // REDUCE, NEWOBJ: what would be called, with what. NEWOBJ_EX: with named arguments, too.
            b'R' | 0x81 => self.call(2),
            0x92 => self.call(3),
            // BUILD: what an object is told of itself when it is made says nothing of tensors.
            b'b' => self.pop().map(drop),
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))
            }
            other => Err(format!(
                "holds the pickle operation {other:#04x}, which PyTorch does not write; it is no checkpoint, or not whole"
            )),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The value on top, which is above the last mark.
    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(senseless)
    }

    /// Takes so many values from the stack.
    fn last(&mut self, count: usize) -> Result<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= floor).ok_or_else(senseless)?;
        Ok(self.stack.split_off(start))
    }

    /// Takes all values down to the last mark, and the mark.
    fn down_to_mark(&mut self) -> Result<Vec<Id>> {
        let floor = self.marks.pop().ok_or_else(senseless)?;
        Ok(self.stack.split_off(floor))
    }

    fn remember(&mut self, place: usize) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<()> {
        let value = *self.memo.get(&place).ok_or_else(senseless)?;
        self.stack.push(value);
        Ok(())
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::Sequence(list) => list.extend(items),
            // An object that is a list as well; it is none of ours.
            Value::Call { .. } => {}
            _ => return Err(senseless()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<()> {
        let table = self.top()?;
        match &mut self.values[table] {
            Value::Table(entries) | Value::Call { entries, .. } => entries.extend(pairs(items)),
            _ => return Err(senseless()),
        }
        Ok(())
    }

    fn name(&mut self, module: &'a str, name: &'a str) -> Result<()> {
        if !is_harmless(module, name) {
            let what = format!("asks Python for `{module}.{name}`, which no checkpoint needs");
            return Err(format!(
                "{what}; nothing was run here, but do not load it in Python unless you trust who made it"
            ));
        }
        self.push(Value::Name { module, name })
    }

    /// Takes a callee and its arguments, of which the first are those by position.
    fn call(&mut self, operands: usize) -> Result<()> {
        let operands = self.last(operands)?;
        self.push(Value::Call { callee: operands[0], arguments: operands[1], entries: Vec::new() })
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A number in two's complement; those that are longer than any offset are of random number generators.
fn long<'a>(bytes: &[u8]) -> Value<'a> {
    if bytes.len() > 8 {
        return Value::Other;
    }
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut number = [if negative { 0xff } else { 0 }; 8];
    number[..bytes.len()].copy_from_slice(bytes);
    Value::Number(i64::from_le_bytes(number))
}

fn senseless() -> String {
    "has a pickle that makes no sense: an operation misses what it works on; copy it again".to_string()
}
