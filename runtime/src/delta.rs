//! What a checkpoint has beyond another: the rows that differ, in one file.
//!
//! Tuning that trains new tokens alone leaves every other row as it was, to the bit; so the file is as small as the tokens are few. Beside
//! the rows it holds the spec and the state, and by which file of weights it was made: it goes onto no other.

use crate::checkpoint::{self, State};
use crate::device::shape_at;
use crate::rows::Layout;
use crate::storage::{self, Bytes, Dtype, TensorEntry, TensorFile, as_bytes, write_tensors};
use crate::{Failure, Result};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The notes of the file.
const BASE: &str = "base";
const SPEC: &str = "spec";
const STATE: &str = "state";
const CONTENT: &str = "content";
/// What of them the content tells.
const TOLD: [&str; 3] = [BASE, SPEC, STATE];

/// A parameter's rows, those along the first axis that grows.
struct Rows<'a> {
    layout: Layout,
    values: Cow<'a, [f32]>,
}

impl<'a> Rows<'a> {
    fn of(file: &'a TensorFile, parameter: &Parameter) -> Result<Rows<'a>> {
        let shape = file.shape(&parameter.path)?;
        Ok(Rows { layout: layout(parameter, shape), values: file.values(&parameter.path)? })
    }

    fn row(&self, row: usize) -> impl Iterator<Item = u32> {
        self.layout.pieces(row).flat_map(|piece| self.values[piece].iter().map(|x| x.to_bits()))
    }

    fn is_like(&self, layout: &Layout) -> bool {
        (self.layout.outer, self.layout.inner) == (layout.outer, layout.inner)
    }

    /// The rows that `base` lacks or has otherwise.
    fn beyond(&self, base: Option<&Rows<'_>>) -> Vec<usize> {
        let known = base.filter(|base| base.is_like(&self.layout));
        let is_new =
            |row: &usize| known.is_none_or(|base| *row >= base.layout.rows || !self.row(*row).eq(base.row(*row)));
        (0..self.layout.rows).filter(is_new).collect()
    }
}

fn layout(parameter: &Parameter, shape: &[usize]) -> Layout {
    match (parameter.grows.first(), shape) {
        (_, []) => Layout { outer: 1, rows: 1, inner: 1 },
        (Some((axis, _)), shape) if *axis < shape.len() => Layout::new(shape, *axis),
        (_, shape) => Layout::new(shape, 0),
    }
}

/// Writes what `checkpoint`, of this model, has beyond the checkpoint `base` to the file `out`, and says how many of its numbers that are.
///
/// # Errors
/// One of the two is broken.
pub fn export(checkpoint: &Path, base: &Path, model: &Model, out: &Path) -> Result<[u64; 2]> {
    let state = State::read(&checkpoint.join("state.json"))?;
    checkpoint::sizes_of(checkpoint, model, &state, 1)?;
    let [weights, base_weights] = [checkpoint, base].map(checkpoint::weights);
    let (file, base_file) = (TensorFile::open(&weights)?, TensorFile::open(&base_weights)?);
    let known = base_file.names();
    let mut entries = Vec::new();
    let mut tensors: Vec<Vec<u8>> = Vec::new();
    let mut numbers = [0, 0];
    for parameter in &model.parameters {
        let rows = Rows::of(&file, parameter)?;
        let base = known.binary_search(&parameter.path).is_ok().then(|| Rows::of(&base_file, parameter)).transpose()?;
        let beyond = rows.beyond(base.as_ref());
        let width = rows.layout.width();
        numbers[0] += (beyond.len() * width) as u64;
        numbers[1] += rows.values.len() as u64;
        if beyond.is_empty() {
            continue;
        }
        let name = parameter.path.clone();
        entries.push(TensorEntry { name: places(&name), dtype: Dtype::I32, shape: vec![beyond.len()] });
        tensors.push(beyond.iter().flat_map(|row| (*row as i32).to_le_bytes()).collect());
        entries.push(TensorEntry { name, dtype: Dtype::F32, shape: vec![beyond.len(), width] });
        tensors.push(beyond.iter().flat_map(|row| rows.row(*row).flat_map(u32::to_le_bytes)).collect());
    }
    let mut notes = checkpoint::notes();
    notes.insert(BASE.into(), digest(&base_weights)?);
    notes.insert(SPEC.into(), checkpoint::spec_of(checkpoint)?.1);
    notes.insert(STATE.into(), state.to_json());
    let mut sorted: Vec<(&str, &[u8])> =
        entries.iter().map(|entry| &*entry.name).zip(tensors.iter().map(Vec::as_slice)).collect();
    sorted.sort_unstable();
    let said = TOLD.map(|note| (note, notes[note].as_bytes()));
    let content = content(said.into_iter().chain(sorted));
    notes.insert(CONTENT.into(), content);
    write_tensors(out, &notes, &entries, |i| Ok(Cow::Borrowed(&tensors[i][..])))?;
    Ok(numbers)
}

/// The name of the indices of the rows of a parameter.
fn places(path: &str) -> String {
    format!("{path}.rows")
}

/// Tells files of weights apart.
fn digest(weights: &Path) -> Result<String> {
    Ok(format!("{:016x}", xxh3_64(&Bytes::map(weights)?)))
}

/// Tells what a file holds from what became of it: nothing else would notice a row that is damaged. Its parts are the notes that are [`TOLD`], then the
/// tensors in the order of their names.
fn content<'a>(parts: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut digest = Xxh3::new();
    for part in parts.flat_map(|(name, bytes)| [name.as_bytes(), bytes]) {
        digest.update(&part.len().to_le_bytes());
        digest.update(part);
    }
    format!("{:016x}", digest.digest())
}

