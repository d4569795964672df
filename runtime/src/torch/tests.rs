//! What is written comes back; what PyTorch would not write is refused in a sentence; nothing is run and nothing panics. Files that PyTorch
//! itself has written are read in the integration tests.

use super::*;
use crate::storage::Bytes;
use proptest::prelude::*;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive as `torch.save` makes it.
fn saved(pickle: &[u8], members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("data.pkl", pickle)].iter().chain(members) {
        zip.start_file(format!("model/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Text as BINUNICODE.
fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor of a storage "0" of `length` elements; numbers below 256.
fn view(class: &str, length: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| [b'K', *n]).collect();
        [b"(", &numbers[..], b"t"].concat()
    };
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        format!("ctorch\n{class}\n").into_bytes(),
        text("0"),
        text("cuda:0"),
        vec![b'K', length, b't', b'Q', b'K', offset],
        tuple(shape),
        tuple(strides),
        b"\x89}tR".to_vec(),
    ]
    .concat()
}

/// A dictionary of these entries, as an OrderedDict.
fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"ccollections\nOrderedDict\n)R(", &entries[..], b"u"].concat()
}

fn whole(dictionary: &[u8]) -> Vec<u8> {
    [b"\x80\x02", dictionary, b"."].concat()
}

fn open(bytes: Vec<u8>) -> crate::Result<TorchFile> {
    TorchFile::of(Path::new("m.bin"), Bytes::Owned(bytes))
}

#[track_caller]
fn refused(bytes: Vec<u8>, sentence: &str) {
    let failure = open(bytes).err().expect("it is refused");
    assert_eq!(failure.message, format!("`m.bin` {sentence}"));
    assert_eq!(failure.kind.exit_code(), 1);
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn numbers(file: &TorchFile, name: &str) -> Vec<f32> {
    file.floats(name).unwrap().chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
}

#[test]
fn what_is_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = |name: &str, shape: &[usize]| TorchTensor { name: name.to_string(), shape: shape.to_vec() };
    let tensors = [tensor("a.weight", &[2, 3]), tensor("scalar", &[]), tensor("nothing", &[0, 4])];
    let values = [
        vec![1.5f32, -0.0, f32::MIN_POSITIVE / 8.0, f32::INFINITY, f32::from_bits(0x7fc1_2345), 3.0],
        vec![7.0],
        vec![],
    ];
    let write = |name: &str| {
        let path = folder.path().join(name);
        write_torch(&path, &tensors, |i| Ok(floats(&values[i]).into())).unwrap();
        path
    };
    let file = TorchFile::open(&write("once.bin")).unwrap();
    let shapes: Vec<_> = file.tensors().collect();
    assert_eq!(shapes, [("a.weight", &[2, 3][..]), ("nothing", &[0, 4]), ("scalar", &[])]);
    for (tensor, values) in tensors.iter().zip(&values) {
        assert_eq!(*file.floats(&tensor.name).unwrap(), floats(values), "to the bit");
    }
    file.verify().unwrap();
    let (once, twice) = (std::fs::read(write("once.bin")).unwrap(), std::fs::read(write("twice.bin")).unwrap());
    assert!(once == twice, "the same tensors make the same bytes");
}

#[test]
fn tensors_are_views_of_a_shared_storage() {
    let entries = [
        ("first", view("FloatStorage", 10, 0, &[2, 2], &[2, 1])),
        ("second", view("FloatStorage", 10, 4, &[1, 6], &[9, 1])),
        ("again", view("FloatStorage", 10, 2, &[3], &[1])),
    ];
    let ten: Vec<f32> = (0..10u8).map(f32::from).collect();
    let file = open(saved(&whole(&dictionary(&entries)), &[("data/0", &floats(&ten))])).unwrap();
    assert_eq!(numbers(&file, "first"), [0., 1., 2., 3.]);
    assert_eq!(numbers(&file, "second"), [4., 5., 6., 7., 8., 9.]);
    assert_eq!(numbers(&file, "again"), [2., 3., 4.]);
    assert_eq!(file.floats("third").unwrap_err().message, "`m.bin` has no tensor `third`");
}

