//! Which functions and classes of Python a checkpoint may name.

/// Modules, with all that is in them, whose objects trainings save beside their tensors.
const PACKAGES: [&str; 5] = ["torch", "collections", "numpy", "deepspeed", "megatron"];

/// Names of other modules that stand for plain data. `__builtin__` and `copy_reg` are what Python 2 called them, and protocol 2 still does.
const NAMES: [(&str, &[&str]); 7] = [
    ("builtins", PLAIN),
    ("__builtin__", PLAIN),
    ("copyreg", &["_reconstructor"]),
    ("copy_reg", &["_reconstructor"]),
    ("_codecs", &["encode"]),
    ("argparse", &["Namespace"]),
    ("pathlib", &["PosixPath", "WindowsPath"]),
];

const PLAIN: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
];

pub fn is_harmless(module: &str, name: &str) -> bool {
    let package = module.split('.').next().unwrap_or_default();
    PACKAGES.contains(&package) || NAMES.iter().any(|(known, names)| *known == module && names.contains(&name))
}