/// A file that [`export`] has written.
pub struct Delta {
    path: PathBuf,
    file: TensorFile,
}

impl Delta {
    /// # Errors
    /// The file is broken, or none of these.
    pub fn open(path: &Path) -> Result<Delta> {
        let delta = Delta { path: path.to_owned(), file: TensorFile::open(path)? };
        let mut parts = Vec::new();
        for note in TOLD {
            parts.push((note.to_string(), Cow::Borrowed(delta.note(note)?.as_bytes())));
        }
        for name in delta.file.names() {
            let bytes = match delta.file.dtype(&name)? {
                Dtype::I32 => as_bytes(delta.file.values::<i32>(&name)?),
                _ => as_bytes(delta.file.values::<f32>(&name)?),
            };
            parts.push((name, bytes));
        }
        let is_whole = delta.note(CONTENT)? == content(parts.iter().map(|(name, bytes)| (&**name, &**bytes)));
        drop(parts);
        match is_whole {
            true => Ok(delta),
            false => Err(Failure::broken(path, "is damaged: it holds other numbers than were written; copy it again")),
        }
    }

    /// The text of the spec of the checkpoint that it was made of.
    ///
    /// # Errors
    /// It is another file.
    pub fn spec(&self) -> Result<&str> {
        self.note(SPEC)
    }

    fn note(&self, key: &str) -> Result<&str> {
        let what = format!("is no delta: it has no note `{key}`; `tfc export RUN --delta BASE` makes one");
        self.file.note(key).ok_or_else(|| Failure::broken(&self.path, what))
    }

    /// Writes the first checkpoint of a run: that which the delta was made of, put together from `base`. It has no moments, so training
    /// would begin its stage anew.
    ///
    /// # Errors
    /// The delta was made for another base, or one of the two is broken.
    pub fn write(&self, base: &Path, model: &Model, into: &checkpoint::RunFolder) -> Result<PathBuf> {
        let weights = checkpoint::weights(base);
        if digest(&weights)? != self.note(BASE)? {
            let what = format!("was made for another base than `{}`; name that one", base.display());
            return Err(Failure::new(crate::Kind::Mistake, format!("`{}` {what}", self.path.display())));
        }
        let state = self.state()?;
        let sizes = state.sizes(model, 1)?;
        let base_file = TensorFile::open(&weights)?;
        let tokenizer = base.join("tokenizer.json");
        let tokenizer = if tokenizer.exists() { Some(storage::read_text(&tokenizer)?) } else { None };
        into.begin(model, &sizes, &state, tokenizer.as_deref(), |i| {
            Ok(as_bytes(Cow::Owned(self.tensor(&base_file, &model.parameters[i], &sizes)?)))
        })
    }

    /// As it was, less what only training knows.
    fn state(&self) -> Result<State> {
        Ok(State::of_json(self.note(STATE)?, &self.path)?.begun_anew())
    }

    /// A parameter put together.
    fn tensor(&self, base: &TensorFile, parameter: &Parameter, sizes: &SizeValues) -> Result<Vec<f32>> {
        let path = &parameter.path;
        let shape = shape_at(&parameter.shape, sizes);
        let layout = layout(parameter, &shape);
        let old = if base.names().binary_search(path).is_ok() { Some(Rows::of(base, parameter)?) } else { None };
        let old = old.filter(|old| old.is_like(&layout));
        let known = old.as_ref().map_or(0, |old| old.layout.rows.min(layout.rows));
        let (rows, numbers) = match self.file.names().binary_search(path) {
            Ok(_) => (self.file.values::<i32>(&places(path))?, self.file.values::<f32>(path)?),
            Err(_) => (Cow::default(), Cow::default()),
        };
        let inside = rows.iter().all(|row| usize::try_from(*row).is_ok_and(|row| row < layout.rows));
        let in_order = rows.windows(2).all(|two| two[0] < two[1]);
        let new = rows.iter().filter(|row| **row as usize >= known).count();
        if !inside || !in_order || new != layout.rows - known || numbers.len() != rows.len() * layout.width() {
            return Err(Failure::broken(
                &self.path,
                format_args!("does not fit its own spec at `{path}`; copy it again"),
            ));
        }
        // Every row is in the base or the file: only now is a size worth believing.
        let mut values = vec![0.0; shape.iter().product()];
        if let Some(old) = &old {
            for row in 0..known {
                layout.pieces(row).zip(old.layout.pieces(row)).for_each(|(to, from)| {
                    values[to].copy_from_slice(&old.values[from]);
                });
            }
        }
        for (row, numbers) in rows.iter().zip(numbers.chunks(layout.width().max(1))) {
            let pieces = layout.pieces(*row as usize).zip(numbers.chunks(layout.inner.max(1)));
            pieces.for_each(|(to, from)| values[to].copy_from_slice(from));
        }
        Ok(values)
    }
}