#[test]
fn half_precision_is_widened_without_loss() {
    let of = |class: &str, bits: [u16; 4]| {
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let pickle = whole(&dictionary(&[("w", view(class, 4, 0, &[4], &[1]))]));
        numbers(&open(saved(&pickle, &[("data/0", &bytes)])).unwrap(), "w")
    };
    // 1, −2, the largest and the smallest that is not 0.
    assert_eq!(of("HalfStorage", [0x3c00, 0xc000, 0x7bff, 0x0001]), [1., -2., 65504., 2f32.powi(-24)]);
    assert_eq!(
        of("BFloat16Storage", [0x3f80, 0xc000, 0x7f7f, 0x0001]),
        [1., -2., 255. * 2f32.powi(120), f32::from_bits(1 << 16)]
    );
    let double = saved(&whole(&dictionary(&[("w", view("DoubleStorage", 1, 0, &[1], &[1]))])), &[("data/0", &[0; 8])]);
    let failure = open(double).unwrap().floats("w").unwrap_err();
    assert_eq!(failure.message, "`m.bin` holds `w` as F64; weights are F32, F16 or BF16: convert it");
}

/// What DeepSpeed saves beside the weights is passed over; a parameter is the tensor it wraps.
#[test]
fn the_weights_of_deepspeed_stand_under_module() {
    let tensor = view("FloatStorage", 2, 0, &[2], &[1]);
    let parameter = [b"ctorch._utils\n_rebuild_parameter\n(", &tensor[..], b"\x88}tR"].concat();
    let entries = [
        ("module", dictionary(&[("w", parameter)])),
        ("scaler", b"cdeepspeed.runtime\nScaler\n)\x81}b".to_vec()),
        ("loss", b"G\0\0\0\0\0\0\0\0".to_vec()),
    ];
    let file = open(saved(&whole(&dictionary(&entries)), &[("data/0", &floats(&[1., 2.]))])).unwrap();
    assert_eq!(numbers(&file, "w"), [1., 2.]);
    assert_eq!(file.tensors().count(), 1);
}

/// Each of them would have Python call a function as it loads the file.
#[test]
fn code_is_refused_and_named() {
    let command = text("touch /tmp/owned");
    let calls = [
        ("posix.system", [b"\x80\x02cposix\nsystem\n".to_vec(), command.clone(), b"\x85R.".to_vec()].concat()),
        (
            "os.system",
            [b"\x80\x04".to_vec(), text("os"), text("system"), b"\x93".to_vec(), command.clone(), b"\x85R.".to_vec()]
                .concat(),
        ),
        ("builtins.eval", [b"\x80\x02cbuiltins\neval\n".to_vec(), command.clone(), b"\x85R.".to_vec()].concat()),
        (
            "__builtin__.getattr",
            whole(&dictionary(&[(
                "w",
                [b"c__builtin__\ngetattr\n(".to_vec(), command.clone(), b"tR".to_vec()].concat(),
            )])),
        ),
        (
            "torchx.run",
            whole(&dictionary(&[("w", view("FloatStorage", 1, 0, &[1], &[1])), ("x", b"ctorchx\nrun\n".to_vec())])),
        ),
    ];
    for (name, pickle) in calls {
        let what = format!("asks Python for `{name}`, which no checkpoint needs");
        refused(
            saved(&pickle, &[("data/0", &[0; 4])]),
            &format!("{what}; nothing was run here, but do not load it in Python unless you trust who made it"),
        );
    }
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let storage: (&str, &[u8]) = ("data/0", &[0; 40]);
    let of = |tensor: Vec<u8>| saved(&whole(&dictionary(&[("w", tensor)])), &[storage]);
    refused(Vec::new(), "is empty; write or copy it again");
    refused(
        b"GIF89a".to_vec(),
        "is no file of PyTorch; name the `pytorch_model.bin` or DeepSpeed's `…_model_states.pt`",
    );
    refused(
        b"\x80\x02\x8a\x0a".to_vec(),
        "is of a PyTorch before 1.6; load it in a newer one, check it, and `torch.save` it again",
    );
    let none = "holds no dictionary of tensors; a `state_dict()` is one";
    refused(saved(b"\x80\x02K\x01.", &[]), none);
    refused(saved(&whole(&dictionary(&[("epoch", b"K\x01".to_vec())])), &[]), none);
    let senseless = "has a pickle that makes no sense: an operation misses what it works on; copy it again";
    for pickle in [&b"."[..], b"t.", b"0.", b"h\x07.", b"K\x01R.", b"(K\x01s.", b"K\x01K\x02a.", b"(0."] {
        refused(saved(pickle, &[]), senseless);
    }
    refused(saved(b"\x80\x02K\x01", &[]), "is truncated: its pickle ends too early; copy it again");
    refused(saved(b"X\xff\xff\xff\xffabc.", &[]), "is truncated: its pickle ends too early; copy it again");
    refused(
        saved(b"(ios\nsystem\n.", &[]),
        "holds the pickle operation 0x69, which PyTorch does not write; it is no checkpoint, or not whole",
    );
    refused(
        of(view("FloatStorage", 10, 5, &[2, 3], &[3, 1])),
        "says of `w` that it lies outside of its storage; copy the file again",
    );
    refused(
        of(view("FloatStorage", 10, 0, &[2, 3], &[1, 2])),
        "says of `w` that it does not lie row by row; save it as `tensor.contiguous()`",
    );
    refused(
        of(view("QInt8Storage", 10, 0, &[2], &[1])),
        "says of `w` that it is a `QInt8Storage`, which holds no numbers tfc knows",
    );
    refused(of(view("FloatStorage", 11, 0, &[11], &[1])), "lacks the storage of `w`, or a part of it; copy it again");
    let order =
        saved(&whole(&dictionary(&[("w", view("FloatStorage", 1, 0, &[1], &[1]))])), &[storage, ("byteorder", b"big")]);
    refused(order, "was written by a big-endian machine; load and save it on another");
}

