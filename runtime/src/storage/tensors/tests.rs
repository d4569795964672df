//! Round trips, the crate's own reader as the oracle, and every way a file can be wrong.

use super::*;
use crate::Kind;
use proptest::prelude::*;
use std::fs;

fn entry(name: &str, dtype: Dtype, shape: &[usize]) -> TensorEntry {
    TensorEntry { name: name.into(), dtype, shape: shape.to_vec() }
}

/// Writes weight f32 [2, 3], ids i32 [2], loss f64 [] and empty f32 [0, 4].
fn sample(path: &Path) {
    let entries = [
        entry("weight", Dtype::F32, &[2, 3]),
        entry("ids", Dtype::I32, &[2]),
        entry("loss", Dtype::F64, &[]),
        entry("empty", Dtype::F32, &[0, 4]),
    ];
    let weight = [1f32, -2.5, 0.0, f32::MAX, f32::MIN_POSITIVE, -0.0];
    let notes = BTreeMap::from([("step".to_string(), "500".to_string()), ("stage".to_string(), "124M".to_string())]);
    write_tensors(path, &notes, &entries, |i| {
        Ok(match i {
            0 => Cow::Owned(bytemuck::cast_slice(&weight).to_vec()),
            1 => Cow::Owned(bytemuck::cast_slice(&[7i32, -8]).to_vec()),
            2 => Cow::Owned(bytemuck::bytes_of(&0.1f64).to_vec()),
            _ => Cow::Owned(Vec::new()),
        })
    })
    .unwrap();
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    sample(&path);
    let file = TensorFile::open(&path).unwrap();
    assert_eq!(file.names(), ["empty", "ids", "loss", "weight"]);
    assert_eq!(file.shape("weight").unwrap(), [2, 3]);
    assert_eq!(file.dtype("ids").unwrap(), Dtype::I32);
    let weight = file.values::<f32>("weight").unwrap();
    assert!(matches!(weight, Cow::Borrowed(_)), "no copy of an aligned tensor");
    assert_eq!(weight.as_ref(), [1f32, -2.5, 0.0, f32::MAX, f32::MIN_POSITIVE, -0.0]);
    assert_eq!(file.values::<i32>("ids").unwrap().as_ref(), [7, -8]);
    assert_eq!(file.values::<f64>("loss").unwrap().as_ref(), [0.1]);
    assert_eq!(file.values::<f32>("empty").unwrap().as_ref(), [0f32; 0]);
    assert_eq!((file.note("step"), file.note("nothing")), (Some("500"), None));
}

#[test]
fn the_same_tensors_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    sample(&a);
    sample(&b);
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

proptest! {
    /// The crate everyone reads safetensors with agrees with our writer.
    #[test]
    fn the_reference_reader_agrees(tensors in prop::collection::btree_map("[a-z.\"\\\\é]{1,8}", prop::collection::vec(any::<f32>(), 0..9), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let entries: Vec<TensorEntry> = tensors.iter().map(|(name, values)| entry(name, Dtype::F32, &[values.len()])).collect();
        let values: Vec<&Vec<f32>> = tensors.values().collect();
        write_tensors(&path, &BTreeMap::new(), &entries, |i| Ok(Cow::Borrowed(bytemuck::cast_slice(values[i])))).unwrap();

        let bytes = fs::read(&path).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        prop_assert_eq!(read.len(), tensors.len());
        for (name, values) in &tensors {
            let view = read.tensor(name).unwrap();
            prop_assert_eq!(view.data(), bytemuck::cast_slice::<f32, u8>(values));
        }
    }
}

#[test]
fn a_misaligned_file_is_read_by_copying() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  "#;
    let header = &header[..header.len() - 1]; // 55 bytes
    let file = [&(header.len() as u64).to_le_bytes()[..], header, &1.5f32.to_le_bytes()].concat();
    fs::write(&path, file).unwrap();
    assert_eq!(TensorFile::open(&path).unwrap().values::<f32>("x").unwrap().as_ref(), [1.5]);
}

#[test]
fn a_failing_source_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let result = write_tensors(&path, &BTreeMap::new(), &[entry("x", Dtype::F32, &[1])], |_| {
        Err(Failure::new(Kind::Machine, "the device is gone"))
    });
    assert_eq!(result.unwrap_err().message, "the device is gone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_broken_file_gets_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    sample(&path);
    let whole = fs::read(&path).unwrap();
    let foreign = b"PK\x03\x04 a zip file that is long enough".to_vec();
    let cases: [(&[u8], &str); 5] = [
        (&[], "is empty; write or copy it again"),
        (&whole[..5], "is not a sound safetensors file (header too small); check that it is one and copy it again"),
        (
            &whole[..50],
            "is not a sound safetensors file (invalid header length); check that it is one and copy it again",
        ),
        (
            &whole[..whole.len() - 1],
            "does not have the length its header promises, it is probably truncated; copy it again",
        ),
        (&foreign, "is not a sound safetensors file (header too large); check that it is one and copy it again"),
    ];
    for (bytes, what) in cases {
        fs::write(&path, bytes).unwrap();
        let failure = TensorFile::open(&path).err().unwrap();
        assert_eq!(failure.message, format!("`{}` {what}", path.display()));
        assert_eq!(failure.kind, Kind::Broken);
    }
}

#[test]
fn wrong_names_types_and_places_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    sample(&path);
    let file = TensorFile::open(&path).unwrap();
    let place = path.display();
    assert_eq!(
        file.shape("weigth").unwrap_err().message,
        format!("`{place}` has no tensor `weigth`; `tfc inspect` lists what it has")
    );
    assert_eq!(
        file.values::<f64>("weight").unwrap_err().message,
        format!("tensor `weight` of `{place}` is F32, but F64 is needed; convert it")
    );
    assert_eq!(TensorFile::open(&folder.path().join("no")).err().unwrap().kind, Kind::Missing);
    let is_folder = TensorFile::open(folder.path()).err().unwrap();
    assert_eq!(is_folder.message, format!("cannot read `{}`: it is a folder, not a file", folder.path().display()));
}
