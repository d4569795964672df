//! The `.tfm` language as text: grammar, syntax tree with spans, diagnostics and their rendering, the formatter.