/// A list that contains itself, and one in one in one, a million deep.
#[test]
fn values_may_be_deep_and_circular() {
    let tensor = [("w", view("FloatStorage", 1, 0, &[1], &[1])), ("circle", b"]q\x01h\x01a".to_vec())];
    let deep = ("deep", [vec![b')'], vec![0x85; 1_000_000]].concat());
    let pickle = whole(&dictionary(&[&tensor[..], &[deep]].concat()));
    assert_eq!(numbers(&open(saved(&pickle, &[("data/0", &floats(&[5.0]))])).unwrap(), "w"), [5.0]);
}

fn sample() -> Vec<u8> {
    let entries = [("a", view("FloatStorage", 6, 0, &[2, 2], &[2, 1])), ("b", view("FloatStorage", 6, 4, &[2], &[1]))];
    saved(&whole(&dictionary(&entries)), &[("data/0", &floats(&[1., 2., 3., 4., 5., 6.])), ("version", b"3\n")])
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = sample();
    for length in 0..whole.len() {
        let failure = open(whole[..length].to_vec()).err().unwrap_or_else(|| panic!("cut at {length}"));
        let is_said =
            ["is truncated", "is empty", "is no file of PyTorch"].iter().any(|what| failure.message.contains(what));
        assert!(is_said, "{length}: {}", failure.message);
    }
}

#[test]
fn a_weight_that_was_changed_is_found() {
    let mut bytes = sample();
    let place = bytes.windows(4).position(|window| window == 3f32.to_le_bytes()).unwrap();
    bytes[place] ^= 1;
    let failure = open(bytes).unwrap().verify().unwrap_err();
    assert_eq!(
        failure.message,
        "`m.bin` is damaged, or was saved without checksums: that of its storage `0` is another one; copy or save it again"
    );
}

proptest! {
    /// Whatever a file holds, it is read or refused.
    #[test]
    fn no_file_makes_the_reader_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = sample();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(file) = open(bytes) {
            let names: Vec<String> = file.tensors().map(|(name, _)| name.to_string()).collect();
            for name in names {
                let _ = file.floats(&name);
            }
            let _ = file.verify();
        }
    }

    /// Nor does any program for the pickle machine.
    #[test]
    fn no_pickle_makes_the_machine_panic(pickle in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'('), Just(b'}'), Just(b'K'), Just(b'u'), Just(b'R')], 0..60)) {
        let _ = open(saved(&pickle, &[]));
    }
}
