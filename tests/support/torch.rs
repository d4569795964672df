//! Files as `torch.save` makes them of the official models: a dictionary of views, with offsets, of two shared storages. The weights are
//! holes in the file, so that even the largest model takes no room.

use std::fs::File;
use std::io::{Result, Seek, SeekFrom, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub struct Saved {
    pickle: Vec<u8>,
    /// Elements in each storage.
    lengths: [usize; 2],
}

impl Saved {
    /// The tensors lie in the two storages by turns, one behind the other.
    pub fn in_two_storages(tensors: &[(String, Vec<usize>)]) -> Saved {
        let mut lengths = [0, 0];
        for (i, (_, shape)) in tensors.iter().enumerate() {
            lengths[i % 2] += shape.iter().product::<usize>();
        }
        let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
        let mut used = [0, 0];
        for (i, (name, shape)) in tensors.iter().enumerate() {
            let storage = i % 2;
            let strides: Vec<usize> = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect();
            pickle.extend(text(name));
            pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            pickle.extend([text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(&storage.to_string())].concat());
            pickle.extend([text("cuda:0"), number(lengths[storage]), b"tQ".to_vec(), number(used[storage])].concat());
            pickle.extend([tuple(shape), tuple(&strides), b"\x89ccollections\nOrderedDict\n)RtR".to_vec()].concat());
            used[storage] += shape.iter().product::<usize>();
        }
        pickle.extend(b"u}");
        // What a module says of itself beside its tensors.
        pickle.extend([text("_metadata"), b"}sb.".to_vec()].concat());
        Saved { pickle, lengths }
    }

    pub fn write_sparse(&self, file: File) -> Result<()> {
        let mut zip = ZipWriter::new(Sparse(file));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        zip.start_file("pytorch_model/data.pkl", options)?;
        zip.write_all(&self.pickle)?;
        for (i, length) in self.lengths.iter().enumerate() {
            zip.start_file(format!("pytorch_model/data/{i}"), options)?;
            let bytes = 4 * length;
            (0..bytes / HOLE.len()).try_for_each(|_| zip.write_all(&HOLE))?;
            zip.write_all(&HOLE[..bytes % HOLE.len()])?;
        }
        zip.start_file("pytorch_model/version", options)?;
        zip.write_all(b"3\n")?;
        zip.finish().map(drop).map_err(Into::into)
    }
}

static HOLE: [u8; 1 << 20] = [0; 1 << 20];

/// Leaves out what is as large as a hole: nothing else that is written is.
struct Sparse(File);

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if bytes.len() != HOLE.len() {
            return self.0.write(bytes);
        }
        let end = self.0.seek(SeekFrom::Current(HOLE.len() as i64))?;
        self.0.set_len(end)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

impl Seek for Sparse {
    fn seek(&mut self, place: SeekFrom) -> Result<u64> {
        self.0.seek(place)
    }
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// As Python's pickler writes it: BININT, or LONG1 where that is too short.
fn number(number: usize) -> Vec<u8> {
    match i32::try_from(number) {
        Ok(number) => [b"J", &number.to_le_bytes()[..]].concat(),
        Err(_) => [b"\x8a\x08", &number.to_le_bytes()[..]].concat(),
    }
}

fn tuple(numbers: &[usize]) -> Vec<u8> {
    [b"(".to_vec(), numbers.iter().flat_map(|n| number(*n)).collect(), b"t".to_vec()].concat()
}
